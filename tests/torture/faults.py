"""Faults of the disk at every write point: what was there before stays readable."""

from __future__ import annotations

import errno
import io
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torture.cases import Figures, Outcome, command, judge, quietly, run_all
from torture.material import TINY, Material
from zslearn.estimator import GenerativeZSL

_MOST_POINTS = 400
OLD = b"old"
"""An output that was there before."""


class _Armed:
    """Raises an error at the n-th call of a function or method, and lets the others pass."""

    def __init__(self, function: Callable[..., Any], number: int, code: int, note: Path) -> None:
        self._function, self._left, self._code, self._note = function, number, code, note

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            self._note.touch()
            raise OSError(self._code, os.strerror(self._code))
        return self._function(*arguments, **options)

    def __get__(self, instance: Any, owner: type) -> Callable[..., Any]:
        return partial(self, instance)


@dataclass(frozen=True)
class Fault:
    """A kind of fault: which function of which module or class fails with which error."""

    name: str
    module: Any
    function: str
    code: int


FAULTS = (
    Fault("no space when a file is made", Path, "touch", errno.ENOSPC),
    Fault("no permission to make a file", Path, "touch", errno.EACCES),
    Fault("read-only when a file is made", Path, "touch", errno.EROFS),
    Fault("input/output error at fsync", os, "fsync", errno.EIO),
    Fault("no space at fsync", os, "fsync", errno.ENOSPC),
    Fault("no permission to rename", os, "replace", errno.EACCES),
)


@dataclass(frozen=True)
class Operation:
    """A command that writes, and what must be true after it failed.

    Attributes:
        name: What it does.
        words: The command, for a folder.
        ready: Prepares the folder.
        whole: Says what is wrong with the folder afterwards; an empty text where nothing is.
    """

    name: str
    words: Callable[[Path], Sequence[object]]
    ready: Callable[[Path], object]
    whole: Callable[[Path, Outcome], str]


def faults(material: Material, n_points: int, n_workers: int, scratch: Path) -> Figures:
    """Let every write of every operation fail in every way, up to ``n_points`` points each."""
    figures = Figures("faults of the disk at every write point")
    for operation in _operations(material, scratch):
        for fault in FAULTS:
            inject(operation, fault, n_points, n_workers, scratch, figures)
        _cut_short(operation, n_points, n_workers, scratch, figures)
    return figures


def inject(operation: Operation, fault: Fault, n_points: int, n_workers: int, scratch: Path, figures: Figures) -> None:
    """Let the n-th call fail, for every n until the operation makes fewer calls; it is a problem if it makes none."""
    for start in range(1, min(n_points, _MOST_POINTS) + 1, n_workers):
        numbers = range(start, min(start + n_workers, n_points + 1))
        jobs = [(str(number), _armed(operation, fault, number)) for number in numbers]
        reached = False
        for number, folder, outcome in run_all(jobs, n_workers, scratch):
            if (folder / "fault").exists():
                reached = True
                figures.count(fault.name)
                _check(f"{operation.name}, {fault.name}, call {number}", operation, folder, outcome, figures)
        if not reached:
            if start == 1:
                figures.problem(f"{operation.name}, {fault.name}: was never reached; {outcome.output[-200:]}")
            return


def _cut_short(operation: Operation, n_points: int, n_workers: int, scratch: Path, figures: Figures) -> None:
    """Let the disk end in the middle of a file, for many sizes."""
    sizes = sorted({int(1.6**power) for power in range(1, 40)})[: max(4, n_points)]

    def jobs() -> Any:
        for size in sizes:
            yield str(size), lambda folder, size=size: _limited(operation, size, folder)

    for size, folder, outcome in run_all(jobs(), n_workers, scratch):
        if outcome.code:
            figures.count("writes that were cut short")
            _check(f"{operation.name}, disk ends after {size} bytes", operation, folder, outcome, figures)


