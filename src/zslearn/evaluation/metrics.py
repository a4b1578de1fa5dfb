"""Measures of zero-shot predictions: T1, U, S, H, AUSUC with its curve, and confusion.

Every decision follows one rule, so that the curve and the single measurements agree to the last row.
Among the seen classes, and among the unseen ones, the best score wins and the smallest id among equals.
Between the two winners, the *gap* ``best seen - best unseen`` decides: a row is answered with a seen class
where ``gap >= offset`` (at equality the seen class wins) and with an unseen class elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int64

from zslearn.errors import DataError
from zslearn.notebook import percent, table_html
from zslearn.shapes import Ids, Labels, Mask, PerClass, Points, Scores

METRIC_TITLES: Final[Mapping[str, str]] = {"t1": "T1", "u": "U", "s": "S", "h": "H", "ausuc": "AUSUC"}
"""What tables call the five metrics, by name and in their order."""
_BLOCK_CELLS = 1 << 22
"""Scores are read in blocks of about this many cells, so that no second copy of them is held."""


@dataclass(frozen=True)
class Metrics:
    """The five numbers by which zero-shot models are compared, each a fraction in [0, 1].

    T1 and AUSUC do not depend on the offset; U, S and H do. A number is NaN where there are no rows to measure it on.
    """

    t1: float
    """Mean per-class accuracy of rows of unseen classes when only unseen classes may be answered."""
    u: float
    """Mean per-class accuracy of rows of unseen classes when every class may be answered."""
    s: float
    """Mean per-class accuracy of rows of seen classes when every class may be answered."""
    h: float
    """Harmonic mean of `u` and `s`."""
    ausuc: float
    """Area under the curve of seen against unseen accuracy."""

    def as_dict(self) -> dict[str, float | None]:
        """Return the numbers by name, as records hold them; None where there was nothing to measure."""
        return _numbers(asdict(self))

    def _repr_html_(self) -> str:
        return table_html("metrics; percent, AUSUC as a fraction", list(METRIC_TITLES.values()), [self.cells()])

    def cells(self) -> list[str]:
        """Return the numbers as tables show them: percent, AUSUC as a fraction, a dash where nothing was measured."""
        area = "-" if np.isnan(self.ausuc) else f"{self.ausuc:.3f}"
        return [*(percent(share) for share in (self.t1, self.u, self.s, self.h)), area]


@dataclass(frozen=True, eq=False)
class SeenUnseenCurve:
    """Accuracy of seen and of unseen rows at every offset that makes a difference.

    Point ``k`` holds for every offset in ``(offsets[k - 1], offsets[k]]``; at the first point every row is
    answered with a seen class, at the last one every row with an unseen class.
    """

    offsets: Points
    """Strictly increasing; what is subtracted from seen scores. In the unit of the scores."""
    unseen: Points
    """Mean per-class accuracy of unseen rows, rising from 0 to T1."""
    seen: Points
    """Mean per-class accuracy of seen rows, falling to 0."""

    @property
    def area(self) -> float:
        """Area under seen (y) against unseen (x) accuracy by the trapezoid rule: AUSUC, in [0, 1]."""
        return float(np.sum(np.diff(self.unseen) * (self.seen[1:] + self.seen[:-1]) / 2))

    @property
    def harmonic_means(self) -> Points:
        """H at every point."""
        total = self.seen + self.unseen
        product = 2 * self.seen * self.unseen
        return np.asarray(np.divide(product, total, out=np.zeros_like(total), where=total > 0))

    def thinned(self, n_points: int) -> SeenUnseenCurve:
        """Return a curve of at most so many of these points, evenly spaced along it, both ends included.

        Args:
            n_points: At least 2.
        """
        if len(self.offsets) <= n_points:
            return self
        steps = np.hypot(np.diff(self.unseen), np.diff(self.seen))
        passed = np.concatenate([[0.0], np.cumsum(steps)])
        kept = np.unique(np.searchsorted(passed, np.linspace(0.0, passed[-1], n_points - 1)))
        kept = np.unique(np.append(kept, len(self.offsets) - 1))
        return SeenUnseenCurve(offsets=self.offsets[kept], unseen=self.unseen[kept], seen=self.seen[kept])

    def points_at(self, offsets: Float[np.ndarray, " n_offsets"]) -> Int64[np.ndarray, " n_offsets"]:
        """Return which point of the curve holds at each of the given offsets."""
        return np.minimum(np.searchsorted(self.offsets, offsets, side="left"), len(self.offsets) - 1)

    def metrics_at(self, offset: float) -> Metrics:
        """Return all measures at one offset, which may be infinite.

        Raises:
            DataError: If the offset is NaN.
        """
        if np.isnan(offset):
            raise DataError(
                "the offset is not a number",
                expected="a number",
                received=str(offset),
                remedy="Leave the offset out, or take that of a rehearsal.",
            )
        point = self.points_at(np.array([offset], dtype=np.float64))[0]
        u, s = float(self.unseen[point]), float(self.seen[point])
        return Metrics(t1=float(self.unseen[-1]), u=u, s=s, h=harmonic_mean(u, s), ausuc=self.area)


@dataclass(frozen=True)
class SeenUnseenConfusion:
    """How many rows leave their own side, as shares of the rows of that side, in [0, 1]; NaN where it has none."""

    unseen_as_seen: float
    """Share of the rows of unseen classes that are answered with a seen class: the label shift."""
    seen_as_unseen: float
    """Share of the rows of seen classes that are answered with an unseen class."""

    def as_dict(self) -> dict[str, float | None]:
        """Return the shares by name, as records hold them; None where there was nothing to measure."""
        return _numbers(asdict(self))


@dataclass(frozen=True, eq=False)
class _Winners:
    """The best seen and the best unseen class of every row, and by how much the seen one leads."""

    seen: Labels
    unseen: Labels
    gap: Points

    def predictions(self, offset: float) -> Labels:
        return np.where(self.gap >= offset, self.seen, self.unseen)


def harmonic_mean(u: float, s: float) -> float:
    """Return ``2 u s / (u + s)``, in the unit of both, and 0 where both are 0.

    Args:
        u: Accuracy on unseen classes, >= 0.
        s: Accuracy on seen classes, >= 0, in the same unit.
    """
    return 2 * u * s / (u + s) if u + s > 0 else 0.0


def best_among(scores: Scores, ids: Ids) -> tuple[Labels, Points]:
    """Find the best of some classes for every row.

    Args:
        scores: Larger is better; a column per class id.
        ids: The classes to choose from, in any order, at least one. Other columns are not read.

    Returns:
        The class id of the best score of every row (the smallest id among equals), and that score.

    Raises:
        DataError: If there is no class to choose from, an id has no column, or a row's best score is not
            finite. One NaN among the chosen columns makes a row's best score NaN.
    """
    ids = np.sort(ids)
    _check_columns(scores, ids)
    winners = np.empty(len(scores), dtype=np.int64)
    best = np.empty(len(scores), dtype=np.float64)
    for rows in _row_blocks(scores):
        block = scores[rows][:, ids]
        columns = block.argmax(axis=1)
        winners[rows] = ids[columns]
        best[rows] = np.take_along_axis(block, columns[:, None], axis=1)[:, 0]
    if not np.isfinite(best).all():
        row = int(np.flatnonzero(~np.isfinite(best))[0])
        raise DataError(
            "scores are not usable",
            expected="a finite best score in every row and no NaN",
            received=f"{best[row]} in row {row}",
            remedy="Look for features that are not finite or for a model that diverged.",
        )
    return winners, best


def predict(scores: Scores, *, seen_ids: Ids, unseen_ids: Ids, offset: float = 0.0) -> Labels:
    """Answer every row with one of all classes.

    Args:
        scores: Larger is better; a column per class id.
        seen_ids: The seen classes.
        unseen_ids: The unseen classes.
        offset: Subtracted from the scores of seen classes, in their unit.

    Returns:
        A class id for every row. For answers among the unseen classes only, see `best_among`.

    Raises:
        DataError: As `best_among`.
    """
    return _winners(scores, seen_ids, unseen_ids).predictions(offset)


def per_class_accuracy(labels: Labels, predictions: Labels, class_ids: Ids) -> PerClass:
    """Return for each class the share of its rows that are answered with it.

    Args:
        labels: The true class ids.
        predictions: The answered class ids.
        class_ids: The classes to report, in the order of the result.

    Returns:
        One fraction per class in `class_ids`; NaN for a class without rows.
    """
    n_classes = int(max(labels.max(initial=-1), class_ids.max(initial=-1))) + 1
    n_rows = np.bincount(labels, minlength=n_classes)[class_ids]
    n_right = np.bincount(labels[labels == predictions], minlength=n_classes)[class_ids]
    shares = np.full(len(class_ids), np.nan)
    return np.asarray(np.divide(n_right, n_rows, out=shares, where=n_rows > 0))


def seen_unseen_curve(scores: Scores, labels: Labels, *, seen_ids: Ids, unseen_ids: Ids) -> SeenUnseenCurve:
    """Trace seen and unseen accuracy over every offset at which any row changes sides.

    Args:
        scores: Larger is better; a column per class id.
        labels: The true class of every row, seen or unseen. There is at least one row of each kind.
        seen_ids: The seen classes. Classes without rows are left out of the means.
        unseen_ids: The unseen classes, likewise.

    Raises:
        DataError: As `best_among`; also if a label is neither seen nor unseen or a side has no rows.
    """
    winners = _winners(scores, seen_ids, unseen_ids)
    is_seen = _rows_of_seen(labels, seen_ids, unseen_ids)
    if is_seen.all() or not is_seen.any():
        raise DataError(
            "seen and unseen accuracy cannot both be measured",
            expected="rows of seen and of unseen classes",
            received=f"{int(is_seen.sum())} of seen and {int((~is_seen).sum())} of unseen classes",
            remedy="Use a split that holds out rows of both.",
        )
    breakpoints, step = np.unique(winners.gap, return_inverse=True)
    # A right answer adds 1 / (rows of its class x classes of its side) to the mean per-class accuracy.
    n_rows = np.bincount(labels)
    n_seen, n_unseen = (len(np.unique(labels[side])) for side in (is_seen, ~is_seen))
    share = 1.0 / (n_rows[labels] * np.where(is_seen, n_seen, n_unseen))
    right_seen = is_seen & (winners.seen == labels)
    right_unseen = ~is_seen & (winners.unseen == labels)
    lost = np.bincount(step, weights=share * right_seen, minlength=len(breakpoints))
    won = np.bincount(step, weights=share * right_unseen, minlength=len(breakpoints))
    return SeenUnseenCurve(
        # The last offset is just above the largest gap: there every row is answered with an unseen class.
        offsets=np.append(breakpoints, np.nextafter(breakpoints[-1], np.inf)),
        unseen=np.minimum(np.append(0.0, np.cumsum(won)), 1.0),
        seen=np.minimum(np.append(np.cumsum(lost[::-1])[::-1], 0.0), 1.0),
    )


def evaluate_scores(scores: Scores, labels: Labels, *, seen_ids: Ids, unseen_ids: Ids, offset: float = 0.0) -> Metrics:
    """Measure scores of all classes at one offset.

    Args:
        scores: Larger is better; a column per class id.
        labels: The true class of every row, seen or unseen. There is at least one row of each kind.
        seen_ids: The seen classes. Classes without rows are left out of the means.
        unseen_ids: The unseen classes, likewise.
        offset: Subtracted from the scores of seen classes, in the unit of the scores; may be infinite.

    Raises:
        DataError: As `seen_unseen_curve`; also if the offset is NaN.
    """
    return seen_unseen_curve(scores, labels, seen_ids=seen_ids, unseen_ids=unseen_ids).metrics_at(offset)


def one_sided_metrics(
    scores: Scores, labels: Labels, *, seen_ids: Ids, unseen_ids: Ids, offset: float = 0.0
) -> Metrics:
    """Measure what can be measured where rows of seen or of unseen classes are missing, or both.

    Args:
        scores: Larger is better; a column per class id.
        labels: The true class of every row, all on one side; there may be none.
        seen_ids: The seen classes.
        unseen_ids: The unseen classes.
        offset: Subtracted from the scores of seen classes, in their unit.

    Returns:
        S where there are rows of seen classes; T1 and U where there are rows of unseen ones; NaN for the rest.
    """
    if not len(labels):
        return Metrics(t1=np.nan, u=np.nan, s=np.nan, h=np.nan, ausuc=np.nan)
    present = np.unique(labels)
    answers = predict(scores, seen_ids=seen_ids, unseen_ids=unseen_ids, offset=offset)
    right = float(per_class_accuracy(labels, answers, present).mean())
    if np.isin(present[0], seen_ids):
        return Metrics(t1=np.nan, u=np.nan, s=right, h=np.nan, ausuc=np.nan)
    among_unseen, _ = best_among(scores, unseen_ids)
    t1 = float(per_class_accuracy(labels, among_unseen, present).mean())
    return Metrics(t1=t1, u=right, s=np.nan, h=np.nan, ausuc=np.nan)


def confusion(labels: Labels, predictions: Labels, n_classes: int) -> Int64[np.ndarray, "n_classes n_classes"]:
    """Count the rows of every pair of true and answered class.

    Args:
        labels: The true class ids.
        predictions: The answered class ids.
        n_classes: How many classes there are; the result has the square of it cells.

    Returns:
        Counts ``[n_classes, n_classes]``; the row is the true class, the column the answer.
    """
    pairs = np.bincount(labels * n_classes + predictions, minlength=n_classes**2)
    return pairs.reshape(n_classes, n_classes)


def seen_unseen_confusion(
    labels: Labels, predictions: Labels, *, seen_ids: Ids, unseen_ids: Ids
) -> SeenUnseenConfusion:
    """Measure how many rows are answered with a class of the other side.

    Args:
        labels: The true class of every row, seen or unseen. There is at least one row of each kind.
        predictions: The answered class of every row.
        seen_ids: The seen classes.
        unseen_ids: The unseen classes.

    Raises:
        DataError: If a label is neither seen nor unseen.
    """
    is_seen = _rows_of_seen(labels, seen_ids, unseen_ids)
    answered_seen = np.isin(predictions, seen_ids)
    return SeenUnseenConfusion(
        unseen_as_seen=_share(answered_seen[~is_seen]), seen_as_unseen=_share(~answered_seen[is_seen])
    )


def _share(answers: Mask) -> float:
    return float(answers.mean()) if answers.size else np.nan


def _numbers(values: dict[str, float]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in values.items()}


def _row_blocks(scores: Scores) -> Iterator[slice]:
    n_rows, n_classes = scores.shape
    step = max(1, _BLOCK_CELLS // max(1, n_classes))
    return (slice(start, start + step) for start in range(0, n_rows, step))


def _check_columns(scores: Scores, ids: Ids) -> None:
    if len(ids) == 0:
        raise DataError(
            "there is no class to choose from",
            expected="at least one class id",
            remedy="Name the classes that may be answered.",
        )
    if ids[0] < 0 or ids[-1] >= scores.shape[1]:
        raise DataError(
            "a class has no column of scores",
            expected=f"class ids in [0, {scores.shape[1]})",
            received=f"ids from {ids[0]} to {ids[-1]}",
            remedy="Give scores with a column for every class.",
        )


def _winners(scores: Scores, seen_ids: Ids, unseen_ids: Ids) -> _Winners:
    seen, best_seen = best_among(scores, seen_ids)
    unseen, best_unseen = best_among(scores, unseen_ids)
    return _Winners(seen=seen, unseen=unseen, gap=best_seen - best_unseen)


def _rows_of_seen(labels: Labels, seen_ids: Ids, unseen_ids: Ids) -> Mask:
    """Return which rows are of seen classes; every other row is of an unseen class."""
    is_seen = np.isin(labels, seen_ids)
    strangers = labels[~is_seen & ~np.isin(labels, unseen_ids)]
    if len(strangers):
        raise DataError(
            "a label is neither seen nor unseen",
            received=f"class id {strangers[0]}",
            remedy="Name its class among the seen or the unseen ones.",
        )
    return is_seen
