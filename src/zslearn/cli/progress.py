"""Progress on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from zslearn.estimator import FitProgress

_QUIET_SECONDS = 10.0
_N_TERMS = 3


class ProgressReport:
    """Shows how a fit goes, and keeps its history.

    Args:
        keep: Takes every report, ready for JSON.
        history: The reports so far; new ones are added to it.
    """

    def __init__(self, keep: Callable[[dict[str, Any]], None], history: list[dict[str, Any]]) -> None:
        self.history = history
        self._keep = keep
        self._last = 0.0
        self._first: tuple[float, float] | None = None
        self._bar: Any = None

    def __enter__(self) -> Self:
        """Show the bar, on a terminal."""
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[terms]}"),
            )
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("starting", total=1.0, terms="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take it away."""
        if self._bar is not None:
            self._bar.stop()

    def update(self, progress: FitProgress) -> None:
        """Take one report from the fit."""
        training, entry = progress.training, progress.as_dict()
        self.history.append(entry)
        self._keep(entry)
        final = progress.part == progress.n_parts - 1
        label = "final training" if final else f"rehearsal {progress.part + 1}/{progress.n_parts - 1}"
        largest = sorted(training.terms.items(), key=lambda item: -abs(item[1]))[:_N_TERMS]
        terms = "  ".join(f"{name.partition('.')[2]} {value:.3g}" for name, value in largest)
        done = (progress.part + training.total_step / training.total_steps) / progress.n_parts
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description=label, terms=terms)
        elif time.monotonic() - self._last > _QUIET_SECONDS:
            self._last = time.monotonic()
            print(f"{100 * done:3.0f} %  {label}, {training.stage}: {terms}{self._time_left(done)}", file=sys.stderr)

    def _time_left(self, done: float) -> str:
        """Say how long the rest will take at the pace since the first report; a resumed run starts from there."""
        now = time.monotonic()
        if self._first is None:
            self._first = now, done
        started, done_then = self._first
        if done <= done_then:
            return ""
        return f"  about {(now - started) * (1 - done) / (done - done_then):.0f} s left"


class CountProgress:
    """Shows how many things of a known number are done.

    Args:
        things: What is counted, in the plural.
        total: How many there are; None where that turns out later.
    """

    def __init__(self, things: str, total: int | None) -> None:
        self._things = things
        self._total = total
        self._started = self._last = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Self:
        """Show the bar, on a terminal."""
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._things, total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take it away."""
        if self._bar is not None:
            self._bar.stop()

    def update(self, n_done: int, total: int | None = None) -> None:
        """Take the number of things that are done and, where it is new, of all."""
        self._total = total or self._total
        if self._bar is not None:
            self._bar.update(self._task, completed=n_done, total=self._total)
        elif time.monotonic() - self._last > _QUIET_SECONDS:
            self._last = time.monotonic()
            print(self._line(n_done), file=sys.stderr)

    def _line(self, n_done: int) -> str:
        if self._total is None or not n_done:
            return f"{n_done:,} {self._things}"
        left = (time.monotonic() - self._started) * (self._total - n_done) / n_done
        return f"{n_done:,} of {self._total:,} {self._things}, about {left:.0f} s left"
