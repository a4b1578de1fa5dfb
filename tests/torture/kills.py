"""Kills at random moments: nothing may be lost, and whatever is resumed comes to the same bits."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torture.cases import Figures, Outcome, command, finished, forked
from torture.material import Material

SEED = 9
LIMIT_SECONDS = 300
_VOLATILE = {"seconds", "peak_memory_bytes", "resumed", "started", "finished"}
RUN = ["--set", "n_updates=60", "teacher_updates=40", "hidden_dim=16", "latent_dim=4"]
EXPERIMENT = """
title: Small
note: For the torture.
data: ["{data}"]
splits: [0]
seeds: [0, 1]
models: [eszsl, ridge-cosine, cada-vae]
at_most:
  n_updates: 30
  teacher_updates: 10
"""


def kills(material: Material, n_kills: int, scratch: Path) -> Figures:
    """Kill runs in training and while they save, and experiments, ``n_kills`` times in all."""
    figures = Figures(f"{n_kills} kills with SIGKILL at random moments")
    has_benchmark = importlib.util.find_spec("zslearn.cli.benchmark") is not None
    n_benchmarks = n_kills // 5 if has_benchmark else 0
    n_saving = n_kills // 3
    _kill_runs(material, n_kills - n_benchmarks - n_saving, "training", "0.3", scratch, figures)
    _kill_runs(material, n_saving, "saving", "0", scratch, figures)
    if n_benchmarks:
        _kill_experiments(material, n_benchmarks, scratch, figures)
    return figures


def _kill_runs(material: Material, n_kills: int, what: str, every: str, scratch: Path, figures: Figures) -> None:
    rng = random.Random(f"{SEED}/{what}")
    options = [*RUN, "--checkpoint-every", every]
    whole = scratch / f"whole-{what}"
    outcome = _to_the_end(command(["run", "--data", material.data, "--out", whole, *options], scratch), scratch)
    if outcome.code:
        figures.problem(f"the reference run failed: {outcome.output[-500:]}")
        return
    n_done, moments = 0, _Moments(rng, outcome.seconds)
    while n_done < n_kills:
        folder = scratch / f"{what}-{n_done}"
        # One run in three is killed again while it goes on.
        for _ in range(min(n_kills - n_done, rng.choice((1, 1, 2)))):
            begun = (folder / "record.json").exists()
            words = ["run", "--resume", folder] if begun else ["run", "--data", material.data, "--out", folder, *RUN]
            action = command([*words, "--checkpoint-every", every], scratch)
            if not moments.kill(action, begun, scratch):
                figures.count(f"finished before the kill, which does not count ({what})")
                break
            n_done += 1
            figures.count(f"killed while {what}")
        begun = (folder / "record.json").exists()
        words = ["run", "--resume", folder] if begun else ["run", "--data", material.data, "--out", folder, *RUN]
        after = _to_the_end(command([*words, "--checkpoint-every", every], scratch), scratch)
        if after.code:
            figures.problem(f"{what}: lost: {after.output[-500:]}")
            continue
        _compare(f"{what} {n_done}", folder, whole, figures)
        shutil.rmtree(folder)


def _compare(name: str, folder: Path, whole: Path, figures: Figures) -> None:
    for file in ("model.safetensors", "model.json", "history.jsonl"):
        if (folder / file).read_bytes() != (whole / file).read_bytes():
            figures.problem(f"{name}: {file} differs")
            return
    if _lasting(folder / "record.json") != _lasting(whole / "record.json"):
        figures.problem(f"{name}: the record differs")
        return
    if sorted(path.name for path in folder.iterdir()) != sorted(path.name for path in whole.iterdir()):
        figures.problem(f"{name}: other files: {sorted(path.name for path in folder.iterdir())}")
        return
    figures.count("runs that came to the same bits")


def _kill_experiments(material: Material, n_kills: int, scratch: Path, figures: Figures) -> None:
    rng = random.Random(f"{SEED}/experiments")
    document = scratch / "small.yaml"
    document.write_text(EXPERIMENT.format(data=material.data))
    whole = scratch / "whole-experiment"
    outcome = _to_the_end(command(["benchmark", "run", document, "--out", whole], scratch), scratch)
    if outcome.code:
        figures.problem(f"the reference experiment failed: {outcome.output[-500:]}")
        return
    n_done, moments = 0, _Moments(rng, outcome.seconds)
    while n_done < n_kills:
        folder = scratch / f"experiment-{n_done}"
        action = command(["benchmark", "run", document, "--out", folder], scratch)
        for _ in range(min(n_kills - n_done, rng.choice((1, 2, 3)))):
            if not moments.kill(action, folder.exists(), scratch):
                figures.count("finished before the kill, which does not count (benchmarking)")
                break
            n_done += 1
            figures.count("killed while benchmarking")
            _readable(folder, figures)
        after = _to_the_end(action, scratch)
        if after.code:
            figures.problem(f"experiment: lost: {after.output[-500:]}")
            continue
        mine, others = _records(folder), _records(whole)
        if mine != others:
            figures.problem(f"experiment {n_done}: records differ in {sorted(mine.keys() ^ others.keys())}")
        else:
            figures.count("experiments that came to the same records")
        shutil.rmtree(folder)


def _readable(folder: Path, figures: Figures) -> None:
    for path in folder.glob("records/*.json"):
        try:
            json.loads(path.read_text())
        except ValueError:
            figures.problem(f"a record is corrupt: {path.name}")


def _records(folder: Path) -> dict[str, Any]:
    return {path.name: _lasting(path) for path in folder.glob("records/*.json")}


def _lasting(path: Path) -> Any:
    return _without(json.loads(path.read_text()))


def _without(value: Any) -> Any:
    """Return a record without what a clock or the system's memory decides."""
    if isinstance(value, dict):
        # The command tells where the data lie and where the run goes.
        return {name: _without(item) for name, item in value.items() if name not in {*_VOLATILE, "command"}}
    return [_without(item) for item in value] if isinstance(value, list) else value


class _Moments:
    """Random moments at which runs are still running, as far as can be known before.

    Args:
        rng: Draws them.
        seconds: What a whole run takes.
    """

    def __init__(self, rng: random.Random, seconds: float) -> None:
        self._rng = rng
        self._latest = {False: seconds, True: seconds}

    def kill(self, action: Callable[[], int], begun: bool, scratch: Path) -> bool:
        """Start an action and kill it; say whether it was still running."""
        moment = self._rng.uniform(0.02, self._latest[begun])
        killed = _killed(action, moment, scratch)
        if not killed:
            # What was begun already takes less time than a whole run, and the machine may be less busy now.
            self._latest[begun] = moment
        return killed


def _killed(action: Callable[[], int], seconds: float, scratch: Path) -> bool:
    """Start an action and kill it after some seconds; say whether it was still running."""
    output = scratch / "killed.txt"
    process = forked(action, output, limited=False)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitpid(process, os.WNOHANG)[0]:
            return False
        time.sleep(0.002)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return True


def _to_the_end(action: Callable[[], int], scratch: Path) -> Outcome:
    output = scratch / "resumed.txt"
    started = time.monotonic()
    process = forked(action, output, limited=False)
    while time.monotonic() - started < LIMIT_SECONDS:
        outcome = finished(process, output, time.monotonic())
        if outcome is not None:
            return Outcome(outcome.code, outcome.output, time.monotonic() - started, outcome.memory)
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return Outcome(-signal.SIGKILL, "it did not end", LIMIT_SECONDS, 0)
