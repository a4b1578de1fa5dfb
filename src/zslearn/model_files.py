"""A trained model on disk: ``model.safetensors`` for numbers, ``model.json`` for everything else.

Both files carry the digest of the tensors that belong together. A model that replaces another is complete under a
temporary name before ``model.json`` speaks of it, so whoever reads finds the old model or the new one, also when the
writer was killed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from zslearn.data.checks import check_class_names
from zslearn.errors import DataError, RunFolderError, first_line
from zslearn.files import write_json
from zslearn.limits import read_json
from zslearn.tensor_files import read_tensors, stored_digest, write_tensors

FORMAT = "zslearn-model"
VERSION = 1
TENSORS_FILE = "model.safetensors"
FACTS_FILE = "model.json"
_NEXT_FILE = "model.next.safetensors"
_N_READS = 3
"""How often a model is read again that another process is replacing."""


def write_model(folder: Path, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write a model into a folder, which is made if it does not exist.

    Args:
        folder: Where to write; a model that is there already is replaced.
        facts: JSON-able facts.
        tensors: Tensors by name.

    Raises:
        RunFolderError: If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _finish(folder)
        digest = write_tensors(folder / _NEXT_FILE, tensors)
        write_json(folder / FACTS_FILE, {"format": FORMAT, "version": VERSION, **facts, "tensors": digest})
        _finish(folder)
    except OSError as error:
        raise RunFolderError(
            f"the model cannot be written to {folder}",
            received=str(error),
            remedy="Choose a folder that you may write to, on a disk with space.",
        ) from error


def read_model(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a model that ``write_model`` wrote: its facts and its tensors.

    Nothing in the files is executed, and no memory is taken for more than they hold.

    Raises:
        RunFolderError: If there is no model, or it is damaged, foreign, or of another version.
        DataError: If a file is too large, or a class has no proper name.
    """
    try:
        facts, tensors = _read(folder)
    except DataError:
        raise
    except FileNotFoundError as error:
        raise RunFolderError(
            f"there is no model in {folder}",
            expected=f"{FACTS_FILE} and {TENSORS_FILE}",
            remedy="Give the folder of a finished run, or of a saved model.",
        ) from error
    except (OSError, ValueError) as error:
        raise RunFolderError(
            f"the model in {folder} cannot be read",
            received=first_line(error),
            remedy="The files are damaged: run or save again.",
        ) from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise RunFolderError(f"{folder / FACTS_FILE} is not a zslearn model", remedy="Give another folder.")
    if facts.get("version") != VERSION:
        raise RunFolderError(
            f"the model in {folder} has another version",
            expected=str(VERSION),
            received=repr(facts.get("version")),
            remedy="Use the version of zslearn that saved it, or save it again with this one.",
        )
    _check_facts(folder, facts)
    for name, tensor in tensors.items():
        if not bool((tensor.isfinite() if tensor.is_floating_point() else tensor >= 0).all()):
            raise RunFolderError(
                f"the model in {folder} cannot be used",
                expected="finite numbers, and no negative ids",
                received=f"others in {name!r}",
                remedy="Train it again.",
            )
    return facts, tensors


def _check_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Check that every fact is of its kind; what the settings mean is checked where they are used."""
    match facts:
        case {
            "model": str(),
            "settings": dict(settings),
            "seed": int(),
            "rehearse": bool(),
            "feature_space": str() | None,
            "feature_dim": int(feature_dim),
            "image_shape": [int(), int()] | None,
            "classes": [_, *_] as classes,
            "seen": list(seen),
            "added": list(added),
            "rehearsal": dict() | None,
        } if (
            feature_dim > 0
            and all(isinstance(name, str | int) for name in (*classes, *seen, *added))
            and {*seen, *added} <= {*classes}
            and all(isinstance(value, str | int | float | bool | None) for value in settings.values())
        ):
            check_class_names(map(str, classes))
            return
    raise RunFolderError(
        f"the facts in {folder / FACTS_FILE} are not those of a model",
        expected="model, settings, classes and what else 'save' writes",
        received=", ".join(sorted(facts))[:200],
        remedy="Save the model again with this version of zslearn.",
    )


def _read(folder: Path) -> tuple[Any, dict[str, Tensor]]:
    """Read the facts and the tensors that belong to them."""
    for _ in range(_N_READS):
        facts = read_json(folder / FACTS_FILE)
        for name in (TENSORS_FILE, _NEXT_FILE):
            path = folder / name
            if path.exists() and _belong_together(facts, stored_digest(path)):
                stored = read_tensors(path)
                # Another process may have replaced the file meanwhile.
                if _belong_together(facts, stored.digest):
                    return facts, stored.tensors
    if not (folder / TENSORS_FILE).exists():
        raise FileNotFoundError(TENSORS_FILE)
    raise ValueError(f"{FACTS_FILE} and {TENSORS_FILE} are of different models")


def _finish(folder: Path) -> None:
    """Give tensors that the facts speak of already their lasting name, where a writer was killed before it could."""
    path = folder / _NEXT_FILE
    try:
        spoken_of = path.exists() and _belong_together(read_json(folder / FACTS_FILE), stored_digest(path))
    except (OSError, ValueError):
        return
    if spoken_of:
        path.replace(folder / TENSORS_FILE)


def _belong_together(facts: Any, digest: str | None) -> bool:
    return not isinstance(facts, dict) or facts.get("tensors") == digest
