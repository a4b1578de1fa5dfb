"""Orientation: f-CLSWGAN epoch by epoch, so that it can stand beside the figures of its authors' code.

    python benchmarks/orientation.py run FOLDER --splits 0 1      # class splits, for development
    python benchmarks/orientation.py run FOLDER --splits 0 --counts 100 300    # their classifier on fewer samples too
    python benchmarks/orientation.py run FOLDER --splits official # an opening: write it down in openings.md
    python benchmarks/orientation.py table                        # what is kept

The authors' code reports the epoch that is best on the test set, and within it the best pass of its final classifier.
Here the last epoch is reported; what is best on the test view stands beside it in columns named test-selected, which
nothing else may be compared with: with the library's classifier, and with one that is trained and chosen as theirs.
Settings are those published for FLO at a width of 1024, for 30 epochs. A run that is kept already, with the same data,
settings and seed and with all counts that are asked for, is not run again.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from places import kept_already
from places import place as place_of
from torch import Tensor

from zslearn import load_data
from zslearn.classifiers.linear import LinearClassifier
from zslearn.data.dataset import TestView, TrainingView, ZSLDataset
from zslearn.devices import resolve_device
from zslearn.evaluation.metrics import evaluate_scores
from zslearn.files import write_json
from zslearn.models.base import sample_classes
from zslearn.models.published import published_settings
from zslearn.recogniser import fit_recogniser
from zslearn.recogniser.trained import TrainedRecogniser
from zslearn.training.loop import Loop
from zslearn.training.streams import Streams

RECORDS = Path(__file__).with_name("orientation")
MODEL, N_EPOCHS, WIDTH = "f-clswgan", 30, 1024
N_PASSES = 25
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
    parser.add_argument("--counts", nargs="+", type=int, default=[], help="numbers of synthetic samples of a class")
    arguments = parser.parse_args()
    if arguments.what == "table":
        print(table(read_records()))
        return
    for split in arguments.splits:
        dataset = load_data(arguments.data, split=split)
        asked = facts(dataset, scheduled(len(dataset.train_rows)), arguments.seed)
        path = place(asked, arguments.counts)
        if kept_already(path):
            continue
        if dataset.split == "official":
            print(f"This opens the official test view of {dataset.name}: write it down in openings.md.")
        RECORDS.mkdir(exist_ok=True)
        write_json(path, {**asked, **follow(dataset, asked["settings"], arguments.seed, counts=arguments.counts)})


def scheduled(n_rows: int) -> dict[str, Any]:
    """Return the published settings for a number of training rows, at the width and the epochs of this benchmark."""
    settings = published_settings(MODEL, "FLO", n_rows)
    return {**settings, "hidden_dim": WIDTH, "n_updates": N_EPOCHS * math.ceil(n_rows / settings["batch_size"])}


def facts(dataset: ZSLDataset, settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return what tells one run from another."""
    return {
        "data": {"name": dataset.name, "split": dataset.split, "checksum": dataset.checksum},
        "model": MODEL,
        "settings": dict(settings),
        "seed": seed,
    }


def place(asked: Mapping[str, Any], counts: Sequence[int], folder: Path = RECORDS) -> Path:
    """Return the file of a run, which is there if it is kept with all counts."""
    wanted = {_with_samples(count) for count in counts}
    return place_of(
        folder,
        f"{asked['data']['name']}-{asked['data']['split']}-s{asked['seed']}",
        lambda record: asked.items() <= record.items() and wanted <= record.keys(),
    )


