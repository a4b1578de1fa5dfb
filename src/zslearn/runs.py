"""Run folders: made once, never overwritten, and always telling what state they are in."""

from __future__ import annotations

import contextlib
import itertools
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from zslearn.errors import DataError, RunFolderError
from zslearn.files import remove_unfinished, write_bytes, write_json
from zslearn.limits import read_json
from zslearn.locks import FolderLock, is_free, told_as

RECORD_FILE = "record.json"
HISTORY_FILE = "history.jsonl"
SHEET_FILE = "sheet.json"
"""The sheet's name in a run folder; in an experiment folder it is ``sheets/KEY.json``."""


def make_run_folder(wanted: Path | None, default: Path) -> Path:
    """Make the folder of a new run.

    Args:
        wanted: The folder that the user named; it may exist if it is empty.
        default: What to take without one; numbered where it is taken.

    Raises:
        RunFolderError: If the wanted folder is not empty, or the folder cannot be made.
    """
    check_run_folder(wanted)
    what = f"the run folder {wanted or default} cannot be made"
    with told_as(what, remedy="Name a folder that you may write to with --out."):
        if wanted is None:
            return _make_numbered(default)
        wanted.mkdir(parents=True, exist_ok=True)
        return wanted


def check_run_folder(wanted: Path | None) -> None:
    """Refuse a wanted run folder that is not empty, before anything costly happens.

    Raises:
        RunFolderError: If it exists and is not empty.
    """
    if wanted is not None and not is_free(wanted):
        raise RunFolderError(
            f"{wanted} exists already and is not an empty folder",
            expected="a new or empty folder",
            remedy="Name another folder with --out.",
        )


class RunInProgress:
    """A run while it trains, and the only one in its folder.

    Its folder appears with the first report of training, so that refused input leaves none behind.

    Args:
        wanted: The folder that the user named.
        default: What to take without one; numbered where it is taken.
        begun: The record until the run ends.
    """

    def __init__(self, wanted: Path | None, default: Path, begun: Mapping[str, Any]) -> None:
        self.begun = dict(begun)
        """The record until the run ends: what was asked for, and on what it runs."""
        self._wanted = wanted
        self._default = default
        self._folder: Path | None = None
        self._lock: FolderLock | None = None

    @classmethod
    def reopen(cls, folder: Path) -> Self:
        """Take up a run that stopped; nothing is changed yet.

        Raises:
            RunFolderError: If there is no run, or it is finished, damaged or still running.
        """
        _read_begun(folder)
        lock = _locked(folder)
        try:
            # Read again: now nobody else can change it.
            run = cls(folder, folder, _read_begun(folder))
        except BaseException:
            lock.release()
            raise
        run._folder, run._lock = folder, lock
        return run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.release()

    @property
    def folder(self) -> Path:
        """The folder, which is made and locked now if it does not exist yet."""
        if self._folder is None:
            folder = make_run_folder(self._wanted, self._default)
            self._lock = _locked(folder)
            # Between the two, another run may have come and gone.
            check_run_folder(folder)
            self._folder = folder
            write_record(folder, self.begun)
        return self._folder

    @property
    def default(self) -> Path:
        """The folder, or the one that would be taken."""
        return self._folder or self._default

    def go_on(self, changes: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> None:
        """Note that the run is resumed, and bring its history to where its saved state is.

        Args:
            changes: What of ``begun`` is no longer so.
            history: The reports until the saved state.
        """
        remove_unfinished(self.folder)
        self.begun |= changes
        self.begun["status"] = "running"
        self.begun.pop("cause", None)
        write_bytes(self.folder / HISTORY_FILE, "".join(map(_line, history)).encode())
        write_record(self.folder, self.begun)

    def keep(self, report: Mapping[str, Any]) -> None:
        """Add a report of training to the history."""
        with (self.folder / HISTORY_FILE).open("a", encoding="utf-8") as history:
            history.write(_line(report))

    def stop(self, status: str, cause: str) -> str:
        """Write how a run ended that did not finish.

        Returns:
            What is left behind and how to go on, as a sentence.
        """
        if self._folder is None:
            return "Nothing was written."
        # On a full disk the record goes on saying that it runs, which is as good for resuming.
        with contextlib.suppress(OSError):
            write_record(self._folder, {**self.begun, "status": status, "cause": cause})
        return f"Go on with: zslearn run --resume {shlex.quote(str(self._folder))}"


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes from changing a run's folder, or a saved model's, at the same time.

    Raises:
        RunFolderError: If there is no such folder, another process holds it, or it cannot be written.
    """
    if not folder.is_dir():
        raise RunFolderError(
            f"there is no folder {folder}", remedy="Give the folder of a finished run, or of a saved model."
        )
    lock = _locked(folder)
    try:
        yield
    finally:
        lock.release()


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write or replace the record of a run."""
    write_json(folder / RECORD_FILE, record)


def read_record(folder: Path) -> dict[str, Any]:
    """Read the record of a finished run.

    Raises:
        RunFolderError: If there is no record, it is damaged, or the run did not finish.
    """
    record = _read(folder)
    if record["status"] != "finished":
        raise RunFolderError(
            f"the run in {folder} did not finish",
            expected="status finished",
            received=f"status {record['status']}",
            remedy=f"Go on with: zslearn run --resume {shlex.quote(str(folder))}",
        )
    return record


def is_finished(folder: Path) -> bool:
    """Return whether a folder holds a run that is finished.

    Raises:
        RunFolderError: If it does not hold a run, or holds a damaged one.
    """
    finished: bool = _read(folder)["status"] == "finished"
    return finished


def _read(folder: Path) -> dict[str, Any]:
    path = folder / RECORD_FILE
    try:
        record = read_json(path)
    except DataError:
        raise
    except FileNotFoundError as error:
        raise RunFolderError(
            f"{folder} is not a run folder",
            expected=f"a file {RECORD_FILE} in it",
            remedy="Give a folder that 'zslearn run' has written.",
        ) from error
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} cannot be read", received=str(error), remedy="Run again.") from error
    if not isinstance(record, dict) or not isinstance(record.get("status"), str):
        raise RunFolderError(f"{path} cannot be read", expected="a record with a status", remedy="Run again.")
    return record


