"""A trained model on disk: ``model.safetensors`` for numbers, ``model.json`` for everything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from zslearn.data.limits import read_json
from zslearn.errors import DataError, RunFolderError
from zslearn.files import write_atomic, write_json

FORMAT = "zslearn-model"
VERSION = 1
TENSORS_FILE = "model.safetensors"
FACTS_FILE = "model.json"


def write_model(folder: Path, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write a model into a folder, which is made if there is none.

    Args:
        folder: Where to write; a model that is there already is replaced.
        facts: JSON-able facts.
        tensors: Contiguous tensors on the host.

    Raises:
        RunFolderError: If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / TENSORS_FILE, lambda path: save_file(dict(tensors), path))
        write_json(folder / FACTS_FILE, {"format": FORMAT, "version": VERSION, **facts})
    except OSError as error:
        raise RunFolderError(
            f"the model cannot be written to {folder}",
            received=str(error),
            remedy="Choose a folder that you may write to, on a disk with space.",
        ) from error


def read_model(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a model that ``write_model`` wrote: its facts and its tensors.

    Raises:
        RunFolderError: If there is no model, or it is damaged, foreign, or of another version.
    """
    try:
        facts = read_json(folder / FACTS_FILE)
        tensors = load_file(folder / TENSORS_FILE)
    except DataError:
        raise
    except FileNotFoundError as error:
        raise RunFolderError(
            f"there is no model in {folder}",
            expected=f"{FACTS_FILE} and {TENSORS_FILE}",
            remedy="Give the folder of a finished run, or of a saved model.",
        ) from error
    except (OSError, ValueError, SafetensorError) as error:
        raise RunFolderError(
            f"the model in {folder} cannot be read",
            received=str(error).splitlines()[0],
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
    return facts, tensors
