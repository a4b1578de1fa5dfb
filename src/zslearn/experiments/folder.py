"""Experiment folders: what is planned, a record and a sheet for each run, and the journals of searches."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from zslearn.errors import RunFolderError
from zslearn.evaluation.metrics import METRIC_TITLES
from zslearn.experiments.experiment import Experiment
from zslearn.experiments.jobs import Job
from zslearn.experiments.layout import EXPERIMENT_FILE, RECORDS, SEARCHES, SHEETS, journal_path, record_path, sheet_path
from zslearn.files import write_json
from zslearn.limits import read_json
from zslearn.locks import FolderLock, is_free, told_as

EXPERIMENT_VERSION = 1
FINISHED, FAILED, MISSING = "finished", "failed", "missing"
_JOB_FIELDS = {"key", "data", "split", "model", "arm", "seed", "marks"}


class ExperimentFolder:
    """The folder of one experiment.

    Args:
        path: Where it is.
        plan: What ``experiment.json`` holds.
    """

    def __init__(self, path: Path, plan: Mapping[str, Any]) -> None:
        self.path = path
        self.plan = plan

    @classmethod
    @contextlib.contextmanager
    def held(cls, path: Path, experiment: Experiment, jobs: Sequence[Job], command: str) -> Iterator[ExperimentFolder]:
        """Prepare the folder of an experiment and hold it, so that no other run changes its plan or works in it.

        The arguments are those of ``prepare``.

        Raises:
            RunFolderError: As ``prepare`` does, and if another run holds the folder.
        """
        _check_is_ours(path, experiment)
        with _making(path):
            path.mkdir(parents=True, exist_ok=True)
            lock = FolderLock(path)
        try:
            yield cls.prepare(path, experiment, jobs, command)
        finally:
            lock.release()

    @classmethod
    def prepare(cls, path: Path, experiment: Experiment, jobs: Sequence[Job], command: str) -> ExperimentFolder:
        """Make the folder of an experiment, or take up the one that is there.

        Records of an earlier run stay; those that the experiment no longer asks for are not looked at.

        Args:
            path: Where.
            experiment: What is run.
            jobs: Its runs.
            command: How to run it again.

        Raises:
            RunFolderError: If the folder holds something else, or cannot be made.
        """
        _check_is_ours(path, experiment)
        plan = {
            "experiment_version": EXPERIMENT_VERSION,
            "name": experiment.name,
            "title": experiment.title,
            "note": experiment.note,
            "kind": experiment.kind,
            "command": command,
            "rehearse": experiment.rehearse,
            "search": {"trials": experiment.trials, "objective": experiment.objective} if experiment.trials else None,
            "jobs": [job.entry() for job in jobs],
        }
        with _making(path):
            for folder in (path, path / RECORDS, path / SHEETS, path / SEARCHES):
                folder.mkdir(parents=True, exist_ok=True)
            write_json(path / EXPERIMENT_FILE, plan)
        return cls(path, plan)

    @classmethod
    def open(cls, path: Path) -> ExperimentFolder:
        """Open the folder of an experiment.

        Raises:
            RunFolderError: If it is not an experiment folder, or its plan is damaged.
        """
        file = path / EXPERIMENT_FILE
        try:
            plan = read_json(file)
        except FileNotFoundError as error:
            raise RunFolderError(
                f"{path} is not an experiment folder",
                expected=f"a file {EXPERIMENT_FILE} in it",
                remedy="Give a folder that 'zslearn benchmark run' has written.",
            ) from error
        except (OSError, ValueError) as error:
            raise RunFolderError(
                f"{file} cannot be read", received=str(error), remedy="Run the experiment in another folder."
            ) from error
        if not isinstance(plan, dict) or plan.get("experiment_version") != EXPERIMENT_VERSION:
            version = plan.get("experiment_version") if isinstance(plan, dict) else None
            raise RunFolderError(
                f"{file} is not of this version",
                expected=f"experiment_version {EXPERIMENT_VERSION}",
                received=str(version),
                remedy="Run the experiment in another folder.",
            )
        if not _is_whole_plan(plan):
            raise RunFolderError(
                f"{file} is damaged",
                expected="a name, a title, a kind, a command and a list of jobs, each described in full",
                remedy="Run the experiment in another folder.",
            )
        return cls(path, plan)

    def record_path(self, key: str) -> Path:
        """Return where the record of a run is."""
        return record_path(self.path, key)

    def journal_path(self, key: str) -> Path:
        """Return where the journal of a search is."""
        return journal_path(self.path, key)

    def write(self, key: str, record: Mapping[str, Any]) -> None:
        """Write the record of a run, atomically; its sheet, which only reports read, goes to a file of its own."""
        told = dict(record)
        sheet = told.pop("sheet", None)
        if sheet is not None:
            write_json(sheet_path(self.path, key), sheet, indent=None)
        write_json(self.record_path(key), told)

    def read(self, key: str) -> dict[str, Any] | None:
        """Return the record of a run; None where it is missing or cannot be read.

        Raises:
            RunFolderError: If it says that the run finished, and lacks what tables read of it.
        """
        path = self.record_path(key)
        try:
            record = read_json(path)
        except (OSError, ValueError):
            return None
        if not isinstance(record, dict) or record.get("status") not in (FINISHED, FAILED):
            return None
        if record["status"] == FINISHED and not _is_whole(record):
            raise RunFolderError(
                f"{path.name} is damaged",
                expected="figures, references, seconds and what was chosen, as a finished run leaves them",
                remedy="Remove it from the folder of records, and run the experiment again.",
            )
        return record

    def records(self) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
        """Yield every planned job with its record, where there is one."""
        for job in self.plan["jobs"]:
            yield job, self.read(job["key"])

    def status(self) -> list[dict[str, Any]]:
        """Return every planned job with its status, cause of failure and main figures."""
        lines = []
        for job, record in self.records():
            line = {**job, "status": MISSING if record is None else record["status"]}
            if record is not None and record["status"] == FAILED:
                line["cause"] = record.get("cause", "unknown")
            elif record is not None:
                line |= {name: record[name] for name in ("metrics", "metrics_corrected")}
                line["rehearsed"] = rehearsed(record)
                line["seconds"] = sum(record["seconds"].values())
            lines.append(line)
        return lines


def rehearsed(record: Mapping[str, Any]) -> bool:
    """Whether a finished run was rehearsed, so that U, S and H are corrected for label shift."""
    return bool(record["selection"]["rehearsal"])


def counted(status: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many jobs are finished, failed and missing."""
    counts = Counter(line["status"] for line in status)
    return {name: counts[name] for name in (FINISHED, FAILED, MISSING)}


