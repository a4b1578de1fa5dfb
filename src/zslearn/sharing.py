"""Finished runs as model repositories: written to a folder or a hub with a model card, and read back with checks.

A repository is what the Hugging Face hub expects: ``README.md`` with metadata in front (the model card), and the
model's files beside it. A hub is asked only where its name is given as ``hub:OWNER/NAME``.
"""

from __future__ import annotations

import itertools
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from zslearn.errors import ConfigError, DataError, RunFolderError, ZslearnError, first_line, require_extra
from zslearn.estimator import GenerativeZSL
from zslearn.evaluation.metrics import METRIC_TITLES
from zslearn.files import write_atomic, write_bytes, write_json
from zslearn.limits import read_json
from zslearn.model_files import FACTS_FILE, TENSORS_FILE, read_model
from zslearn.runs import RECORD_FILE, read_record

EXTRA: Final[str] = "hub"
HUB: Final[str] = "hub:"
"""What a destination or a source on a hub begins with."""
CARD_FILE: Final[str] = "README.md"

_GIT_FILES = {".git", ".gitattributes", ".gitignore"}
"""What a repository holds that was made and never written to."""

_PICTURES = ("drawn.png", "map.png", "seen-unseen.png", "training.png")
_FILES = (FACTS_FILE, TENSORS_FILE, RECORD_FILE, CARD_FILE, *_PICTURES)
_PATHS = frozenset(
    {
        ("backbone", "name"),
        ("text_encoder", "name"),
        ("data", "source"),
        ("data", "backbone", "name"),
        ("data", "text_encoder", "name"),
        ("data", "asked_for", "data"),
        ("data", "asked_for", "features"),
        ("data", "asked_for", "semantics"),
    }
)
"""Where a model's facts and a record keep paths; elsewhere, names may begin with a slash."""


def push(run_folder: Path, destination: str, *, license: str | None = None) -> str:
    """Write a finished run as a model repository.

    Only the model, its record, its pictures and the card go out; of paths on this machine, the last part alone.

    Args:
        run_folder: The folder of a finished run.
        destination: A folder, new, empty (but for what git keeps there) or written by ``push`` before, whose files
            are then replaced; or ``hub:OWNER/NAME``, for which one must be logged in.
        license: The licence to name on the card, such as ``mit``.

    Returns:
        Where it is now.

    Raises:
        RunFolderError: If the run is not finished, or the destination holds something else.
        MissingExtraError: If a hub is asked for without the extra ``hub``.
        DataError: If the hub refuses.
    """
    record = read_record(run_folder)
    read_model(run_folder)
    if not destination.startswith(HUB):
        folder = Path(destination)
        _check_free(folder)
        _write_repository(run_folder, record, folder, license)
        return str(folder)
    name = _hub_name(destination)
    hub = require_extra("huggingface_hub", EXTRA)
    with tempfile.TemporaryDirectory() as staging:
        _write_repository(run_folder, record, Path(staging), license)
        try:
            url = hub.create_repo(name, exist_ok=True)
            hub.upload_folder(repo_id=name, folder_path=staging, commit_message="Model written by zslearn push")
        # The hub's client and what it stands on have errors of many types.
        except Exception as error:
            raise _hub_error(name, error) from error
    return str(url)


