"""The rehearsal: seen classes play unseen, so that choices are made without any test row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from zslearn.allocator import return_freed_memory
from zslearn.classifiers.calibration import FoldScores, choose_candidate, fit_temperature
from zslearn.data.dataset import TrainingView
from zslearn.data.mapped import AnyRows
from zslearn.data.splits import RehearsalFold
from zslearn.evaluation.metrics import Metrics
from zslearn.shapes import Scores

Scorer = Callable[[AnyRows], Scores]


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What the folds chose.

    Attributes:
        chosen: Which alternative is best by mean AUSUC over the folds, counted from 0.
        ausuc: The mean AUSUC of every alternative.
        offset: What to subtract from seen scores, in their unit.
        temperature: What to divide scores by before the softmax.
        calibration_error: Expected gap between confidence and accuracy, in [0, 1].
        uncorrected: The mean over folds of the five metrics without the offset.
        corrected: The same with it.
        pretend_unseen: The classes that played unseen, by fold.
    """

    chosen: int
    ausuc: tuple[float, ...]
    offset: float
    temperature: float
    calibration_error: float
    uncorrected: Metrics
    corrected: Metrics
    pretend_unseen: tuple[tuple[str, ...], ...]


def rehearse(
    folds: Sequence[RehearsalFold],
    fit: Callable[[int, int, TrainingView], Scorer],
    *,
    n_alternatives: int = 1,
) -> Rehearsal | None:
    """Fit every alternative to every fold, then choose alternative, label-shift correction and temperature.

    Args:
        folds: The rehearsal folds of a training view; empty where it has too few classes or rows.
        fit: Trains the alternative with the first number on the training view of the fold with the second, and
            returns its scorer.
        n_alternatives: How many settings to choose among; of equally good ones the first is taken.

    Returns:
        The choices; None without folds: the first alternative is taken then, and nothing is corrected.
    """
    if not folds:
        return None
    by_fold = [_scores_of_fold(fold, number, fit, n_alternatives) for number, fold in enumerate(folds)]
    scored = list(zip(*by_fold, strict=True))
    choice = choose_candidate([[fold_scores.curve() for fold_scores in of_alternative] for of_alternative in scored])
    temperature = fit_temperature(scored[choice.chosen], choice.offset)
    return Rehearsal(
        chosen=choice.chosen,
        ausuc=choice.ausuc,
        offset=choice.offset,
        temperature=temperature.temperature,
        calibration_error=temperature.calibration_error,
        uncorrected=_mean(choice.uncorrected),
        corrected=_mean(choice.corrected),
        pretend_unseen=tuple(tuple(fold.view.class_names[i] for i in fold.pretend_unseen) for fold in folds),
    )


def _scores_of_fold(
    fold: RehearsalFold, number: int, fit: Callable[[int, int, TrainingView], Scorer], n_alternatives: int
) -> list[FoldScores]:
    """Fit every alternative to a fold; the copies of its rows are gone before those of the next are made."""
    return_freed_memory()
    training = fold.training
    return [_score(fold, fit(alternative, number, training)) for alternative in range(n_alternatives)]


def _score(fold: RehearsalFold, scorer: Scorer) -> FoldScores:
    return FoldScores(
        scores=scorer(fold.test_features),
        labels=fold.test_labels,
        seen_ids=fold.seen_ids,
        unseen_ids=fold.unseen_ids,
    )


def _mean(metrics: Sequence[Metrics]) -> Metrics:
    measured = [asdict(each) for each in metrics]
    return Metrics(**{name: float(np.mean([each[name] for each in measured])) for name in measured[0]})
