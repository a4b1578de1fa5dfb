"""Controls that make figures believable: what a run gives when its knowledge is taken away, or made perfect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from zslearn.data.dataset import ZSLDataset
from zslearn.errors import ConfigError
from zslearn.evaluation.events import CONTROL_MEASURED, EventLog
from zslearn.evaluation.protocol import Outcome, measure
from zslearn.experiments.arms import CONTROLS
from zslearn.models.base import GenerativeConfig
from zslearn.recogniser import TrainedRecogniser
from zslearn.shapes import Features, Ids

Protocol = Callable[[ZSLDataset], Outcome]
"""Runs the protocol on a data set, everything else being settled."""


def run_control(control: str, dataset: ZSLDataset, seed: int, protocol: Protocol) -> tuple[ZSLDataset, Outcome]:
    """Run a control.

    Args:
        control: Its name in `CONTROLS`.
        dataset: The data set as it is.
        seed: Decides what the control draws.
        protocol: Runs the protocol on the data set that it is given.

    Returns:
        The data set that was run on, and what came out.

    Raises:
        ConfigError: If an unseen class has too few samples to learn from half of them.
    """
    rng = np.random.default_rng(seed)
    if control == "permuted unseen semantics":
        dataset = with_permuted_semantics(dataset, rng)
        return dataset, protocol(dataset)
    if control == "random semantics":
        dataset = replace(dataset, semantics=rng.normal(size=dataset.semantics.shape))
        return dataset, protocol(dataset)
    if control == "real unseen samples":
        learned, dataset = _halved(dataset, rng)
        outcome = protocol(dataset)
        real = [dataset.features[rows].astype(np.float32) for rows in learned]
        return dataset, _refitted(outcome, dataset, seed, control, lambda n, _: np.stack([_tiled(r, n) for r in real]))
    outcome = protocol(dataset)
    unseen = dataset.semantics[dataset.unseen_ids]

    def means(n_samples: int, recogniser: TrainedRecogniser) -> Features:
        drawn = recogniser.synthesize(unseen, n_samples, seed)
        return np.broadcast_to(drawn.mean(axis=1, keepdims=True), drawn.shape)

    return dataset, _refitted(outcome, dataset, seed, control, means)


def with_permuted_semantics(dataset: ZSLDataset, rng: np.random.Generator) -> ZSLDataset:
    """Give each unseen class the semantics of a random unseen class; on average one keeps its own."""
    semantics = dataset.semantics.copy()
    semantics[dataset.unseen_ids] = semantics[rng.permutation(dataset.unseen_ids)]
    return replace(dataset, semantics=semantics)


def draws_samples_itself(control: str | None) -> bool:
    """Return whether a control gives the final classifier other samples than the generator's."""
    return control in ("class means", "real unseen samples")


def uses_test_data(control: str | None) -> bool:
    """Return whether a control learns from test rows, so that its figures are a ceiling."""
    return control == "real unseen samples"


def _refitted(
    outcome: Outcome,
    dataset: ZSLDataset,
    seed: int,
    control: str,
    samples: Callable[[int, TrainedRecogniser], Features],
) -> Outcome:
    """Measure again with a classifier that learned from other samples of the unseen classes."""
    recogniser = outcome.estimator.recogniser_
    if not isinstance(recogniser, TrainedRecogniser) or not isinstance(recogniser.config, GenerativeConfig):
        raise ConfigError(
            f"the control {control!r} needs a generative model",
            received=outcome.estimator.model,
            remedy="Leave the control out, or take a model that synthesizes.",
        )
    given = samples(recogniser.config.n_synthetic, recogniser)
    refitted = recogniser.with_unseen_samples(dataset.training(), given, seed)
    test = dataset.test_in_place()
    measurement = measure(refitted.scores(test.features), test, outcome.estimator.offset_)
    log = EventLog(outcome.events)
    log.add(CONTROL_MEASURED, control=CONTROLS[control], **measurement.figures())
    return replace(outcome, measurement=measurement, events=log.events)


def _halved(dataset: ZSLDataset, rng: np.random.Generator) -> tuple[list[Ids], ZSLDataset]:
    """Split the unseen test rows of each class into halves: to learn from, and to measure on."""
    learned, measured = [], []
    for class_id in dataset.unseen_ids:
        rows = dataset.test_unseen_rows[dataset.labels[dataset.test_unseen_rows] == class_id]
        if len(rows) < 2:
            raise ConfigError(
                f"the class {dataset.class_names[class_id]} has too few samples for a ceiling",
                expected="at least 2 test rows, half of them to learn from",
                received=str(len(rows)),
                remedy="Leave the controls out on these data.",
            )
        shuffled = rng.permutation(rows)
        learned.append(np.sort(shuffled[: len(rows) // 2]))
        measured.append(shuffled[len(rows) // 2 :])
    return learned, replace(dataset, test_unseen_rows=np.sort(np.concatenate(measured)))


def _tiled(rows: Features, n_samples: int) -> Features:
    return rows[np.arange(n_samples) % len(rows)]