def pull(source: str, folder: Path) -> GenerativeZSL:
    """Fetch a model repository, and check the model in it before it gets its place.

    Nothing in the files is executed, and files that are not part of a model are left where they are.

    Args:
        source: A folder, or ``hub:OWNER/NAME``.
        folder: Where the model goes: a new or empty folder.

    Returns:
        The model.

    Raises:
        RunFolderError: If the folder is not empty, or the source holds no model, or a damaged or foreign one.
        MissingExtraError: If a hub is asked for without the extra ``hub``.
        DataError: If the hub has no such repository, or the model's parts do not belong together.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunFolderError(
            f"{folder} exists already and is not an empty folder",
            expected="a new or empty folder",
            remedy="Name another folder with -o.",
        )
    is_there = folder.exists()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder if is_there else folder.parent, prefix=".pull-") as staging:
        fetched = _fetched(source, Path(staging))
        _check_holds_model(fetched, source)
        copies = Path(staging) / "model"
        _copy(fetched, copies, _FILES)
        estimator = _loaded(copies, source)
        if is_there:
            _move_into(copies, folder)
        else:
            copies.replace(folder)
    return estimator


def model_card(record: Mapping[str, Any], facts: Mapping[str, Any], *, license: str | None = None) -> str:
    """Write the model card of a run from its record alone.

    Args:
        record: The record of a finished run, as it goes out.
        facts: The facts of its model.
        license: The licence to name.
    """
    data, setting = record["data"], record["setting"]
    corrected = record.get("metrics_corrected")
    split = "the official split" if data["split"] == "official" else f"class split {data['split']}"
    lines = [
        "---",
        yaml.safe_dump(_metadata(record, license), sort_keys=False, allow_unicode=True).strip(),
        "---",
        "",
        f"# {record['model']} on {data['name']}",
        "",
        f"A zero-shot classifier over {len(facts['classes'])} classes, of which training saw samples of "
        f"{len(facts['seen'])}. Written by zslearn {record['versions']['zslearn']} from the record of the run.",
        "",
        "## Use",
        "",
        "```sh",
        "zslearn pull THIS-REPOSITORY -o model",
        "zslearn predict model rows.npy",
        "```",
        "",
        f"A row has {facts['feature_dim']} features, made as in training"
        + (f" by the backbone `{data['backbone']['name']}`." if data.get("backbone") else "."),
        "",
        "## Results",
        "",
        f"On {split} of {data['name']}, in percent (AUSUC as a fraction); choices were made on "
        f"{record['selection']['chosen_on']}.",
        "",
        f"| | {' | '.join(METRIC_TITLES.values())} |",
        f"| --- |{' --- |' * len(METRIC_TITLES)}",
        f"| as trained | {_cells(record['metrics'])} |",
    ]
    if corrected:
        lines.append(f"| corrected for label shift | {_cells(corrected)} |")
    for name, metrics in record.get("references", {}).items():
        shown = metrics.get("corrected") or metrics
        lines.append(f"| reference {name}{', corrected' if metrics.get('corrected') else ''} | {_cells(shown)} |")
    known = "were known" if setting["unseen_semantics_in_training"] else "were not known"
    lines += [
        "",
        "## Setting",
        "",
        f"- samples: {setting['samples']}; semantics of unseen classes {known} in training",
        f"- data: {data['name']}, {split}, checksum `{data['checksum'][:16]}`; source: {data['source']}",
        f"- unseen classes: {', '.join(map(str, record['unseen_classes']))}",
        f"- seed {record['seed']}; {_versions(record['versions'])}",
        "",
        "## Warnings",
        "",
        *(f"- {warning}" for warning in data["warnings"]),
        "- Classes without samples are recognised by what was said of them; expect more errors there than T1 suggests "
        "on data that differ from the training's.",
    ]
    if added := facts["added"]:
        lines.append(f"- Added after the run and never measured: {', '.join(map(str, added))}.")
    return "\n".join([*lines, "", "## Command", "", "```sh", record["command"], "```", ""])


def _metadata(record: Mapping[str, Any], license: str | None) -> dict[str, Any]:
    metrics = record.get("metrics_corrected") or record["metrics"]
    data = record["data"]
    measured = [
        {"type": name, "name": title, "value": round(metrics[name], 4)}
        for name, title in METRIC_TITLES.items()
        if metrics.get(name) is not None
    ]
    result = {
        "task": {"type": "zero-shot-classification", "name": "generalised zero-shot learning"},
        "dataset": {"type": data["name"], "name": f"{data['name']}, split {data['split']}"},
        "metrics": measured,
    }
    return {
        "library_name": "zslearn",
        **({"license": license} if license else {}),
        "tags": ["zero-shot-learning", "generalized-zero-shot-learning", record["model"]],
        "model-index": [{"name": f"{record['model']} on {data['name']}", "results": [result]}],
    }


def _cells(metrics: Mapping[str, Any]) -> str:
    shown = []
    for name in METRIC_TITLES:
        value = metrics.get(name)
        shown.append("" if value is None else f"{value:.3f}" if name == "ausuc" else f"{100 * value:.1f}")
    return " | ".join(shown)


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _check_free(folder: Path) -> None:
    """Refuse a folder that holds something else than a model repository."""
    if not folder.exists():
        return
    if not folder.is_dir() or not ({path.name for path in folder.iterdir()} <= _GIT_FILES or _has_our_card(folder)):
        raise RunFolderError(
            f"{folder} exists already and is not a model repository",
            expected="a new or empty folder, or one that 'zslearn push' has written",
            remedy="Name another folder.",
        )


def _has_our_card(folder: Path) -> bool:
    """Tell whether the metadata in front of a folder's card name this library."""
    card = folder / CARD_FILE
    if not card.is_file():
        return False
    with card.open(encoding="utf-8", errors="replace") as lines:
        front = itertools.takewhile(lambda line: line != "---\n", lines)
        return next(lines, "") == "---\n" and "library_name: zslearn\n" in front