def read_records() -> list[dict[str, Any]]:
    """Read what is kept."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RECORDS.glob("*.json"))]


def follow(
    dataset: ZSLDataset,
    settings: Mapping[str, Any],
    seed: int,
    *,
    counts: Sequence[int] = (),
) -> dict[str, Any]:
    """Train once, and measure what every epoch's generator would have come to.

    Args:
        dataset: What to train and measure on; its test view is opened.
        settings: How to train.
        seed: Decides every random number.
        counts: Numbers of synthetic samples of a class for which their classifier is trained beside the published one.
    """
    view, test = dataset.training(), dataset.test()
    device = resolve_device("auto")
    per_epoch = math.ceil(len(view.labels) / settings["batch_size"])
    snapshots = Snapshots(settings["teacher_updates"], per_epoch)
    last = fit_recogniser(view, MODEL, settings, seed=seed, device=device, keeper=snapshots)
    if not isinstance(last, TrainedRecogniser):
        raise TypeError(f"{MODEL} is not trained")
    epochs: list[dict[str, Any]] = []
    theirs: dict[int, list[dict[str, Any]]] = {count: [] for count in (settings["n_synthetic"], *counts)}
    real = _real(last, view)
    for epoch, generator in enumerate(snapshots.generators, 1):
        last.model.get_submodule("generator").load_state_dict(generator)
        epochs.append({"epoch": epoch, **_measured(last.refitted(view, seed), test)})
        for count, found in theirs.items():
            passes = their_classifiers(last, *real, *_synthetic(last, view, seed, count), seed)
            found += [
                {"epoch": epoch, "pass": n, **_measured(replace(last, classifier=classifier), test)}
                for n, classifier in enumerate(passes, 1)
            ]
    published = theirs.pop(settings["n_synthetic"])
    return {
        "last": epochs[-1],
        "test-selected": max(epochs, key=_h),
        "test-selected, their classifier": max(published, key=_h),
        **{_with_samples(count): max(found, key=_h) for count, found in theirs.items()},
        "their classifier, last": published[-1],
        "epochs": epochs,
    }


def their_classifiers(
    recogniser: TrainedRecogniser, features: Tensor, labels: Tensor, drawn: Tensor, unseen_ids: Tensor, seed: int
) -> Iterator[LinearClassifier]:
    """Train a final classifier as the authors' code does, and yield it after every pass.

    Adam with a constant step, batches as large as the number of synthetic samples of a class, a permutation each pass.
    """
    device, n_synthetic = features.device, drawn.shape[1]
    torch.manual_seed(seed)
    inputs = torch.cat([features, drawn.flatten(0, 1)])
    targets = torch.cat([labels, unseen_ids.repeat_interleave(n_synthetic)])
    linear = torch.nn.Linear(inputs.shape[1], len(recogniser.conditions), device=device)
    torch.nn.init.normal_(linear.weight, 0.0, 0.02)
    torch.nn.init.zeros_(linear.bias)
    rate = recogniser.model.config.classifier_learning_rate
    optimiser = torch.optim.Adam(linear.parameters(), rate, betas=(0.5, 0.999))
    for _ in range(N_PASSES):
        for rows in torch.randperm(len(inputs), device=device).split(n_synthetic):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(linear(inputs[rows]), targets[rows]).backward()
            optimiser.step()
        yield LinearClassifier(linear.weight.detach().clone(), linear.bias.detach().clone())


def _with_samples(count: int) -> str:
    """Name the best of their classifiers on fewer synthetic samples of a class."""
    return f"test-selected, their classifier, {count} samples"


def _real(recogniser: TrainedRecogniser, view: TrainingView) -> tuple[Tensor, Tensor]:
    """Return the real samples that a final classifier is fitted to, and their classes."""
    mapped = torch.tensor(recogniser.feature_space.transform(view.features), dtype=torch.float32)
    return mapped.to(recogniser.device), torch.tensor(view.labels, device=recogniser.device)


def _synthetic(recogniser: TrainedRecogniser, view: TrainingView, seed: int, n_synthetic: int) -> tuple[Tensor, Tensor]:
    """Return the synthetic samples that a final classifier is fitted to, class by class, and the classes."""
    model, device = recogniser.model, recogniser.device
    unseen_ids = torch.tensor(view.unseen_ids, device=device)
    conditions = recogniser.conditions[unseen_ids]
    return sample_classes(model.sample_inputs, conditions, n_synthetic, Streams(seed, device)), unseen_ids


def _measured(recogniser: TrainedRecogniser, test: TestView) -> dict[str, float]:
    scores = recogniser.scores(test.features)
    return evaluate_scores(scores, test.labels, seen_ids=test.seen_ids, unseen_ids=test.unseen_ids).as_dict()


def _h(measured: Mapping[str, float]) -> float:
    return measured["h"]


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """Lay out the last epoch and, marked, what is best on the test view; uncorrected, in percent."""
    lines = ["| data, split, seed | what | epoch | pass | U | S | H |", "| --- " * 7 + "|"]
    for record in records:
        data = record["data"]
        for what in (key for key in record if key.startswith(("last", "test-selected"))):
            found = record[what]
            cells = [f"{data['name']}, {data['split']}, {record['seed']}", what, str(found["epoch"])]
            cells += [str(found.get("pass", "")), *(f"{100 * found[key]:.1f}" for key in ("u", "s", "h"))]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"For orientation: {REPORTED}."])


if __name__ == "__main__":
    main()
