"""Run folders: made once, never overwritten, and always telling what state they are in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zslearn.data.limits import read_json
from zslearn.errors import DataError, RunFolderError
from zslearn.files import write_json

RECORD_FILE = "record.json"
HISTORY_FILE = "history.jsonl"


def make_run_folder(wanted: Path | None, default: Path) -> Path:
    """Make the folder of a new run.

    Args:
        wanted: The folder that the user named; it may exist if it is empty.
        default: What to take without one; numbered where it is taken.

    Raises:
        RunFolderError: If the wanted folder is not empty, or no folder can be made.
    """
    check_run_folder(wanted)
    try:
        if wanted is None:
            return _make_numbered(default)
        wanted.mkdir(parents=True, exist_ok=True)
        return wanted
    except OSError as error:
        raise RunFolderError(
            f"the run folder {wanted or default} cannot be made",
            received=error.strerror,
            remedy="Name a folder that you may write to with --out.",
        ) from error


def check_run_folder(wanted: Path | None) -> None:
    """Refuse a wanted run folder that is not empty, before anything costly happens.

    Raises:
        RunFolderError: If it is in the way.
    """
    if wanted is not None and wanted.exists() and (not wanted.is_dir() or any(wanted.iterdir())):
        raise RunFolderError(
            f"{wanted} is in the way", expected="a new or empty folder", remedy="Name another folder with --out."
        )


class RunInProgress:
    """A run while it trains.

    Its folder appears with the first report of training, so that refused input leaves none behind.

    Args:
        wanted: The folder that the user named.
        default: What to take without one; numbered where it is taken.
        begun: The record until the run ends.
    """

    def __init__(self, wanted: Path | None, default: Path, begun: Mapping[str, Any]) -> None:
        self._wanted = wanted
        self._default = default
        self._begun = begun
        self._folder: Path | None = None

    @property
    def folder(self) -> Path:
        """The folder, which is made now if there is none yet."""
        if self._folder is None:
            self._folder = make_run_folder(self._wanted, self._default)
            write_record(self._folder, self._begun)
        return self._folder

    def keep(self, report: Mapping[str, Any]) -> None:
        """Add a report of training to the history."""
        with (self.folder / HISTORY_FILE).open("a", encoding="utf-8") as history:
            history.write(json.dumps(report) + "\n")

    def stop(self, status: str, cause: str) -> str:
        """Write how a run ended that did not finish.

        Returns:
            What is left behind, as a sentence.
        """
        if self._folder is None:
            return "Nothing was written."
        write_record(self._folder, {**self._begun, "status": status, "cause": cause})
        return f"{self._folder} holds no finished model and can be deleted."


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write or replace the record of a run."""
    write_json(folder / RECORD_FILE, record)


def read_record(folder: Path) -> dict[str, Any]:
    """Read the record of a finished run.

    Raises:
        RunFolderError: If there is none, it is damaged, or the run did not finish.
    """
    path = folder / RECORD_FILE
    try:
        record = read_json(path)
    except DataError:
        raise
    except FileNotFoundError as error:
        raise RunFolderError(
            f"{folder} is no run folder",
            expected=f"a file {RECORD_FILE} in it",
            remedy="Give a folder that 'zslearn run' has written.",
        ) from error
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} cannot be read", received=str(error), remedy="Run again.") from error
    status = record.get("status") if isinstance(record, dict) else None
    if status != "finished":
        raise RunFolderError(
            f"the run in {folder} did not finish",
            expected="status finished",
            received=f"status {status}",
            remedy="Delete the folder and run again.",
        )
    return record


def _make_numbered(default: Path) -> Path:
    number = 1
    while True:
        folder = default if number == 1 else default.with_name(f"{default.name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder
