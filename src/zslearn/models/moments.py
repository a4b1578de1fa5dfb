"""First and second moments of training features, from which the closed forms are solved."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve, cholesky, eigh, solve_triangular

from zslearn.data.checks import row_chunks
from zslearn.data.dataset import TrainingView
from zslearn.data.mapped import AnyRows, blocks
from zslearn.errors import DataError
from zslearn.shapes import Features, Ids

Square = Float[np.ndarray, "feature_dim feature_dim"]
FeatureVector = Float[np.ndarray, " feature_dim"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Whitening:
    """A linear map after which rows of one class have about unit covariance."""

    mean: FeatureVector
    """The mean of all training rows; it is mapped to 0."""
    factor: Square
    """Lower triangular; its product with its own transpose is the regularised within-class covariance."""

    def transform(self, features: Features) -> Features:
        """Map features ``[n_rows, feature_dim]``, in float64."""
        centred = features - self.mean
        return np.ascontiguousarray(solve_triangular(self.factor, centred.T, lower=True, overwrite_b=True).T)


@dataclass(frozen=True, kw_only=True, eq=False)
class WhitenedClasses:
    """The seen classes in within-class-whitened features."""

    whitening: Whitening
    """The map that whitens."""
    class_means: Float[np.ndarray, "n_ids feature_dim"]
    """The whitened mean of each class that has rows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingMoments:
    """What the closed forms need to know of the training rows, computed once for all of their settings.

    Its size is the square of the feature dimension, whatever the number of rows.
    """

    class_ids: Ids
    """The classes that have rows, sorted."""
    counts: Float[np.ndarray, " n_ids"]
    """How many rows each of them has."""
    mean: FeatureVector
    """The mean of all rows."""
    class_means: Float[np.ndarray, "n_ids feature_dim"]
    """The mean of the rows of each class, minus the mean of all rows."""
    scatter: Square
    """Sum over rows of the outer product of the centred row with itself."""
    _whitened: dict[float, WhitenedClasses] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, view: TrainingView) -> TrainingMoments:
        """Return the moments of a view, which are computed once and remembered as long as there is the view.

        Raises:
            DataError: If all training rows are equal.
        """
        if view not in _REMEMBERED:
            _REMEMBERED[view] = cls._computed(view)
        return _REMEMBERED[view]

    @classmethod
    def _computed(cls, view: TrainingView) -> TrainingMoments:
        """Go through the training rows, in blocks, with float64 sums."""
        class_ids, positions = np.unique(view.labels, return_inverse=True)
        n_rows, feature_dim = view.features.shape
        mean = _mean(view.features)
        scatter = np.zeros((feature_dim, feature_dim))
        sums = np.zeros((len(class_ids), feature_dim))
        for rows in row_chunks(n_rows, 8 * feature_dim):
            centred = view.features[rows] - mean
            scatter += centred.T @ centred
            sums += _sums_by_class(centred, positions[rows], len(class_ids))
        if not scatter.trace() > 0:
            raise DataError(
                "the training features do not vary",
                expected="rows that differ from each other",
                received=f"{n_rows} equal rows",
                remedy="Extract the features anew.",
            )
        counts = np.bincount(positions).astype(np.float64)
        return cls(
            class_ids=class_ids,
            counts=counts,
            mean=mean,
            class_means=sums / counts[:, None],
            scatter=scatter,
        )

    @property
    def within_class_covariance(self) -> Square:
        """The covariance of rows around the mean of their class."""
        between = (self.class_means * self.counts[:, None]).T @ self.class_means
        within = np.subtract(self.scatter, between, out=between)
        within /= max(1.0, self.counts.sum() - len(self.class_ids))
        return within

    @cached_property
    def axes(self) -> tuple[FeatureVector, Square]:
        """Eigenvalues and eigenvectors (columns) of the Gram matrix of rows as given, kept for all settings."""
        strengths, axes = eigh(self._gram(centred=False))
        return strengths, axes

    def solve_ridge(
        self, regularization: float, targets: Float[np.ndarray, "feature_dim n_targets"], *, centred: bool
    ) -> Float[np.ndarray, "feature_dim n_targets"]:
        """Solve ``(Gram matrix + ridge) weights = targets`` for the weights.

        Args:
            regularization: The ridge, in units of the mean diagonal of the centred Gram matrix, > 0.
            targets: The right-hand side.
            centred: Whether the Gram matrix is of rows minus their mean, or of rows as given.
        """
        gram = self._gram(centred=centred)
        _add_to_diagonal(gram, regularization * self.scatter.trace() / len(gram))
        return np.asarray(cho_solve(cho_factor(gram, overwrite_a=True), targets))

    def whitened(self, shrinkage: float) -> WhitenedClasses:
        """Whiten features within classes; the outcome is kept, so that all settings share one.

        Args:
            shrinkage: In (0, 1]; the weight of a spherical covariance (of the same mean variance) in the mixture.
        """
        if shrinkage not in self._whitened:
            whitening = self._whitening(shrinkage)
            class_means = whitening.transform(self.class_means + self.mean)
            self._whitened[shrinkage] = WhitenedClasses(whitening=whitening, class_means=class_means)
        return self._whitened[shrinkage]

    def _gram(self, *, centred: bool) -> Square:
        if centred:
            return self.scatter.copy()
        gram = np.outer(self.counts.sum() * self.mean, self.mean)
        gram += self.scatter
        return gram

    def _whitening(self, shrinkage: float) -> Whitening:
        covariance = self.within_class_covariance
        # One row per class leaves no spread within classes; all rows together tell the scale then.
        variance = covariance.trace() / len(covariance)
        if not variance > _smallest_variance(self.scatter):
            variance = self.scatter.trace() / len(covariance) / self.counts.sum()
        covariance *= 1 - shrinkage
        _add_to_diagonal(covariance, shrinkage * variance)
        return Whitening(mean=self.mean, factor=cholesky(covariance, lower=True, overwrite_a=True))


def _sums_by_class(rows: Features, positions: Ids, n_classes: int) -> Float[np.ndarray, "n_ids feature_dim"]:
    order = np.argsort(positions, kind="stable")
    there, starts = np.unique(positions[order], return_index=True)
    sums = np.zeros((n_classes, rows.shape[1]))
    sums[there] = np.add.reduceat(rows[order], starts)
    return sums


def _mean(features: AnyRows) -> FeatureVector:
    if isinstance(features, np.ndarray):
        return np.asarray(features.mean(axis=0, dtype=np.float64))
    return np.asarray(sum(block.sum(axis=0, dtype=np.float64) for _, block in blocks(features)) / len(features))


_REMEMBERED: WeakKeyDictionary[TrainingView, TrainingMoments] = WeakKeyDictionary()


def _smallest_variance(scatter: Square) -> float:
    """Return below which variance there is only rounding error."""
    return float(np.finfo(np.float64).eps * scatter.trace())


def _add_to_diagonal(matrix: Square, value: float) -> None:
    matrix[np.diag_indices(len(matrix))] += value
