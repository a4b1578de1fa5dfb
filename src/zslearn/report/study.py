"""What a report is made from: the runs of a run folder or an experiment folder, with the holes among them.

Folders may come from anywhere. Whatever is not as it should be becomes a hole with its cause, never an error halfway.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from zslearn.errors import RunFolderError
from zslearn.evaluation.metrics import METRIC_TITLES
from zslearn.experiments.layout import EXPERIMENT_FILE, record_path, sheet_path
from zslearn.limits import read_json
from zslearn.runs import RECORD_FILE, SHEET_FILE

_SPLIT_DIGITS: Final = 9

Figures = Mapping[str, float]
"""The five figures by name, fractions; NaN where there was nothing to measure."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One finished run, its figures checked; the rest of the record as it stands."""

    key: str
    """Its key in the experiment; empty for a run folder."""
    data: str
    """The data set's name."""
    split: str
    """``official`` or the number of a class split."""
    model: str
    """The model's name."""
    seed: int
    """The run's seed."""
    arm: str
    """The arm of an ablation or a sweep; empty where there is none."""
    marks: Mapping[str, Any]
    """Where settings come from, and what an arm changes."""
    plain: Figures
    """The five figures without label-shift correction, fractions."""
    corrected: Figures
    """The same with it."""
    references: Mapping[str, tuple[Figures, Figures]]
    """Plain and corrected figures of each closed form."""
    record: Mapping[str, Any]
    """The whole record."""
    sheet_path: Path
    """Where the sheet lies, if there is one."""

    @property
    def method(self) -> str:
        """What tables call model and arm together."""
        return _method(self.model, self.arm)

    @property
    def title(self) -> str:
        """Data, split, model, arm and seed in words."""
        return _title({name: getattr(self, name) for name in ("data", "split", "model", "arm", "seed")})

    @property
    def unit(self) -> tuple[str, int]:
        """What is measured alike in all methods: split and seed."""
        return self.split, self.seed

    @property
    def warnings(self) -> list[str]:
        """What the data's reader said to know before trusting results."""
        told = self.part("data").get("warnings")
        return [str(warning) for warning in told] if isinstance(told, list) else []

    def part(self, *names: str) -> Mapping[str, Any]:
        """Return a mapping of the record, found by the names on the way to it; an empty one where there is none."""
        found: Any = self.record
        for name in names:
            found = _mapping(found).get(name)
        return _mapping(found)

    def sheet(self) -> Mapping[str, Any] | None:
        """Read the run's sheet; None where it is missing or cannot be read."""
        sheet = _read(self.sheet_path)
        return sheet if isinstance(sheet, dict) else None