def _is_whole_plan(plan: Mapping[str, Any]) -> bool:
    jobs = plan.get("jobs")
    return (
        all(isinstance(plan.get(name), str) for name in ("name", "title", "kind", "command"))
        and isinstance(jobs, list)
        and all(isinstance(job, dict) and job.keys() >= _JOB_FIELDS and isinstance(job["marks"], dict) for job in jobs)
    )


def _is_whole(record: Mapping[str, Any]) -> bool:
    """Whether the record of a finished run holds what tables read of it."""
    parts = ("metrics", "metrics_corrected", "references", "seconds", "selection")
    if not all(isinstance(record.get(name), dict) for name in parts):
        return False
    measured = [record["metrics"], record["metrics_corrected"]]
    measured += [isinstance(each, dict) and each.get("corrected") for each in record["references"].values()]
    chosen_on_test = record.get("test_selected")
    return (
        all(_are_figures(figures, METRIC_TITLES) for figures in measured)
        and (chosen_on_test is None or _are_figures(chosen_on_test, ("t1", "h")))
        and all(isinstance(value, int | float) for value in record["seconds"].values())
        and "rehearsal" in record["selection"]
    )


def _are_figures(figures: Any, names: Iterable[str]) -> bool:
    return isinstance(figures, dict) and all(
        name in figures and isinstance(figures[name], int | float | None) for name in names
    )


def _check_is_ours(path: Path, experiment: Experiment) -> None:
    """Refuse a folder of something else."""
    if (path / EXPERIMENT_FILE).exists():
        name = ExperimentFolder.open(path).plan["name"]
        if name != experiment.name:
            raise RunFolderError(
                f"{path} holds another experiment",
                expected=f"the experiment {experiment.name}",
                received=f"the experiment {name}",
                remedy="Name another folder with --out.",
            )
    elif not is_free(path):
        raise RunFolderError(
            f"{path} exists already and is not an experiment folder",
            expected="a new or empty folder, or that of this experiment",
            remedy="Name another folder with --out.",
        )


def _making(path: Path) -> AbstractContextManager[None]:
    what = f"the experiment folder {path} cannot be made"
    return told_as(what, remedy="Name a folder that you may write to with --out.")
