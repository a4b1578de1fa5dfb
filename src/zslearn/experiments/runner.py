"""The runner: what is missing of an experiment is executed, and every answer is kept at once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zslearn.errors import ZslearnError
from zslearn.experiments.engines import Engine
from zslearn.experiments.execution import RunTask, Task, TrialTask, failure
from zslearn.experiments.folder import FAILED, ExperimentFolder
from zslearn.experiments.jobs import Job
from zslearn.experiments.search import Search
from zslearn.tracking import Log


@dataclass(frozen=True, kw_only=True)
class Advance:
    """How an experiment goes on.

    Attributes:
        title: What has just ended; empty at the start.
        cause: Why it failed, if it did.
        seconds: How long it took, in seconds.
        n_done: Runs and trials that have ended since the start.
        n_total: Runs and trials that were missing at the start.
        seconds_left: How many seconds the rest takes if it goes on like this; None while nobody can tell.
    """

    title: str = ""
    cause: str | None = None
    seconds: float = 0.0
    n_done: int = 0
    n_total: int
    seconds_left: float | None = None


def run_missing(
    jobs: Sequence[Job],
    folder: ExperimentFolder,
    engine: Engine,
    *,
    retry: bool = False,
    on_advance: Callable[[Advance], None] | None = None,
    log: Log | None = None,
) -> None:
    """Execute what has no record yet: searches first, then the runs that take their choices on.

    Args:
        jobs: The runs of the experiment.
        folder: Where records and journals are.
        engine: Who executes; it is entered and left here.
        retry: Whether runs that failed are executed again, and searches of which every trial failed.
        on_advance: Told of every run and trial that ends.
        log: A tracker's hook: told the metrics of every run that finishes, and their number.

    Raises:
        MissingExtraError: If there is something to search and optuna is not installed.
        RunFolderError: If a record or the journal of a search is damaged.
    """
    missing = [job for job in jobs if _is_missing(folder, job, retry)]
    course = _Course(missing, folder, retry, on_advance, log)
    with engine:
        course.start()
        while course.waiting or engine.busy:
            while course.waiting and engine.room:
                engine.submit(course.waiting.popleft())
            course.take(*engine.next())


def _is_missing(folder: ExperimentFolder, job: Job, retry: bool) -> bool:
    record = folder.read(job.key)
    return record is None or (retry and record["status"] == FAILED)


class _Course:
    """The tasks of an experiment in the order of their dependence, and the keeping of their answers."""

    def __init__(
        self,
        jobs: Sequence[Job],
        folder: ExperimentFolder,
        retry: bool,
        on_advance: Callable[[Advance], None] | None,
        log: Log | None,
    ) -> None:
        self.waiting: deque[Task] = deque()
        self._folder = folder
        self._on_advance = on_advance
        self._log = log
        self._searches: dict[str, Search] = {}
        self._searching: dict[str, list[Job]] = {}
        self._ready = []
        for job in jobs:
            if job.study is None:
                self._ready.append(RunTask(job=job))
            else:
                self._searching.setdefault(job.study.key, []).append(job)
                if job.study.key not in self._searches:
                    self._searches[job.study.key] = Search(job.study, folder.journal_path(job.study.key))
        for search in self._searches.values():
            if retry and search.failed:
                search.begin_again()
        n_trials = sum(max(0, search.study.trials - search.n_done) for search in self._searches.values())
        self._n_total = len(jobs) + n_trials
        self._n_done = self._n_finished = 0

    def start(self) -> None:
        """Make the first tasks; searches go first, because runs wait for them."""
        self._started = time.monotonic()
        for key in self._searches:
            self._go_on(key)
        self.waiting.extend(self._ready)
        self._tell("", None, 0.0)

    def take(self, task: Task, answer: dict[str, object]) -> None:
        """Keep an answer, and make the tasks that it makes possible."""
        cause = None if answer["status"] == "finished" else str(answer["cause"])
        self._n_done += 1
        seconds = 0.0
        if isinstance(task, TrialTask):
            self._searches[task.study.key].tell(answer)
            self._go_on(task.study.key)
        else:
            self._keep(task.job, answer)
            seconds = _seconds(answer)
        self._tell(task.title, cause, seconds)

    def _go_on(self, key: str) -> None:
        """Make the next trial of a search, or the runs that wait for its end."""
        search = self._searches[key]
        if not search.done:
            self.waiting.appendleft(TrialTask(study=search.study, number=search.n_done, chosen=search.ask()))
            return
        jobs = self._searching.pop(key)
        try:
            chosen, facts = search.best(), search.facts()
        except ZslearnError as error:
            for job in jobs:
                self._keep(job, failure(str(error)))
                self._n_done += 1
                self._tell(job.title, str(error), 0.0)
            return
        self.waiting.extend(
            RunTask(job=job, chosen=chosen, searched=facts, trials=search.trials() if job.test_selected else ())
            for job in jobs
        )

    def _keep(self, job: Job, answer: dict[str, object]) -> None:
        if answer["status"] == "finished":
            self._folder.write(job.key, answer)
            self._n_finished += 1
            if self._log is not None:
                metrics = answer["metrics_corrected" if job.rehearse else "metrics"]
                assert isinstance(metrics, dict)
                self._log({f"{job.title}/{name}": value for name, value in metrics.items()}, self._n_finished)
        else:
            self._folder.write(job.key, {**answer, "job": job.entry()})

    def _tell(self, title: str, cause: str | None, seconds: float) -> None:
        if self._on_advance is None:
            return
        left = None
        if self._n_done:
            left = (time.monotonic() - self._started) / self._n_done * (self._n_total - self._n_done)
        self._on_advance(
            Advance(
                title=title,
                cause=cause,
                seconds=seconds,
                n_done=self._n_done,
                n_total=self._n_total,
                seconds_left=left,
            )
        )


def _seconds(answer: dict[str, object]) -> float:
    seconds = answer.get("seconds")
    return float(sum(seconds.values())) if isinstance(seconds, dict) else 0.0
