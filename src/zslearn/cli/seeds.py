"""``zslearn run --seeds N``: a run for every seed, as many at once as there are processors, and a summary of all.

Each is the very run that its seed makes alone on one thread: a process of its own, with a run folder of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Final

from zslearn.cli.arguments import lasting_names
from zslearn.errors import ConfigError, RunFolderError, TrainingError

SEEDS_FILE: Final = "seeds.json"
"""What was asked for, and in the end the summary."""
_VERSION: Final = 1
_OWN_OPTIONS: Final = ("--seeds", "--seed", "--out", "--resume")
_PATH_OPTIONS: Final = ("--data", "--features", "--semantics", "--config")
_OWN_SWITCHES: Final = ("--json", "-q", "--quiet")
_OPTIONS_OF_NOW: Final = ("--device", "--checkpoint-every")
_ONLY_RESUMED: Final = "--allow-different-hardware"
_WRONG_USE: Final = 2
_SECONDS_BETWEEN_LOOKS: Final = 0.1
_MOST_SEEDS: Final = 1000
_THREADS: Final = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass(frozen=True)
class SeedRuns:
    """The runs of several seeds.

    Attributes:
        folder: Holds a run folder for every seed.
        words: The arguments that they share.
        seeds: The seeds.
        now: The arguments of this attempt alone.
    """

    folder: Path
    words: tuple[str, ...]
    seeds: tuple[int, ...]
    now: tuple[str, ...] = ()

    def folder_of(self, seed: int) -> Path:
        """Return the run folder of a seed."""
        return self.folder / f"s{seed}"

    def is_finished(self, seed: int) -> bool:
        """Whether a seed's run is finished."""
        from zslearn.runs import is_finished

        with contextlib.suppress(RunFolderError):
            return is_finished(self.folder_of(seed))
        return False

    def command(self, seed: int) -> list[str]:
        """Return the command that begins a seed's run, or goes on with it."""
        from zslearn.runs import RECORD_FILE

        folder = self.folder_of(seed)
        begun = (folder / RECORD_FILE).is_file()
        if begun:
            own = ["--resume", str(folder), *self.now]
        else:
            now = [word for word in self.now if word != _ONLY_RESUMED]
            own = [*self.words, *now, "--seed", str(seed), "--out", str(folder)]
        return [sys.executable, "-m", "zslearn", "run", *own]

    def write(self, **facts: Any) -> None:
        """Write what was asked for, with further facts."""
        from zslearn.files import write_json

        asked_for = {"seeds_version": _VERSION, "seeds": list(self.seeds), "words": list(self.words)}
        write_json(self.folder / SEEDS_FILE, {**asked_for, **facts})

    @classmethod
    def read(cls, folder: Path) -> SeedRuns:
        """Read what was asked for.

        Raises:
            RunFolderError: If that cannot be read.
        """
        from zslearn.limits import read_json

        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            facts = read_json(folder / SEEDS_FILE)
            if facts["seeds_version"] == _VERSION:
                return cls(folder, tuple(map(str, facts["words"])), tuple(map(int, facts["seeds"])))
        raise RunFolderError(
            f"{folder / SEEDS_FILE} cannot be read",
            expected="what zslearn run --seeds has written",
            remedy="Run again in another folder.",
        )


def is_seeds_folder(folder: Path) -> bool:
    """Tell whether a folder holds the runs of several seeds."""
    return (folder / SEEDS_FILE).is_file()


def run_seeds(arguments: argparse.Namespace) -> tuple[Path, dict[str, Any]]:
    """Begin the runs of several seeds, or go on with them.

    Returns:
        Their folder and summary.

    Raises:
        ConfigError: If an argument does not go with several seeds, or the runs refuse theirs.
        RunFolderError: If the folder cannot be used.
        TrainingError: If runs failed; the others are finished all the same.
        KeyboardInterrupt: If it was interrupted.
    """
    runs = seed_runs(arguments)
    _execute(runs)
    summary = summarise(runs)
    runs.write(summary=summary)
    return runs.folder, summary