def _write_repository(run_folder: Path, record: Mapping[str, Any], folder: Path, license: str | None) -> None:
    facts = _shared(read_json(run_folder / FACTS_FILE))
    try:
        told = {**_shared(record), "command": _without_paths(record["command"])}
        card = model_card(told, facts, license=license).encode()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunFolderError(
            f"the record of {run_folder} is damaged",
            expected="all that 'zslearn run' writes",
            received=f"{type(error).__name__}: {first_line(error)}",
            remedy="Run again.",
        ) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The card comes first: with it there, a push that was interrupted can be repeated.
        write_bytes(folder / CARD_FILE, card)
        _copy(run_folder, folder, (TENSORS_FILE, *_PICTURES))
        write_json(folder / FACTS_FILE, facts)
        write_json(folder / RECORD_FILE, told)
    except OSError as error:
        if isinstance(error, ZslearnError):
            raise
        raise RunFolderError(
            f"the repository {folder} cannot be written",
            received=str(error),
            remedy="Name a folder that you may write to.",
        ) from error


def _check_holds_model(folder: Path, source: str) -> None:
    missing = [name for name in (FACTS_FILE, TENSORS_FILE) if not _is_copied(folder / name)]
    if missing:
        raise RunFolderError(
            f"there is no model in {source}",
            expected=f"{FACTS_FILE} and {TENSORS_FILE}",
            received=f"no {' and no '.join(missing)}" if folder.is_dir() else "no folder of that name",
            remedy="Give a folder that 'zslearn push' has written, or hub:OWNER/NAME.",
        )


def _loaded(copies: Path, source: str) -> GenerativeZSL:
    """Load a model that was copied; the reader of an error knows where it came from, and not where it was copied to."""
    try:
        return GenerativeZSL.load(copies, device="cpu")
    except ZslearnError as error:
        what = error.what.replace(str(copies), source)
        raise type(error)(what, expected=error.expected, received=error.received, remedy=error.remedy) from error


def _copy(source: Path, folder: Path, names: Iterable[str]) -> None:
    """Copy those of the files that are there; links are not followed."""
    folder.mkdir(exist_ok=True)
    for name in names:
        if _is_copied(source / name):
            _copy_file(source / name, folder / name)


def _is_copied(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _move_into(copies: Path, folder: Path) -> None:
    """Move a model into a folder that cannot be replaced itself: one may stand in it, or a volume be mounted there."""
    # The facts come last: a folder without them holds no model.
    for path in sorted(copies.iterdir(), key=lambda path: path.name == FACTS_FILE):
        path.replace(folder / path.name)


def _copy_file(source: Path, target: Path) -> None:
    def write(temporary: Path) -> None:
        shutil.copyfile(source, temporary)

    write_atomic(target, write)


def _fetched(source: str, staging: Path) -> Path:
    if not source.startswith(HUB):
        return Path(source)
    name = _hub_name(source)
    hub = require_extra("huggingface_hub", EXTRA)
    fetched = staging / "fetched"
    try:
        hub.snapshot_download(name, allow_patterns=list(_FILES), local_dir=fetched)
    # As above: errors of many types.
    except Exception as error:
        raise _hub_error(name, error) from error
    return fetched


def _hub_name(text: str) -> str:
    name = text.removeprefix(HUB)
    if name.count("/") != 1 or not all(name.split("/")):
        raise ConfigError(f"{text!r} names no repository", expected="hub:OWNER/NAME", remedy="Give both parts.")
    return name


def _hub_error(name: str, error: Exception) -> DataError:
    return DataError(
        f"the hub does not serve {name}",
        received=f"{type(error).__name__}: {first_line(error)}",
        remedy="Check the name and the connection, and log in with: hf auth login",
    )


def _shared(value: Any, place: tuple[str, ...] = ()) -> Any:
    """Return JSON without this machine's folders: of an absolute path where one is kept, the last part."""
    if isinstance(value, dict):
        return {name: _shared(part, (*place, name)) for name, part in value.items()}
    return _last_part(value) if place in _PATHS and isinstance(value, str) else value


def _last_part(text: str) -> str:
    return Path(text).name if Path(text).is_absolute() else text


def _without_paths(command: str) -> str:
    return shlex.join(map(_last_part, shlex.split(command)))
