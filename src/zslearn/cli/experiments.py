"""What the commands that run experiments have in common."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zslearn.cli.arguments import trackers_of

if TYPE_CHECKING:
    from zslearn.experiments.arms import Arm
    from zslearn.experiments.contrasts import Kind
    from zslearn.experiments.experiment import Experiment
    from zslearn.experiments.folder import ExperimentFolder
    from zslearn.experiments.runner import Advance

_QUIET_SECONDS = 10.0


def arms_experiment(
    arguments: argparse.Namespace, kind: Kind, settings: Mapping[str, Any], arms: tuple[Arm, ...]
) -> Experiment:
    """Make the experiment that compares arms of one model.

    Args:
        arguments: With those of ``add_arms_arguments``.
        kind: What is compared.
        settings: The settings in every arm.
        arms: The arms.

    Raises:
        ConfigError: If a split or a seed comes twice, or a seed is negative.
    """
    from zslearn.data.catalog import BUILT_IN
    from zslearn.devices import resolve_device
    from zslearn.errors import ConfigError
    from zslearn.experiments.experiment import DataChoice, Experiment, ModelChoice

    resolve_device(arguments.device)
    for what, values in (("splits", arguments.splits), ("seeds", arguments.seeds)):
        if len(set(values)) < len(values):
            raise ConfigError(
                f"some {what} are given twice", received=" ".join(map(str, values)), remedy="Name each once."
            )
    if min(arguments.seeds) < 0:
        raise ConfigError(
            "a seed is negative", expected="0 or more", received=str(min(arguments.seeds)), remedy="Leave it out."
        )
    words = {"ablation": "What each part does", "sweep": "How much each setting matters"}
    folder = Path(arguments.data).is_dir() and arguments.data.lower() != BUILT_IN
    data = DataChoice(
        data=str(Path(arguments.data).resolve()) if folder else arguments.data,
        features=arguments.features,
        semantics=arguments.semantics,
        splits=tuple(arguments.splits),
    )
    return Experiment(
        name=f"{arguments.words[0]}-{Path(data.data).name}-{arguments.model}",
        title=f"{words[kind]}: {arguments.model} on {Path(data.data).name}",
        note=""
        if arguments.rehearse
        else "No run rehearses: T1 and AUSUC do not depend on the label-shift correction.",
        kind=kind,
        data=(data,),
        seeds=tuple(arguments.seeds),
        models=(ModelChoice(model=arguments.model, settings=settings, arms=arms),),
        rehearse=arguments.rehearse,
        references=False,
        device=arguments.device,
    )


def run_experiment(experiment: Experiment, arguments: argparse.Namespace) -> int:
    """Execute what is missing of an experiment, write its report, and print what it shows.

    Args:
        experiment: The experiment.
        arguments: With ``out`` and those of ``add_engine_arguments`` and ``add_json_argument``.

    Returns:
        The exit code: 1 if a run failed.
    """
    from zslearn.experiments.engines import ENGINES
    from zslearn.experiments.folder import ExperimentFolder, counted
    from zslearn.experiments.jobs import make_jobs
    from zslearn.experiments.runner import run_missing
    from zslearn.experiments.summary import summarise_experiment, summary_table

    engine, trackers = ENGINES[arguments.engine](arguments.jobs, arguments.address), trackers_of(arguments)
    jobs = make_jobs(experiment)
    path, command = arguments.out or Path("runs") / experiment.name, shlex.join(["zslearn", *arguments.words])
    held = ExperimentFolder.held(path, experiment, jobs, command)
    try:
        with held as folder, AdvanceReport() as report, trackers as log:
            run_missing(jobs, folder, engine, retry=arguments.retry, on_advance=report.update, log=log)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(f"What is finished is in {path}. Go on with: {command}") from interrupt
    counts = counted(folder.status())
    groups = summarise_experiment(folder)
    reported = _write_report(folder)
    if arguments.json:
        facts = {"folder": str(path), "counts": counts, "report": str(reported) if reported else None}
        print(json.dumps({**facts, "groups": [group.as_dict() for group in groups]}, indent=2))
    else:
        print(summary_table(groups))
        print()
        print(f"Experiment folder: {path}")
        if reported:
            print(f"Report: {reported}")
    if counts["failed"]:
        print(
            f"note: {counts['failed']} runs failed; 'zslearn benchmark status {path}' tells why, "
            "--retry executes them again.",
            file=sys.stderr,
        )
    return 1 if counts["failed"] else 0


class AdvanceReport:
    """Shows on standard error how an experiment goes: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._last = 0.0

    def __enter__(self) -> AdvanceReport:
        """Show the bar, on a terminal."""
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}", markup=False))
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("starting", total=None)
        return self

    def __exit__(self, *error: object) -> None:
        """Take it away."""
        if self._bar is not None:
            self._bar.stop()

    def update(self, advance: Advance) -> None:
        """Take one advance."""
        left = "" if advance.seconds_left is None else f"about {_duration(advance.seconds_left)} left"
        if advance.cause is not None:
            self._print(f"failed: {advance.title}: {advance.cause}")
        if self._bar is not None:
            said = ", ".join(filter(None, (left, advance.title)))
            self._bar.update(self._task, completed=advance.n_done, total=advance.n_total, description=said)
        elif not advance.title:
            self._print(f"{advance.n_total} runs and trials to do")
        elif time.monotonic() - self._last > _QUIET_SECONDS or advance.n_done == advance.n_total:
            self._last = time.monotonic()
            self._print(f"{advance.n_done}/{advance.n_total}  {left}; done: {advance.title}")

    def _print(self, line: str) -> None:
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def _write_report(folder: ExperimentFolder) -> Path | None:
    """Write the report into the folder, where what draws it is installed and a run has finished."""
    from zslearn.errors import MissingExtraError, RunFolderError
    from zslearn.report.page import write_report

    path = folder.path / "report.html"
    try:
        write_report(folder.path, path)
    except (MissingExtraError, RunFolderError) as error:
        print(f"note: no report was written: {error}", file=sys.stderr)
        return None
    return path