@dataclass(frozen=True, kw_only=True)
class Hole:
    """A run without figures."""

    title: str
    """Data, split, model, arm and seed in words."""
    data: str
    """The data set's name; empty where it is not known, as below."""
    split: str
    """``official`` or the number of a class split."""
    seed: str
    """The run's seed."""
    method: str
    """What tables call model and arm together."""
    status: str
    """``failed``, ``damaged``, ``running``, ``interrupted`` or ``not run``."""
    cause: str
    """Why."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """All runs that a report is about.

    Attributes:
        title: What it is called.
        note: What it is about; may be empty.
        kind: A single ``run``, or what the experiment is.
        command: What does it again; may be empty.
        runs: The finished runs.
        holes: The others.
    """

    title: str
    note: str
    kind: Literal["run", "grid", "ablation", "sweep"]
    command: str
    runs: tuple[Run, ...]
    holes: tuple[Hole, ...]

    @property
    def n_holes(self) -> Mapping[str, int]:
        """How many holes have which status, those that were not run last."""
        counted = Counter(hole.status for hole in self.holes)
        return {status: counted[status] for status in sorted(counted, key=lambda each: (each == "not run", each))}


def read_study(folder: Path) -> Study:
    """Read a run folder or an experiment folder.

    Raises:
        RunFolderError: If it is neither, or its description is damaged.
    """
    if (folder / EXPERIMENT_FILE).is_file():
        return _read_experiment(folder)
    if (folder / RECORD_FILE).is_file():
        return _read_run(folder)
    raise RunFolderError(
        f"there is nothing to report on in {folder}",
        expected=f"a folder with {EXPERIMENT_FILE} or {RECORD_FILE}",
        received="neither of them" if folder.is_dir() else "no folder of that name",
        remedy="Give a folder that 'zslearn run' or 'zslearn benchmark run' has written.",
    )


def _read_run(folder: Path) -> Study:
    record = _read(folder / RECORD_FILE)
    if not isinstance(record, dict):
        raise RunFolderError(f"{folder / RECORD_FILE} cannot be read", expected="a record in JSON", remedy="Run again.")
    run = _run(record, {}, "", folder / SHEET_FILE)
    if isinstance(run, Run):
        title, command = f"{run.method} on {run.data}", _text(record.get("command"))
        return Study(title=title, note="", kind="run", command=command, runs=(run,), holes=())
    return Study(title=run.title, note="", kind="run", command="", runs=(), holes=(run,))


def _read_experiment(folder: Path) -> Study:
    described = _read(folder / EXPERIMENT_FILE)
    jobs = described.get("jobs") if isinstance(described, dict) else None
    if not isinstance(described, dict) or not isinstance(jobs, list):
        raise RunFolderError(
            f"{folder / EXPERIMENT_FILE} cannot be read",
            expected="an experiment with its jobs, in JSON",
            remedy="Run the experiment again: finished runs are kept.",
        )
    runs: list[Run] = []
    holes: list[Hole] = []
    for job in jobs:
        entry = _read_job(folder, job if isinstance(job, dict) else {})
        (runs if isinstance(entry, Run) else holes).append(entry)  # type: ignore[arg-type]
    kind = described.get("kind")
    return Study(
        title=_text(described.get("title")) or _text(described.get("name")) or folder.name,
        note=_text(described.get("note")),
        kind=kind if kind in ("grid", "ablation", "sweep") else "grid",
        command=_text(described.get("command")),
        runs=tuple(runs),
        holes=tuple(holes),
    )


def _read_job(folder: Path, job: Mapping[str, Any]) -> Run | Hole:
    key = _text(job.get("key"))
    # A key becomes a file's name: one that is not a plain word could lead out of the folder.
    if not key.isalnum():
        return _hole(job, "damaged", f"its key {key!r} is not a hexadecimal number")
    path = record_path(folder, key)
    if not path.is_file():
        return _hole(job, "not run", "there is no record of it yet")
    record = _read(path)
    if not isinstance(record, dict):
        return _hole(job, "damaged", f"{path.name} cannot be read")
    return _run(record, job, key, sheet_path(folder, key))


def _run(record: Mapping[str, Any], job: Mapping[str, Any], key: str, sheet_path: Path) -> Run | Hole:
    facts = _mapping(record.get("data"))
    about = {**facts, **record, "data": facts.get("name"), **job}
    status = record.get("status")
    if status != "finished":
        return _hole(about, _text(status) or "damaged", _text(record.get("cause")) or "not told")
    try:
        return Run(
            key=key,
            data=_word(job.get("data") or facts["name"]),
            split=_split(job.get("split") or facts["split"]),
            model=_word(job.get("model") or record["model"]),
            seed=int(record["seed"]),
            arm=_text(job.get("arm")),
            marks=_mapping(job.get("marks")),
            plain=_figures(record["metrics"]),
            corrected=_figures(record["metrics_corrected"]),
            references={
                _word(name): (_figures(measured), _figures(measured["corrected"]))
                for name, measured in record["references"].items()
            },
            record=record,
            sheet_path=sheet_path,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return _hole(about, "damaged", f"the record lacks a usable {error}")


def _hole(job: Mapping[str, Any], status: str, cause: str) -> Hole:
    data, split = _text(job.get("data")), _text(job.get("split"))
    method = _method(_text(job.get("model")), _text(job.get("arm")))
    seed = "" if job.get("seed") is None else str(job["seed"])
    return Hole(title=_title(job), data=data, split=split, seed=seed, method=method, status=status, cause=cause)


def _method(model: str, arm: str) -> str:
    return f"{model}: {arm}" if arm else model


def _figures(measured: Mapping[str, Any]) -> Figures:
    return {name: math.nan if measured[name] is None else _share(measured[name]) for name in METRIC_TITLES}


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"share: {value!r}")
    return float(value)


def _title(job: Mapping[str, Any]) -> str:
    split, arm, seed = _text(job.get("split")), _text(job.get("arm")), job.get("seed")
    words = [_text(job.get("data")) or "unknown data", "" if split in ("", "official") else f"split {split}"]
    words += [_text(job.get("model")) or "unknown model", f"({arm})" if arm else ""]
    words += ["" if seed is None else f"seed {seed}"]
    return " ".join(filter(None, words))


def _read(path: Path) -> Any:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return None


def _word(value: Any) -> str:
    """Return a text that is not empty; numbers may stand for their digits."""
    if not isinstance(value, str | int) or value == "":
        raise TypeError(repr(value))
    return str(value)


def _split(value: Any) -> str:
    """Return the name of a split: ``official``, or a number of a few digits."""
    word = _word(value)
    if word != "official" and not (word.isascii() and word.isdecimal() and len(word) <= _SPLIT_DIGITS):
        raise ValueError(f"split: {word[:40]!r}")
    return word


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def split_words(splits: Sequence[str]) -> str:
    """Say which splits these are, in a few words."""
    numbers = sorted({int(split) for split in splits if split != "official"})
    words = ["official split"] if "official" in splits else []
    if numbers:
        whole = len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1))
        told = f"{numbers[0]} to {numbers[-1]}" if whole else ", ".join(map(str, numbers))
        words.append(f"class split{'s' if len(numbers) > 1 else ''} {told}")
    return " and ".join(words)