def summarise(runs: SeedRuns) -> dict[str, Any]:
    """Return mean and standard deviation over the seeds of all figures, with those of every seed."""
    from zslearn.runs import read_record

    records = [read_record(runs.folder_of(seed)) for seed in runs.seeds]
    first = records[0]
    return {
        "data": {name: first["data"][name] for name in ("name", "split", "checksum")},
        "model": first["model"],
        "seeds": list(runs.seeds),
        "runs": [runs.folder_of(seed).name for seed in runs.seeds],
        **{part: _spread([record[part] for record in records]) for part in ("metrics", "metrics_corrected")},
        "references": {
            name: {
                **_spread([record["references"][name] for record in records]),
                "corrected": _spread([record["references"][name]["corrected"] for record in records]),
            }
            for name in first["references"]
        },
    }


def summary_table(summary: Mapping[str, Any]) -> str:
    """Lay out a summary: a line per seed, their mean and their standard deviation; percent, AUSUC as a fraction."""
    from zslearn.report.tables import figures_table

    plain, corrected = summary["metrics"], summary["metrics_corrected"]

    def line(pick: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return {key: pick(value) for key, value in plain.items()}, {
            key: pick(value) for key, value in corrected.items()
        }

    lines = {
        f"{summary['model']}, seed {seed}": line(lambda figure, place=place: figure["values"][place])
        for place, seed in enumerate(summary["seeds"])
    }
    lines["mean"] = line(lambda figure: figure["mean"])
    lines["standard deviation"] = line(lambda figure: figure["sd"])
    return figures_table(lines)


def seed_runs(arguments: argparse.Namespace) -> SeedRuns:
    """Return the runs that a command begins or goes on with.

    Raises:
        ConfigError: If an argument does not go with several seeds.
        RunFolderError: If the folder cannot be used.
    """
    from zslearn.training.team import launched_size

    if arguments.log or launched_size() > 1:
        raise ConfigError(
            f"--seeds does not go with {'--log' if arguments.log else 'torchrun'}",
            remedy="Leave one of them out; each seed's run folder has its history.",
        )
    if arguments.resume:
        return replace(SeedRuns.read(arguments.resume), now=tuple(_words_of_now(arguments.words)))
    return _asked_for(arguments)


def _asked_for(arguments: argparse.Namespace) -> SeedRuns:
    from zslearn.runs import check_run_folder, default_folder, free_folder

    if not 1 <= arguments.seeds <= _MOST_SEEDS:
        raise ConfigError(
            "the number of seeds is out of range",
            expected=f"1 to {_MOST_SEEDS}",
            received=str(arguments.seeds),
            remedy="Give the number of runs with --seeds; --seed says where to start counting.",
        )
    check_run_folder(arguments.out)
    seeds = tuple(range(arguments.seed, arguments.seed + arguments.seeds))
    default = default_folder(Path(arguments.data).name, arguments.split, arguments.model, f"{seeds[0]}-{seeds[-1]}")
    folder = arguments.out or free_folder(default)
    return SeedRuns(folder, (*_shared_words(arguments.words), *_lasting_words(arguments)), seeds)


def _shared_words(words: Sequence[str]) -> list[str]:
    """Return the words of the command that all seeds share, without paths."""
    shared: list[str] = []
    rest, others = iter(words[1:]), (*_OWN_OPTIONS, *_PATH_OPTIONS)
    for word in rest:
        if word in others:
            next(rest, None)
        elif word not in _OWN_SWITCHES and not word.startswith(tuple(f"{option}=" for option in others)):
            shared.append(word)
    return shared


def _words_of_now(words: Sequence[str]) -> Iterator[str]:
    """Return the words about how seeds are executed; what they are was said when they began."""
    rest = iter(words[1:])
    for word in rest:
        if word in _OPTIONS_OF_NOW:
            yield word
            yield from itertools.islice(rest, 1)
        elif word == _ONLY_RESUMED or word.startswith(tuple(f"{option}=" for option in _OPTIONS_OF_NOW)):
            yield word


def _lasting_words(arguments: argparse.Namespace) -> list[str]:
    """Return the paths of the command as they can be found again from any folder."""
    config = None if arguments.config is None else str(arguments.config.resolve())
    paths = zip(_PATH_OPTIONS, (*lasting_names(arguments), config), strict=True)
    return [word for option, path in paths if path is not None for word in (option, path)]


def _execute(runs: SeedRuns) -> None:
    from zslearn.cli.interrupts import GentleInterrupts
    from zslearn.cli.progress import CountProgress
    from zslearn.experiments.engines import usable_processors

    waiting = [seed for seed in runs.seeds if not runs.is_finished(seed)]
    n_done, failed = len(runs.seeds) - len(waiting), dict[int, str]()
    running: dict[int, _Child] = {}
    asked_to_stop = False

    def stop() -> bool:
        nonlocal asked_to_stop
        asked_to_stop = True
        for child in running.values():
            child.interrupt()
        return True

    try:
        with GentleInterrupts(stop), CountProgress("seeds", len(runs.seeds)) as progress:
            while running or (waiting and not asked_to_stop):
                while waiting and len(running) < usable_processors() and not asked_to_stop:
                    seed = waiting.pop(0)
                    running[seed] = _Child(runs.command(seed))
                time.sleep(_SECONDS_BETWEEN_LOOKS)
                for seed in [seed for seed, child in running.items() if child.ended]:
                    code, said = running.pop(seed).result()
                    if code == _WRONG_USE and not asked_to_stop:
                        what, _, remedy = said.partition(". ")
                        raise ConfigError(what.removesuffix("."), remedy=remedy or None)
                    if code == 0:
                        n_done += 1
                    elif not asked_to_stop:
                        failed[seed] = said
                if not (runs.folder / SEEDS_FILE).exists() and runs.folder.is_dir():
                    runs.write()
                progress.update(n_done)
    finally:
        for child in running.values():
            child.kill()
    again = f"zslearn run --resume {shlex.quote(str(runs.folder))}"
    if asked_to_stop and n_done < len(runs.seeds):
        raise KeyboardInterrupt(f"Go on with: {again}" if runs.folder.is_dir() else "Nothing was written.")
    if failed:
        seed, cause = next(iter(failed.items()))
        raise TrainingError(
            f"{len(failed)} of {len(runs.seeds)} seeds failed, the first of them seed {seed}",
            received=cause.rstrip("."),
            remedy=f"Try these again with: {again}"
            if is_seeds_folder(runs.folder)
            else "Put that right, and run again.",
        )


class _Child:
    """A run in a process of its own, which hears of an interrupt from this one alone."""

    def __init__(self, command: Sequence[str]) -> None:
        self._said: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **_THREADS},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            start_new_session=True,
        )

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def interrupt(self) -> None:
        """Do what Ctrl-C does: the first time it stops with its state saved, the second time at once."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._said.close()

    def result(self) -> tuple[int, str]:
        """Return its exit code and, of what it said last, what was wrong."""
        self._said.seek(0)
        lines = [line.strip() for line in self._said if line.strip()]
        self._said.close()
        code = self._process.returncode
        last = lines[-1].removeprefix("error: ") if lines else ""
        return code, last or (f"it died of signal {-code}" if code < 0 else f"exit code {code}")


def _spread(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return mean, standard deviation over seeds, and values of every figure; None for what was not measured."""
    import statistics

    from zslearn.evaluation.metrics import METRIC_TITLES

    spread: dict[str, Any] = {}
    for name in METRIC_TITLES:
        values = [figure[name] for figure in figures]
        measured = None not in values
        spread[name] = {
            "mean": statistics.fmean(values) if measured else None,
            "sd": statistics.stdev(values) if measured and len(values) > 1 else None,
            "values": values,
        }
    return spread
