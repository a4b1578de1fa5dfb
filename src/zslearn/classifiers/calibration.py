"""Label-shift correction: one scalar subtracted from seen scores, and a temperature for probabilities.

Both are chosen in rehearsals, whose folds hold rows of classes that played unseen. "Label shift" means
a bias of predictions toward seen classes. Source of the scalar: Chao et al., "An Empirical Study and
Analysis of Generalized Zero-Shot Learning for Object Recognition in the Wild", ECCV 2016 ("calibrated
stacking"); its choice as the exact maximiser of the mean H over rehearsals is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax

from zslearn.errors import DataError
from zslearn.evaluation.metrics import Metrics, SeenUnseenCurve, seen_unseen_curve
from zslearn.shapes import Ids, Labels, Mask, Points, Scores

N_CALIBRATION_BINS = 15
"""Into how many bins of equally many rows the calibration error sorts predictions."""
_TEMPERATURE_DECADES = 4.0
_SAME_MEAN = 1e-12
"""Means of H closer than this differ by rounding only."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldScores:
    """The scores of one rehearsal fold."""

    scores: Scores
    """Larger is better; a column per class id of the fold."""
    labels: Labels
    """The true class of every row; there are rows of seen and of unseen classes."""
    seen_ids: Ids
    """The classes of the fold that training had rows of."""
    unseen_ids: Ids
    """The classes of the fold that played unseen."""

    def curve(self) -> SeenUnseenCurve:
        """Trace seen and unseen accuracy over every offset.

        Raises:
            DataError: As `seen_unseen_curve`.
        """
        return seen_unseen_curve(self.scores, self.labels, seen_ids=self.seen_ids, unseen_ids=self.unseen_ids)


@dataclass(frozen=True, kw_only=True)
class OffsetChoice:
    """The offset that a rehearsal recommends, and how clearly."""

    offset: float
    """What to subtract from seen scores, in their unit: the middle of the best interval."""
    lower: float
    """Where the best interval starts (excluded), in the same unit."""
    upper: float
    """Where the best interval ends (included), in the same unit."""
    h: float
    """The mean over folds of H at the offset, in [0, 1]."""
    h_uncorrected: float
    """The mean over folds of H without correction, in [0, 1]."""


@dataclass(frozen=True, kw_only=True)
class CandidateChoice:
    """The best of some candidates in a rehearsal, with its correction."""

    chosen: int
    """Which candidate is best by mean AUSUC over folds, the first among equals; counted from 0."""
    ausuc: tuple[float, ...]
    """The mean AUSUC of every candidate, in [0, 1]."""
    offset: float
    """What to subtract from the seen scores of the best one, in their unit."""
    uncorrected: tuple[Metrics, ...]
    """The measures of the best one on each fold, without the offset."""
    corrected: tuple[Metrics, ...]
    """The same with it."""


@dataclass(frozen=True, kw_only=True)
class TemperatureFit:
    """The temperature that turns scores into probabilities, and how far to trust these."""

    temperature: float
    """What scores are divided by before the softmax, in their unit, > 0."""
    calibration_error: float
    """Expected gap between confidence and accuracy in the rehearsal, in [0, 1]."""


def choose_candidate(curves: Sequence[Sequence[SeenUnseenCurve]]) -> CandidateChoice:
    """Choose by the mean AUSUC over folds, which no offset changes; then the best one's offset.

    Args:
        curves: For every candidate, at least one, its curve on each fold of the rehearsal.

    Raises:
        DataError: As `choose_offset`.
    """
    ausuc = tuple(float(np.mean([curve.area for curve in of_candidate])) for of_candidate in curves)
    chosen = int(np.argmax(ausuc))
    offset = choose_offset(curves[chosen]).offset
    return CandidateChoice(
        chosen=chosen,
        ausuc=ausuc,
        offset=offset,
        uncorrected=tuple(curve.metrics_at(0.0) for curve in curves[chosen]),
        corrected=tuple(curve.metrics_at(offset) for curve in curves[chosen]),
    )


