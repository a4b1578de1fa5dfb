"""How long do peers take as their authors schedule them, and what do they come to, beside ours with its defaults?

    python benchmarks/schedules.py run FLO f-clswgan            # published settings and passes, class split 5
    python benchmarks/schedules.py run FLO free --max-seconds 600 --precision bf16
    python benchmarks/schedules.py run FLO cada-vae --settings-of CUB     # whose authors publish none for FLO
    python benchmarks/schedules.py table                        # ours is the record that benchmarks/closing.py keeps

A peer is measured at the end and at shares of its schedule on the way. It has no rehearsal, which would multiply its
time; beside H stands the best H over all offsets, chosen on the test rows in its favour: no correction brings more.
What stops at ``--max-seconds`` says so, and the time of the rest is extrapolated. A run that is kept is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from places import kept_already
from places import place as place_of

from zslearn import load_data
from zslearn.data.dataset import ZSLDataset
from zslearn.devices import resolve_device
from zslearn.evaluation.metrics import seen_unseen_curve
from zslearn.files import write_json
from zslearn.models.published import published_settings
from zslearn.recogniser import fit_recogniser
from zslearn.recogniser.trained import TrainedRecogniser
from zslearn.records import hardware, versions
from zslearn.training.loop import Loop

RECORDS = Path(__file__).with_name("schedules")
OURS = Path(__file__).with_name("records")
SHARES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75)
"""Of the schedule, after which a peer is measured on the way."""


class Snapshots:
    """Copies the model at shares of its last stage, which is the generator's.

    Args:
        shares: The shares, in (0, 1).
    """

    def __init__(self, shares: Sequence[float]) -> None:
        self.states: dict[float, tuple[float, dict[str, torch.Tensor]]] = {}
        self._shares = list(shares)

    def resume(self, loop: Loop) -> None:
        """Start from nothing: what is kept is the result."""

    def step_done(self, loop: Loop) -> None:
        """Take a copy where a share is reached."""
        done = loop.n_done[-1] / loop.plan.stages[-1].n_steps
        while self._shares and done >= self._shares[0]:
            state = {name: tensor.clone() for name, tensor in loop.model.state_dict().items()}
            self.states[self._shares.pop(0)] = loop.seconds, state


def main() -> None:
    """Run, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("data", nargs="?", default="FLO")
    parser.add_argument("model", nargs="?", default="f-clswgan")
    parser.add_argument("--settings-of", metavar="DATA", help="the data set whose published settings to take")
    parser.add_argument("--split", choices=tuple("0123456789"), default="5")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-seconds", type=float, default=0.0)
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    arguments = parser.parse_args()
    if arguments.what == "table":
        print(table(read_records()))
        return
    dataset = load_data(arguments.data, split=arguments.split)
    settings_of = arguments.settings_of or arguments.data
    settings = published_settings(arguments.model, settings_of, len(dataset.train_rows))
    settings |= {"precision": arguments.precision, "max_seconds": arguments.max_seconds}
    asked = {
        "data": {"name": dataset.name, "split": dataset.split, "checksum": dataset.checksum},
        "model": arguments.model,
        "settings_of": settings_of,
        "seed": arguments.seed,
        "settings": settings,
    }
    path = place(asked)
    if kept_already(path):
        return
    found = peer(dataset, arguments.model, settings, arguments.seed)
    RECORDS.mkdir(exist_ok=True)
    facts = {
        "versions": versions(),
        "hardware": hardware(resolve_device("auto").type, found["precision"]),
        "load": os.getloadavg()[0],
    }
    write_json(path, {**asked, **found, **facts})


def place(asked: Mapping[str, Any], folder: Path = RECORDS) -> Path:
    """Return the file of a run, which is there if it is kept."""
    data = asked["data"]
    stem = f"{data['name']}-{data['split']}-{asked['model']}-s{asked['seed']}-{asked['settings']['precision']}"
    return place_of(folder, stem, lambda record: asked.items() <= record.items())


def read_records() -> list[dict[str, Any]]:
    """Read what is kept."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RECORDS.glob("*.json"))]


def peer(dataset: ZSLDataset, model: str, settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train a peer at its own settings, and measure it at the end and on the way."""
    view, snapshots = dataset.training(), Snapshots(SHARES)
    last = fit_recogniser(view, model, settings, seed=seed, device=resolve_device("auto"), keeper=snapshots)
    if not isinstance(last, TrainedRecogniser):
        raise TypeError(f"{model} is not trained")
    *_, stage = last.updates.values()
    seconds = last.seconds["training"]
    end = {"share": stage["done"] / stage["planned"], "seconds": seconds, **measured(last, dataset)}
    on_the_way = []
    for share, (passed, state) in snapshots.states.items():
        last.model.load_state_dict(state)
        on_the_way.append({"share": share, "seconds": passed, **measured(last.refitted(view, seed), dataset)})
    return {
        "precision": settings["precision"],
        "settings": dict(settings),
        "updates": last.updates,
        "seconds": seconds,
        "measured": end,
        "on_the_way": on_the_way,
    }


def measured(recogniser: TrainedRecogniser, dataset: ZSLDataset) -> dict[str, float]:
    """Return the figures without correction, and the best H that any offset comes to."""
    test = dataset.test_in_place()
    scores = recogniser.scores(test.features)
    curve = seen_unseen_curve(scores, test.labels, seen_ids=test.seen_ids, unseen_ids=test.unseen_ids)
    return {**curve.metrics_at(0.0).as_dict(), "h_best_offset": float(curve.harmonic_means.max())}


def table(records: Sequence[Mapping[str, Any]], ours: Path = OURS) -> str:
    """Lay out what peers came to, and how many times as long as ours with its rehearsal they take."""
    columns = ("method", "precision", "share", "T1", "H", "best H of any offset", "seconds", "whole schedule / ours")
    lines, last = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"], {}
    for record in records:
        data, end = record["data"], record["measured"]
        path = ours / f"{data['name']}-{data['split']}-s{record['seed']}.json"
        own = json.loads(path.read_text(encoding="utf-8"))
        fit = sum(own["seconds"][part] for part in ("preparation", "training", "synthesis", "classifier"))
        seconds = fit + own["seconds"]["rehearsal"]
        method = record["model"]
        if record["settings_of"] != data["name"]:
            method += f", settings of {record['settings_of']}"
        for point in (*record["on_the_way"], end):
            cells = [method, record["precision"], f"{point['share']:.2f}"]
            cells += [*_percent(point, "t1", "h", "h_best_offset"), f"{point['seconds']:.0f}"]
            lines.append(f"| {' | '.join(cells)} | {record['seconds'] / end['share'] / seconds:.0f} |")
        for method, figures, taken, ratio in (
            ("skd, without rehearsal and correction", "metrics", fit, ""),
            ("skd, with both", "metrics_corrected", seconds, "1"),
        ):
            cells = [method, "float32", "1.00", *_percent(own[figures], "t1", "h"), "", f"{taken:.0f}", ratio]
            last[path, method] = f"| {' | '.join(cells)} |"
    return "\n".join([*lines, *last.values()])


def _percent(found: Mapping[str, float], *names: str) -> list[str]:
    return [f"{100 * found[name]:.1f}" for name in names]


if __name__ == "__main__":
    main()