def _read_begun(folder: Path) -> dict[str, Any]:
    """Read what a run that stopped had been asked for."""
    record = _read(folder)
    match record:
        case {"status": "finished"}:
            raise RunFolderError(f"the run in {folder} is finished", remedy="Run again in another folder.")
        case {
            "data": {
                "checksum": str(),
                "split": str(),
                "asked_for": {"data": str(), "features": str() | None, "semantics": str() | None},
            },
            "model": str(),
            "settings": dict(),
            "seed": int(),
            "command": str(),
            "device": str(),
            "versions": dict(),
            "hardware": dict(),
            "resumed": int(),
            "hardware_changes": list(),
        }:
            return record
    raise RunFolderError(
        f"the run in {folder} cannot be resumed",
        expected="a record that says what was asked for",
        received="another one, perhaps of an older version of zslearn",
        remedy="Run again in another folder.",
    )


def _locked(folder: Path) -> FolderLock:
    with told_as(f"the run folder {folder} cannot be written", remedy="Give yourself the right to write there."):
        return FolderLock(folder)


def _line(report: Mapping[str, Any]) -> str:
    return json.dumps(report) + "\n"


def default_folder(data: str, split: str, model: str, seeds: str) -> Path:
    """Return where a run goes unless it is told: ``runs/DATA-MODEL-sSEED``, with a class split behind the data."""
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in data)
    part = "" if split == "official" else f"-split{split}"
    return Path("runs") / f"{safe}{part}-{model}-s{seeds}"


def free_folder(default: Path) -> Path:
    """Return a folder that is not there yet: the default, numbered where it is taken."""
    return next(folder for folder in _numbered(default) if not folder.exists())


def _make_numbered(default: Path) -> Path:
    for folder in _numbered(default):
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise AssertionError


def _numbered(default: Path) -> Iterator[Path]:
    yield default
    yield from (default.with_name(f"{default.name}-{number}") for number in itertools.count(2))