def _check(name: str, operation: Operation, folder: Path, outcome: Outcome, figures: Figures) -> None:
    judge(name, outcome, Figures("") if outcome.code == 0 else figures)
    wrong = operation.whole(folder, outcome)
    if wrong:
        figures.problem(f"{name}: {wrong}; {outcome.output[-200:]}")
    else:
        figures.count("previous states that are readable")
    left = [path for path in folder.rglob(".*unfinished*") if "case-" in str(path)]
    if left:
        figures.problem(f"{name}: left behind {left[:3]}")


def _armed(operation: Operation, fault: Fault, number: int) -> Callable[[Path], Callable[[], int]]:
    def prepare(folder: Path) -> Callable[[], int]:
        operation.ready(folder)
        action = command(operation.words(folder), folder)

        def act() -> int:
            function = getattr(fault.module, fault.function)
            setattr(fault.module, fault.function, _Armed(function, number, fault.code, folder / "fault"))
            return action()

        return act

    return prepare


def _limited(operation: Operation, size: int, folder: Path) -> Callable[[], int]:
    operation.ready(folder)
    action = command(operation.words(folder), folder)

    def act() -> int:
        # What the command says would end the same way.
        kept, said = sys.stderr, io.StringIO()
        sys.stdout = sys.stderr = said
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        try:
            code = action()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            sys.stdout = sys.stderr = kept
            print(said.getvalue(), end="", file=kept)
        return code

    return act


def output_whole(name: str, new: bytes) -> Callable[[Path, Outcome], str]:
    """Return what says whether an output is the old one or, in all its bytes, the new; after success, only the new."""

    def whole(folder: Path, outcome: Outcome) -> str:
        content = (folder / name).read_bytes()
        if content == new or (outcome.code and content == OLD):
            return ""
        return f"the output is neither the old nor the new: {len(content)} bytes, and the new has {len(new)}"

    return whole


def _operations(material: Material, scratch: Path) -> tuple[Operation, ...]:
    reference = {path.name: path.read_bytes() for path in material.run.iterdir() if path.is_file()}

    def run_ready(folder: Path) -> None:
        shutil.copytree(material.stopped, folder / "run")

    def run_whole(folder: Path, outcome: Outcome) -> str:
        """A run that failed can be resumed: its record and at least one of its states are whole."""
        from zslearn.runs import is_finished
        from zslearn.training.checkpoint import Checkpoints

        run = folder / "run"
        if is_finished(run):
            return "" if (run / "model.safetensors").read_bytes() == reference["model.safetensors"] else "other bits"
        checkpoints = Checkpoints(lambda: run)
        checkpoints.load()
        return "" if checkpoints.history else "no state is readable"

    def new_run_whole(folder: Path, outcome: Outcome) -> str:
        from zslearn.runs import is_finished

        run = folder / "run"
        if (run / "record.json").exists():
            is_finished(run)
        return ""

    def writing(title: str, name: str, words: Sequence[object]) -> Operation:
        """A command that replaces one file."""
        quietly([*words, "-o", scratch / name])
        return Operation(
            title,
            lambda folder: [*words, "-o", folder / name],
            lambda folder: (folder / name).write_bytes(OLD),
            output_whole(name, (scratch / name).read_bytes()),
        )

    def model_ready(folder: Path) -> None:
        shutil.copytree(material.run, folder / "run")

    def model_whole(folder: Path, outcome: Outcome) -> str:
        GenerativeZSL.load(folder / "run")
        return ""

    return (
        Operation(
            "resuming a run",
            lambda folder: ["run", "--resume", folder / "run", "--checkpoint-every", "0"],
            run_ready,
            run_whole,
        ),
        Operation(
            "a new run",
            lambda folder: ["run", "--data", material.data, "--out", folder / "run", *TINY],
            lambda folder: None,
            new_run_whole,
        ),
        writing("predicting", "answers.csv", ["predict", material.run, material.rows / "rows.npy"]),
        writing("synthesizing", "drawn.npz", ["synthesize", material.run, "--classes", "kind 1", "-n", "9"]),
        Operation(
            "changing a model's classes",
            lambda folder: ["classes", folder / "run", "drop", "kind 1"],
            model_ready,
            model_whole,
        ),
    )
