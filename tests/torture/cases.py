"""Commands in forked worker processes, under limits, and what is allowed to come of them."""

from __future__ import annotations

import contextlib
import io
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow  # noqa: F401  (imported once, before the workers are forked)
import torch

import zslearn.estimator
import zslearn.records
import zslearn.report.pictures  # noqa: F401
from zslearn.cli import main

CPU_SECONDS = 10
WALL_SECONDS = 120
"""A worker that waits for other processes of a busy machine is no hang; one that waits for ever is."""
MEMORY = 1 << 30
_REMEDY = re.compile(r"[.?)] [A-Z'].*\S$")
_NEXT_LINE = "\n        -> "
_EVENTS = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "pickle.find_class", "socket.connect")


@dataclass
class Outcome:
    """How a worker ended."""

    code: int
    output: str
    seconds: float
    memory: int


@dataclass
class Figures:
    """Counts of one part of the torture, and whatever should not have happened."""

    name: str
    counts: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def count(self, name: str, number: float = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + number

    def problem(self, text: str) -> None:
        self.problems.append(text)

    def __str__(self) -> str:
        lines = [self.name, *(f"  {number:>8g}  {name}" for name, number in self.counts.items())]
        lines += [f"  PROBLEM  {problem}" for problem in self.problems[:20]]
        return "\n".join([*lines, f"  {len(self.problems):>8}  problems"])


def forked(action: Callable[[], int], output: Path, *, limited: bool = True) -> int:
    """Start an action in a forked process; its standard streams go to a file."""
    process = os.fork()
    if process:
        return process
    code = 99
    try:
        with output.open("w", encoding="utf-8", errors="backslashreplace") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            sys.stdout, sys.stderr = file, file
            if limited:
                # What can be written to: V8, which puts reports together, reserves far more addresses than it uses.
                in_use = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_DATA, (in_use + MEMORY, in_use + MEMORY))
                resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
            try:
                code = action()
            except BaseException:
                traceback.print_exc(file=file)
    except BaseException:
        # Not even the output can be written; the code tells.
        code = 99
    finally:
        os._exit(code)


def finished(process: int, output: Path, started: float) -> Outcome | None:
    """Return how a worker ended, or None while it runs; one that runs too long is killed."""
    ended, status, used = os.wait4(process, os.WNOHANG)
    if not ended:
        if time.monotonic() - started > WALL_SECONDS:
            os.kill(process, signal.SIGKILL)
        return None
    code = os.waitstatus_to_exitcode(status)
    text = output.read_text(encoding="utf-8", errors="replace")
    return Outcome(code, text, time.monotonic() - started, used.ru_maxrss * 1024)


def command(words: Sequence[object], folder: Path) -> Callable[[], int]:
    """Return an action that runs a command in a folder and reports what it must not do."""

    def act() -> int:
        def watch(event: str, _: object) -> None:
            if event in _EVENTS:
                print(f"FORBIDDEN {event}", file=sys.stderr)

        sys.addaudithook(watch)
        os.chdir(folder)
        tempfile.tempdir = str(folder)
        torch.set_num_threads(1)
        return main([str(word) for word in words])

    return act


def run_all(
    jobs: Iterable[tuple[str, Callable[[Path], Callable[[], int]]]], n_workers: int, scratch: Path
) -> Iterator[tuple[str, Path, Outcome]]:
    """Run jobs, several at a time, each in a folder of its own that is removed afterwards.

    Args:
        jobs: A name, and what prepares the given folder and returns the action.
        n_workers: How many at a time.
        scratch: Where the folders go.

    Yields:
        The name, the folder and how it ended.
    """
    waiting, running, number = iter(jobs), {}, 0
    exhausted = False
    while running or not exhausted:
        while not exhausted and len(running) < n_workers:
            job = next(waiting, None)
            if job is None:
                exhausted = True
                break
            name, prepare = job
            folder = scratch / f"case-{number}"
            folder.mkdir()
            output = scratch / f"case-{number}.txt"
            number += 1
            action = prepare(folder)
            running[forked(action, output)] = (name, folder, output, time.monotonic())
        for process, (name, folder, output, started) in list(running.items()):
            outcome = finished(process, output, started)
            if outcome is not None:
                del running[process]
                yield name, folder, outcome
                shutil.rmtree(folder, ignore_errors=True)
                output.unlink()
        time.sleep(0.002)


def judge(name: str, outcome: Outcome, figures: Figures) -> None:
    """Count how a command ended, and note what it must not do."""
    figures.counts["largest memory in MB"] = max(figures.counts.get("largest memory in MB", 0), outcome.memory >> 20)
    figures.counts["longest in seconds"] = round(max(figures.counts.get("longest in seconds", 0), outcome.seconds), 1)
    if outcome.code < 0:
        kind = {-signal.SIGXCPU: "hang", -signal.SIGKILL: "hang"}.get(outcome.code, "crash")
        figures.problem(f"{name}: {kind} (signal {-outcome.code}) {outcome.output[-300:]}")
        return
    if "Traceback" in outcome.output or outcome.code not in (0, 1, 2):
        figures.problem(f"{name}: traceback or code {outcome.code}: {outcome.output[-700:]}")
    if "FORBIDDEN" in outcome.output:
        figures.problem(f"{name}: {outcome.output[-300:]}")
    if outcome.memory > MEMORY:
        figures.problem(f"{name}: {outcome.memory >> 20} MB")
    if outcome.code in (1, 2):
        figures.count("refused")
        last = outcome.output.rstrip("\n").rpartition("\n")[2]
        # 'data check' reports all errors that it finds, each with its remedy on a line of its own.
        reported = "cannot be used before the errors are put right" in last and _NEXT_LINE in outcome.output
        if not last.startswith("error: ") and not reported:
            figures.problem(f"{name}: no error line: {outcome.output[-300:]!r}")
        elif not reported and not _REMEDY.search(last):
            figures.problem(f"{name}: no remedy: {last}")
    elif outcome.code == 0:
        figures.count("accepted")


def quietly(words: Sequence[object]) -> int:
    """Run a command in this process and keep its output to itself unless it fails."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(word) for word in words])
    if code:
        raise RuntimeError(f"{words}: {err.getvalue()}")
    return code
