"""Who executes tasks: processes of this machine, or a Ray cluster. The answers are the same."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Protocol, Self

from zslearn.errors import ConfigError, first_line, require_extra
from zslearn.experiments.execution import Task, execute, failure, use_one_thread

_PRELOADED = ("zslearn.experiments.execution", "torch._dynamo")
"""What is imported once, so that every worker need not; torch's optimisers import the second one at their first use."""


class Engine(Protocol):
    """Takes tasks while it has room, and gives them back with their answers in the order in which they end."""

    def __enter__(self) -> Self:
        """Make it ready."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End whatever still runs."""
        ...

    @property
    def room(self) -> int:
        """How many more tasks it can take now."""
        ...

    @property
    def busy(self) -> int:
        """How many tasks it has."""
        ...

    def submit(self, task: Task) -> None:
        """Take a task."""
        ...

    def next(self) -> tuple[Task, dict[str, Any]]:
        """Wait for a task to end, and return it with its answer."""
        ...


class LocalProcesses:
    """One process for each task, so that one that dies takes no other with it.

    Args:
        n_workers: How many at once; None takes one for each processor that this process may use.

    Raises:
        ConfigError: If the number is below 1.
    """

    def __init__(self, n_workers: int | None = None) -> None:
        if n_workers is not None and n_workers < 1:
            raise ConfigError(
                "the number of jobs is too small",
                expected="at least 1",
                received=str(n_workers),
                remedy="Leave --jobs out for one on each processor.",
            )
        self._n_workers = n_workers or usable_processors()
        self._running: dict[Connection, tuple[Task, BaseProcess]] = {}
        self._context: Any = None

    def __enter__(self) -> Self:
        """Start what all workers are forked from, where that is possible."""
        forking = "forkserver" in multiprocessing.get_all_start_methods()
        self._context = multiprocessing.get_context("forkserver" if forking else "spawn")
        if forking:
            self._context.set_forkserver_preload(list(_PRELOADED))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the workers."""
        for _, process in self._running.values():
            process.kill()
        for connection, (_, process) in self._running.items():
            process.join()
            connection.close()
        self._running.clear()

    @property
    def room(self) -> int:
        """How many more tasks can be taken now."""
        return self._n_workers - self.busy

    @property
    def busy(self) -> int:
        """How many tasks are running."""
        return len(self._running)

    def submit(self, task: Task) -> None:
        """Start a worker for the task."""
        ours, theirs = self._context.Pipe(duplex=False)
        process: BaseProcess = self._context.Process(target=_work, args=(task, theirs), daemon=True)
        process.start()
        theirs.close()
        self._running[ours] = task, process

    def next(self) -> tuple[Task, dict[str, Any]]:
        """Wait for a worker to answer or to die."""
        connection = wait(list(self._running))[0]
        assert isinstance(connection, Connection)
        task, process = self._running[connection]
        try:
            answer = connection.recv()
        except (EOFError, OSError):
            # It died before its answer, or, which is an OSError, halfway through it.
            answer = None
        # Forgotten only now: what interrupts the waiting finds the worker still listed, and ends it.
        del self._running[connection]
        connection.close()
        process.join()
        return task, answer or failure(_death(process.exitcode))


class RayCluster:
    """The workers of a Ray cluster; a task whose node is lost is executed again on another.

    Args:
        address: The cluster's address, ``auto``, or None to start one on this machine.
        n_workers: How many tasks to have in the cluster at once; None takes one for each processor it has.

    Raises:
        MissingExtraError: If ray is not installed.
    """

    def __init__(self, address: str | None = None, n_workers: int | None = None) -> None:
        self._ray: Any = require_extra("ray", "cluster")
        self._address = address
        self._wanted = n_workers
        self._running: dict[Any, Task] = {}

    def __enter__(self) -> Self:
        """Connect, or start a cluster.

        Raises:
            ConfigError: If there is no cluster at the address.
        """
        # Ray reports its use to its makers unless it is told not to.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        where = {"include_dashboard": False} if self._address is None else {"address": self._address}
        try:
            self._ray.init(log_to_driver=False, logging_level="ERROR", **where)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"there is no Ray cluster at {self._address}",
                received=first_line(error),
                remedy="Start one with 'ray start --head', or leave --address out to start one here.",
            ) from error
        # Ray counts a lost node's tasks as retries: as many as it takes.
        options: dict[str, Any] = {"num_cpus": 1, "max_retries": -1, "retry_exceptions": False}
        self._on_cpu = self._ray.remote(**options)(_work_on_node)
        self._on_gpu = self._ray.remote(**options, num_gpus=1)(_work_on_node)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take back what still runs, and leave."""
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        self._running.clear()
        self._ray.shutdown()

    @property
    def room(self) -> int:
        """How many more tasks can be taken now."""
        n_workers = self._wanted or max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        return n_workers - self.busy

    @property
    def busy(self) -> int:
        """How many tasks are in the cluster."""
        return len(self._running)

    def submit(self, task: Task) -> None:
        """Send a task to the cluster."""
        remote = self._on_gpu if task.device == "cuda" else self._on_cpu
        self._running[remote.remote(task)] = task

    def next(self) -> tuple[Task, dict[str, Any]]:
        """Wait for a task to end."""
        (reference,), _ = self._ray.wait(list(self._running), num_returns=1)
        task = self._running[reference]
        try:
            answer: dict[str, Any] = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            answer = failure(f"the cluster lost the run: {first_line(error)}")
        del self._running[reference]
        return task, answer


ENGINES: dict[str, Callable[[int | None, str | None], Engine]] = {
    "local": lambda n_workers, _: LocalProcesses(n_workers),
    "ray": lambda n_workers, address: RayCluster(address, n_workers),
}
"""The engines by name; each is made from a number of workers and an address."""


def usable_processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _work(task: Task, answers: Connection) -> None:
    # The parent decides what an interrupt means, and ends the workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    use_one_thread()
    answers.send(execute(task))
    answers.close()


def _work_on_node(task: Task) -> dict[str, Any]:
    use_one_thread()
    return execute(task)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _death(exit_code: int | None) -> str:
    if exit_code == -9:
        return "the worker was killed (signal 9): the system had too little memory, or somebody ended it"
    if exit_code is not None and exit_code < 0:
        return f"the worker died of signal {-exit_code}"
    return f"the worker ended without an answer (exit code {exit_code})"
