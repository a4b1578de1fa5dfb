"""Orientation: f-CLSWGAN epoch by epoch, so that it can stand beside the figures of its authors' code.

    python benchmarks/orientation.py run FOLDER --splits 0 1      # class splits, for development
    python benchmarks/orientation.py run FOLDER --splits official # an opening: write it down in openings.md
    python benchmarks/orientation.py table                        # what is kept

The authors' code reports the epoch that is best on the test set. Here the last epoch is reported, and that one beside
it in a column named test-selected, which nothing else may be compared with. Settings are those published for FLO at a
width of 1024, for 30 epochs. A run that is kept already is not run again.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from zslearn import load_data
from zslearn.data.dataset import ZSLDataset
from zslearn.devices import resolve_device
from zslearn.evaluation.metrics import evaluate_scores
from zslearn.files import write_json
from zslearn.models.base import sample_classes
from zslearn.models.published import published_settings
from zslearn.recogniser import fit_recogniser
from zslearn.recogniser.classifier import fit_classifier
from zslearn.recogniser.trained import TrainedRecogniser
from zslearn.training.loop import Loop
from zslearn.training.streams import Streams

RECORDS = Path(__file__).with_name("orientation")
MODEL, N_EPOCHS, WIDTH = "f-clswgan", 30, 1024
REPORTED = "authors' code, best epoch on test: U 45.0, S 64.9, H 53.2 (FLO, official split, these features)"


class Snapshots:
    """Copies the generator at the end of every epoch of the adversarial stage.

    Args:
        n_before: Steps of the stages before it.
        per_epoch: Steps of an epoch.

    Attributes:
        generators: The copies, one per epoch.
    """

    def __init__(self, n_before: int, per_epoch: int) -> None:
        self.generators: list[dict[str, torch.Tensor]] = []
        self._per_epoch = per_epoch
        self._n_done = -n_before

    def resume(self, loop: Loop) -> None:
        """Start from nothing: a run is short."""

    def step_done(self, loop: Loop) -> None:
        """Take a copy where an epoch is complete."""
        self._n_done += 1
        if self._n_done > 0 and self._n_done % self._per_epoch == 0:
            state = loop.model.get_submodule("generator").state_dict()
            self.generators.append({name: tensor.clone() for name, tensor in state.items()})


def main() -> None:
    """Run, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("data", nargs="?", default="FLO")
    parser.add_argument("--splits", nargs="+", default=["0"])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.what == "table":
        print(table([json.loads(path.read_text()) for path in sorted(RECORDS.glob("*.json"))]))
        return
    for split in arguments.splits:
        dataset = load_data(arguments.data, split=split)
        path = RECORDS / f"{dataset.name}-{dataset.split}-s{arguments.seed}.json"
        if not path.exists():
            if dataset.split == "official":
                print(f"This opens the official test view of {dataset.name}: write it down in openings.md.")
            RECORDS.mkdir(exist_ok=True)
            write_json(path, follow(dataset, published_settings(MODEL, "FLO", 1), arguments.seed))


def follow(
    dataset: ZSLDataset, settings: Mapping[str, Any], seed: int, *, n_epochs: int = N_EPOCHS, width: int = WIDTH
) -> dict[str, Any]:
    """Train once, and measure what every epoch's generator would have come to.

    Args:
        dataset: What to train and measure on; its test view is opened.
        settings: The published settings; width and updates are set here.
        seed: Decides every random number.
        n_epochs: Passes over the training rows.
        width: Of all networks.
    """
    view, test = dataset.training(), dataset.test()
    device = resolve_device("auto")
    per_epoch = math.ceil(len(view.labels) / settings["batch_size"])
    settings = {**settings, "hidden_dim": width, "n_updates": n_epochs * per_epoch}
    snapshots = Snapshots(settings.get("teacher_updates", 1000), per_epoch)
    last = fit_recogniser(view, MODEL, settings, seed=seed, device=device, keeper=snapshots)
    if not isinstance(last, TrainedRecogniser):
        raise TypeError(f"{MODEL} is not trained")
    epochs = []
    for generator in snapshots.generators:
        recogniser = _with_generator(last, generator, view.features, view.labels, view.unseen_ids, seed)
        measured = evaluate_scores(
            recogniser.scores(test.features), test.labels, seen_ids=test.seen_ids, unseen_ids=test.unseen_ids
        )
        epochs.append(measured.as_dict())
    best = max(range(len(epochs)), key=lambda epoch: epochs[epoch]["h"])
    return {
        "data": {"name": dataset.name, "split": dataset.split, "checksum": dataset.checksum},
        "model": MODEL,
        "settings": settings,
        "seed": seed,
        "last": epochs[-1],
        "test-selected": {"epoch": best + 1, **epochs[best]},
        "epochs": epochs,
    }


def _with_generator(
    recogniser: TrainedRecogniser,
    generator: Mapping[str, torch.Tensor],
    features: Any,
    labels: Any,
    unseen_ids: Any,
    seed: int,
) -> TrainedRecogniser:
    """The recogniser with the generator of an earlier epoch, and a classifier fitted to what that synthesises."""
    model, device = recogniser.model, recogniser.device
    model.get_submodule("generator").load_state_dict(generator)
    mapped = torch.tensor(recogniser.feature_space.transform(features), dtype=torch.float32, device=device)
    ids = torch.tensor(unseen_ids, device=device)
    streams = Streams(seed, device)
    drawn = sample_classes(model.sample_inputs, recogniser.conditions[ids], model.config.n_synthetic, streams)
    classifier = fit_classifier(model, mapped, torch.tensor(labels, device=device), drawn, ids, streams)
    return replace(recogniser, classifier=classifier)


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """Lay out the last epoch and, marked, the one that is best on the test view; uncorrected, in percent."""
    lines = ["| data, split, seed | epoch | U | S | H | test-selected: epoch | U | S | H |", "| --- " * 9 + "|"]
    for record in records:
        data, best = record["data"], record["test-selected"]
        cells = [f"{100 * record['last'][key]:.1f}" for key in ("u", "s", "h")]
        chosen = [f"{100 * best[key]:.1f}" for key in ("u", "s", "h")]
        name = f"{data['name']}, {data['split']}, {record['seed']}"
        cells = [name, str(len(record["epochs"])), *cells, str(best["epoch"]), *chosen]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"For orientation: {REPORTED}."])


if __name__ == "__main__":
    main()