def choose_offset(curves: Sequence[SeenUnseenCurve]) -> OffsetChoice:
    """Choose the offset that maximises the mean over folds of H, exactly.

    H is a step function of the offset in every fold, so its mean is constant between neighbouring
    breakpoints of all folds together and each of these intervals is looked at. Of several best intervals
    the widest is taken, of equally wide ones the first, and of it the middle. Where H is 0 at every
    offset, the best interval is the whole line and the offset 0.

    Args:
        curves: The curve of every fold, at least one.

    Raises:
        DataError: If there is no curve.
    """
    _check_some(curves)
    breakpoints = np.unique(np.concatenate([curve.offsets for curve in curves]))

    def mean_h(offsets: Points) -> Points:
        means = [curve.harmonic_means[curve.points_at(offsets)] for curve in curves]
        return np.asarray(np.mean(means, axis=0))

    # Interval k is (breakpoints[k - 1], breakpoints[k]]; outside all breakpoints H is 0.
    h_of_interval = mean_h(breakpoints)
    h = float(h_of_interval.max())
    h_uncorrected = float(mean_h(np.zeros(1))[0])
    if h == 0.0:
        return OffsetChoice(offset=0.0, lower=-np.inf, upper=np.inf, h=0.0, h_uncorrected=0.0)
    lower, upper = _widest_interval(h_of_interval >= h - _SAME_MEAN, breakpoints)
    middle = lower + (upper - lower) / 2
    offset = middle if lower < middle else upper
    return OffsetChoice(offset=offset, lower=lower, upper=upper, h=h, h_uncorrected=h_uncorrected)


def fit_temperature(folds: Sequence[FoldScores], offset: float = 0.0) -> TemperatureFit:
    """Fit the temperature of the softmax over corrected scores.

    Minimises the negative log-likelihood of the true classes under ``softmax((scores - offset on seen) /
    temperature)``, the mean over rows within a fold, then over folds. It is convex in the inverse
    temperature, so the one minimum is found. Searched from 1e-4 to 1e4 times the mean lead of a row's best
    score over its mean score.

    Args:
        folds: The scores of the rehearsals, at least one; all finite.
        offset: What is subtracted from the scores of seen classes, in their unit.

    Returns:
        The temperature, and its expected calibration error over the rows of all folds together.

    Raises:
        DataError: If there is no fold, or a score is not finite.
    """
    _check_some(folds)
    corrected = [correct(fold.scores, fold.seen_ids, offset) for fold in folds]
    if not all(np.isfinite(scores).all() for scores in corrected):
        raise DataError(
            "scores are not usable for a temperature",
            expected="finite scores and offset",
            remedy="Check the model: it gave numbers that are not finite.",
        )
    labels = [fold.labels for fold in folds]
    scale = float(np.mean([(scores.max(axis=1) - scores.mean(axis=1)).mean() for scores in corrected]))
    if scale == 0.0:
        temperature = 1.0
    else:
        exponent = minimize_scalar(
            lambda exponent: _mean_loss(corrected, labels, scale * 10.0**exponent),
            bounds=(-_TEMPERATURE_DECADES, _TEMPERATURE_DECADES),
            method="bounded",
            options={"xatol": 1e-4},
        ).x
        temperature = float(scale * 10.0**exponent)
    return TemperatureFit(temperature=temperature, calibration_error=_calibration_error(corrected, labels, temperature))


def correct(scores: Scores, seen_ids: Ids, offset: float) -> Scores:
    """Return scores with the offset subtracted from those of seen classes, in float64.

    Args:
        scores: Larger is better; a column per class id. Left unchanged.
        seen_ids: The seen classes.
        offset: What is subtracted, in the unit of the scores.
    """
    corrected: Scores = scores.astype(np.float64)
    corrected[:, seen_ids] -= offset
    return corrected


def _check_some(folds: Sequence[object]) -> None:
    if not folds:
        raise DataError(
            "there is no rehearsal to choose from",
            expected="at least one fold",
            remedy="With fewer than 12 seen classes, leave the scores uncorrected.",
        )


def _widest_interval(best: Mask, breakpoints: Points) -> tuple[float, float]:
    """Return the ends of the widest run of best intervals; the first and the last interval are never best."""
    edges = np.flatnonzero(np.diff(best.astype(np.int8)))
    lowers, uppers = breakpoints[edges[0::2]], breakpoints[edges[1::2]]
    widest = int(np.argmax(uppers - lowers))
    return float(lowers[widest]), float(uppers[widest])


def _mean_loss(corrected: Sequence[Scores], labels: Sequence[Labels], temperature: float) -> float:
    losses = [_loss(scores / temperature, truth) for scores, truth in zip(corrected, labels, strict=True)]
    return float(np.mean(losses))


def _loss(logits: Scores, labels: Labels) -> float:
    return float((logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels]).mean())


def _calibration_error(corrected: Sequence[Scores], labels: Sequence[Labels], temperature: float) -> float:
    probabilities = [softmax(scores / temperature, axis=1) for scores in corrected]
    confidence = np.concatenate([rows.max(axis=1) for rows in probabilities])
    right = np.concatenate([rows.argmax(axis=1) == truth for rows, truth in zip(probabilities, labels, strict=True)])
    order = np.argsort(confidence, kind="stable")
    bins = np.array_split(confidence[order] - right[order], min(N_CALIBRATION_BINS, len(order)))
    return float(sum(abs(gaps.sum()) for gaps in bins) / len(order))
