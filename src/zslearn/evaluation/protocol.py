"""The protocol: everything is chosen and trained first, then the test view is opened."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypedDict

import numpy as np

from zslearn.classifiers.references import ChosenReference, affordable_references, run_references
from zslearn.data.dataset import TestView, ZSLDataset
from zslearn.estimator import FitProgress, GenerativeZSL
from zslearn.evaluation.events import MEASURED, TEST_VIEW_OPENED, Event, EventLog, digest
from zslearn.evaluation.metrics import (
    METRIC_TITLES,
    Metrics,
    SeenUnseenConfusion,
    SeenUnseenCurve,
    one_sided_metrics,
    per_class_accuracy,
    predict,
    seen_unseen_confusion,
    seen_unseen_curve,
)
from zslearn.notebook import table_html
from zslearn.shapes import Ids, Labels, PerClass, Scores
from zslearn.spaces import check_directions
from zslearn.tracking import Log, ProgressLog
from zslearn.training.checkpoint import Checkpoints


class _Sides(TypedDict):
    seen_ids: Ids
    unseen_ids: Ids


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurement:
    """What one recogniser does on a test view.

    Attributes:
        plain: The five metrics without label-shift correction.
        corrected: The same with the rehearsal's offset; equal to ``plain`` where there was no rehearsal.
        answers: The corrected answer to every test row, a class id.
        curve: Seen against unseen accuracy over all offsets; None where rows of either side are missing.
        per_class: Corrected accuracy of each class among all, by class id; NaN for a class without test rows.
        confusion: Shares of rows that leave their side, uncorrected.
        confusion_corrected: The same, corrected.
    """

    plain: Metrics
    corrected: Metrics
    curve: SeenUnseenCurve | None
    answers: Labels
    per_class: PerClass
    confusion: SeenUnseenConfusion
    confusion_corrected: SeenUnseenConfusion

    def figures(self) -> dict[str, Any]:
        """Return the plain metrics by name and, as ``corrected``, the corrected ones."""
        return {**self.plain.as_dict(), "corrected": self.corrected.as_dict()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """A finished experiment on one data set with one seed.

    Attributes:
        estimator: The fitted estimator.
        measurement: What it does on the test view.
        references: The closed forms, as they were chosen.
        reference_measurements: What they do on the test view, by the same names.
        seconds: How long each part took.
        events: What happened, in order and with what was settled; the test view is opened after all choices.
    """

    estimator: GenerativeZSL
    measurement: Measurement
    references: Mapping[str, ChosenReference]
    reference_measurements: Mapping[str, Measurement]
    seconds: Mapping[str, float]
    events: tuple[Event, ...]

    def _repr_html_(self) -> str:
        measured = {self.estimator.model: self.measurement, **self.reference_measurements}
        rows = [[name, *each.corrected.cells()] for name, each in measured.items()]
        title = "corrected for label shift; percent, AUSUC as a fraction"
        return table_html(title, ("", *METRIC_TITLES.values()), rows)


def measure(scores: Scores, test: TestView, offset: float) -> Measurement:
    """Measure scores on a test view; what its rows do not allow to measure is NaN.

    Args:
        scores: One row per test row, one column per class id.
        test: The test view.
        offset: What correction subtracts from the scores of seen classes, in their unit.
    """
    sides = _Sides(seen_ids=test.seen_ids, unseen_ids=test.unseen_ids)
    n_classes = scores.shape[1]
    plain, corrected = predict(scores, **sides), predict(scores, **sides, offset=offset)
    is_seen = np.isin(test.labels, test.seen_ids)
    curve = seen_unseen_curve(scores, test.labels, **sides) if is_seen.any() and not is_seen.all() else None

    def metrics_at(shift: float) -> Metrics:
        if curve is None:
            return one_sided_metrics(scores, test.labels, **sides, offset=shift)
        return curve.metrics_at(shift)

    return Measurement(
        plain=metrics_at(0.0),
        corrected=metrics_at(offset),
        curve=curve,
        answers=corrected,
        per_class=per_class_accuracy(test.labels, corrected, np.arange(n_classes)),
        confusion=seen_unseen_confusion(test.labels, plain, **sides),
        confusion_corrected=seen_unseen_confusion(test.labels, corrected, **sides),
    )


def run_protocol(
    dataset: ZSLDataset,
    *,
    model: str = "skd",
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str = "auto",
    rehearse: bool = True,
    references: bool = True,
    searched: Mapping[str, Any] | None = None,
    on_progress: Callable[[FitProgress], None] | None = None,
    checkpoints: Checkpoints | None = None,
    log: Log | None = None,
) -> Outcome:
    """Rehearse and train the model and the closed-form references, then open the test view and measure all.

    A data set without test rows, or with such of one side only, is trained on all the same: what cannot be measured
    is NaN. Without any test row no view is opened and the references are left out.

    Args:
        dataset: The data set, whose split says what is unseen.
        model: A model of the zoo.
        settings: Its settings that differ from the defaults.
        seed: Decides every random number.
        device: ``auto``, ``cpu`` or ``cuda``.
        rehearse: Whether to rehearse; without it, T1 and AUSUC are what they would be, and nothing is corrected.
        references: Whether to measure the closed-form references beside the model.
        searched: How a search came to the settings; the first event.
        on_progress: Told how training goes.
        checkpoints: Keeps the state of the trainings, and gives back what an earlier, stopped run had reached.
        log: A tracker's hook: told the terms of training, and in the end the metrics.

    Raises:
        ZslearnError: As ``GenerativeZSL.fit``.
    """
    # References and diagnostics need directions whatever the model needs: said before the training, not after it.
    check_directions(dataset.semantics)
    view = dataset.training_in_place()
    has_test = bool(len(dataset.test_seen_rows) + len(dataset.test_unseen_rows))
    seconds: dict[str, float] = {}
    happened = EventLog()
    if searched is not None:
        happened.add("searched", **searched)
    start = time.perf_counter()
    estimator = GenerativeZSL(model, settings=settings, rehearse=rehearse, seed=seed, device=device)
    tracked = None if log is None else ProgressLog(log, () if checkpoints is None else checkpoints.history)
    estimator.fit_view(view, _both(on_progress, tracked), checkpoints)
    fitted = time.perf_counter()
    final = estimator.recogniser_.seconds
    seconds["rehearsal"] = fitted - start - sum(final.values())
    seconds |= final
    if estimator.rehearsal_ is not None:
        chosen = estimator.alternatives_[estimator.rehearsal_.chosen]
        happened.add(
            "rehearsed", settings=dict(chosen), offset=estimator.offset_, ausuc=list(estimator.rehearsal_.ausuc)
        )
    happened.add("trained", seed=seed, config=digest(asdict(estimator.recogniser_.config)))

    chosen_references: Mapping[str, ChosenReference] = {}
    if references and has_test:
        affordable = affordable_references(len(view.seen_ids))
        chosen_references = run_references(view, estimator.folds(view), candidates=affordable)
    seconds["references"] = time.perf_counter() - fitted
    if chosen_references:
        happened.add(
            "references chosen", **{name: digest(reference.facts()) for name, reference in chosen_references.items()}
        )

    opened = time.perf_counter()
    test = dataset.test_in_place()
    if has_test:
        happened.add(TEST_VIEW_OPENED, n_rows=len(test.labels), data=dataset.checksum)
        scores = estimator.recogniser_.scores(test.features)
    else:
        scores = np.empty((0, dataset.n_classes))
    measurement = measure(scores, test, estimator.offset_)
    reference_measurements = {
        name: measure(reference.scores(test.features), test, reference.offset or 0.0)
        for name, reference in chosen_references.items()
    }
    if has_test:
        others = digest({name: measured.figures() for name, measured in reference_measurements.items()})
        happened.add(MEASURED, **measurement.figures(), references=others)
    if tracked is not None:
        tracked.finish(measurement.plain.as_dict(), measurement.corrected.as_dict())
    seconds["evaluation"] = time.perf_counter() - opened
    return Outcome(
        estimator=estimator,
        measurement=measurement,
        references=chosen_references,
        reference_measurements=reference_measurements,
        seconds=seconds,
        events=happened.events,
    )


def _both(
    on_progress: Callable[[FitProgress], None] | None, tracked: ProgressLog | None
) -> Callable[[FitProgress], None] | None:
    if on_progress is None or tracked is None:
        return on_progress if tracked is None else tracked.update

    def tell(progress: FitProgress) -> None:
        on_progress(progress)
        tracked.update(progress)

    return tell
