"""Closed-form references: zero-shot classifiers that are solved, not trained, in seconds.

Each is a frozen set of settings with `fit`, which returns an object with `scores`. Ridges and shrinkages
are relative to the data's own scale, so that one grid serves features of any scale. No semantics of
unseen classes are needed beyond their rows in the class table and, where centred, in its mean.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Float

from zslearn.classifiers.moments import TrainingMoments, Whitening
from zslearn.data.dataset import TrainingView
from zslearn.errors import ConfigError
from zslearn.shapes import Features, Ids, Scores, Semantics
from zslearn.spaces import SemanticSpace

Kernel = Literal["linear", "rbf"]
Scoring = Literal["cosine", "gaussian"]
Table = Float[np.ndarray, "n_classes table_dim"]
Projected = Float[np.ndarray, "n_rows table_dim"]
SeenMeans = Float[np.ndarray, "n_seen table_dim"]


class FittedClosedForm(Protocol):
    """A solved classifier. It knows nothing of single training rows."""

    @property
    def projection(self) -> object:
        """What maps features; models with the same object share the outcome of `project`."""

    def project(self, features: Features) -> Projected:
        """Map features to where classes are compared with them."""

    def score_projected(self, projected: Projected) -> Scores:
        """Score every class for rows that `project` has mapped."""

    def scores(self, features: Features) -> Scores:
        """Score every class; larger is better."""


class ClosedForm(Protocol):
    """The settings of a classifier that is solved rather than trained."""

    def fit(self, view: TrainingView, moments: TrainingMoments | None = None) -> FittedClosedForm:
        """Solve it on a training view, whose moments may be given where they are known already."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedLinear:
    """A linear map from features to semantics, compared with a table of classes."""

    weights: Float[np.ndarray, "feature_dim table_dim"]
    """Maps features to semantics."""
    intercept: Float[np.ndarray, " table_dim"]
    """What is added to mapped features."""
    class_table: Table
    """One row per class id: its semantics as the map should give them."""
    normalised: bool
    """Whether mapped features are brought to unit length first: cosine instead of inner product."""
    semantic_mean: Float[np.ndarray, " table_dim"]
    """What was subtracted from unit-length semantics to make the table; 0 where they are not centred."""

    @property
    def projection(self) -> object:
        """The map itself."""
        return self

    def project(self, features: Features) -> Projected:
        """Map features to semantics."""
        mapped = features.astype(np.float64) @ self.weights + self.intercept
        return _unit_rows(mapped) if self.normalised else mapped

    def score_projected(self, projected: Projected) -> Scores:
        """Score every class for mapped rows."""
        return np.asarray(projected @ self.class_table.T)

    def scores(self, features: Features) -> Scores:
        """Score every class; larger is better."""
        return self.score_projected(self.project(features))


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedPrototypes:
    """One prototype per class in within-class-whitened features."""

    whitening: Whitening
    """Maps features to where prototypes lie."""
    class_table: Table
    """One row per class id: its prototype."""
    semantic_mean: Float[np.ndarray, " semantic_dim"]
    """What was subtracted from unit-length semantics before prototypes were predicted from them."""
    scoring: Scoring
    """How a row is compared with a prototype."""

    @property
    def projection(self) -> object:
        """The whitening, which several models may share."""
        return self.whitening

    def project(self, features: Features) -> Projected:
        """Whiten features."""
        return self.whitening.transform(features)

    def score_projected(self, projected: Projected) -> Scores:
        """Score every class for whitened rows."""
        if self.scoring == "cosine":
            return np.asarray(_unit_rows(projected) @ _unit_rows(self.class_table).T)
        return -_squared_distances(projected, self.class_table) / 2

    def scores(self, features: Features) -> Scores:
        """Score every class; larger is better."""
        return self.score_projected(self.project(features))


@dataclass(frozen=True, kw_only=True)
class ESZSL:
    """Embarrassingly simple zero-shot learning: a bilinear map fitted by squared error with two ridges.

    Source: Romera-Paredes & Torr, "An embarrassingly simple approach to zero-shot learning", ICML 2015,
    equation 6: ``V = (X'X + g I)^-1 X'Y S (S'S + l I)^-1`` with targets ``Y`` of 1 and -1; class ``c``
    scores ``x' V a_c``.
    Differs from the source: semantics are brought to unit length, as given and not centred; the ridge on
    features is relative to their scale.
    """

    feature_ridge: float = 0.3
    """Ridge on features, in units of the mean variance of a feature summed over rows; > 0."""
    semantic_ridge: float = 0.01
    """Ridge on semantics of unit length; > 0."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        _check_positive("feature_ridge", self.feature_ridge)
        _check_positive("semantic_ridge", self.semantic_ridge)

    def fit(self, view: TrainingView, moments: TrainingMoments | None = None) -> FittedLinear:
        """Solve it.

        Args:
            view: The training rows and the semantics of every class.
            moments: The moments of the same view, where they are known already.
        """
        moments = TrainingMoments.of(view) if moments is None else moments
        table = _unit_rows(view.semantics)
        seen = table[moments.class_ids]
        sums = (moments.class_means + moments.mean) * moments.counts[:, None]
        targets = 2 * sums.T - sums.sum(axis=0)[:, None]
        # S (S'S + l I)^-1 = (SS' + l I)^-1 S, which is as small as the number of seen classes.
        semantic_gram = seen @ seen.T + self.semantic_ridge * np.eye(len(seen))
        by_class = moments.solve_ridge(self.feature_ridge, targets, centred=False)
        return FittedLinear(
            weights=by_class @ np.linalg.solve(semantic_gram, seen),
            intercept=np.zeros(table.shape[1]),
            class_table=table,
            normalised=False,
            semantic_mean=np.zeros(table.shape[1]),
        )

    @classmethod
    def grid(cls) -> tuple[ESZSL, ...]:
        """Return the settings among which a rehearsal chooses."""
        ridges = itertools.product((0.1, 0.3, 1.0, 3.0), (0.001, 0.01))
        return tuple(cls(feature_ridge=feature, semantic_ridge=semantic) for feature, semantic in ridges)


@dataclass(frozen=True, kw_only=True)
class RidgeCosine:
    """Ridge regression from features to centred semantics, scored by cosine.

    Class ``c`` scores ``cos(W'(x - mean x) + mean b, b_c)`` with ``b_c = normalise(a_c - mean of a)``, the
    mean over every class of the view.
    """

    ridge: float = 0.3
    """In units of the mean variance of a feature summed over rows; > 0."""

    def __post_init__(self) -> None:
        """Check the range."""
        _check_positive("ridge", self.ridge)

    def fit(self, view: TrainingView, moments: TrainingMoments | None = None) -> FittedLinear:
        """Solve it.

        Args:
            view: The training rows and the semantics of every class.
            moments: The moments of the same view, where they are known already.
        """
        moments = TrainingMoments.of(view) if moments is None else moments
        space = SemanticSpace.fit(view.semantics)
        table = space.transform(view.semantics)
        seen = table[moments.class_ids]
        target_mean = moments.counts @ seen / moments.counts.sum()
        targets = (moments.class_means * moments.counts[:, None]).T @ (seen - target_mean)
        weights = moments.solve_ridge(self.ridge, targets, centred=True)
        return FittedLinear(
            weights=weights,
            intercept=target_mean - moments.mean @ weights,
            class_table=table,
            normalised=True,
            semantic_mean=space.centre,
        )

    @classmethod
    def grid(cls) -> tuple[RidgeCosine, ...]:
        """Return the settings among which a rehearsal chooses."""
        return tuple(cls(ridge=ridge) for ridge in (0.03, 0.1, 0.3, 1.0, 3.0, 10.0))


@dataclass(frozen=True, kw_only=True)
class KernelRidgePrototypes:
    """Prototypes of unseen classes by kernel ridge regression from semantics to class means.

    Features are centred and whitened within classes: afterwards rows of one class have about unit
    covariance. Seen classes keep their real means ``M``; an unseen class with centred semantics ``b`` gets
    ``k(b, B) (K + ridge I)^-1 M``. Rows are compared with prototypes by cosine, or by half the negative
    squared distance, the log-density of Gaussians of unit covariance up to a constant.
    """

    scoring: Scoring = "cosine"
    """``cosine``, or ``gaussian`` for half the negative squared distance."""
    kernel: Kernel = "linear"
    """``linear``: the inner product of centred semantics; ``rbf``: a Gaussian of their distance."""
    width: float = 1.0
    """Standard deviation of the ``rbf`` kernel, in units of the median distance between seen classes; > 0."""
    ridge: float = 0.1
    """Ridge on the kernel matrix, whose diagonal is 1; > 0."""
    shrinkage: float = 0.85
    """Share of a round covariance in the within-class covariance that is whitened; in (0, 1]."""

    def __post_init__(self) -> None:
        """Check names and ranges."""
        _check_choice("scoring", self.scoring, ("cosine", "gaussian"))
        _check_choice("kernel", self.kernel, ("linear", "rbf"))
        _check_positive("width", self.width)
        _check_positive("ridge", self.ridge)
        _check_positive("shrinkage", self.shrinkage)
        if self.shrinkage > 1:
            raise ConfigError("shrinkage is too large", expected="(0, 1]", received=f"{self.shrinkage:g}")

    def fit(self, view: TrainingView, moments: TrainingMoments | None = None) -> FittedPrototypes:
        """Solve it.

        Args:
            view: The training rows and the semantics of every class.
            moments: The moments of the same view, where they are known already.
        """
        moments = TrainingMoments.of(view) if moments is None else moments
        whitened = moments.whitened(self.shrinkage)
        space = SemanticSpace.fit(view.semantics)
        table = self._predict_means(space.transform(view.semantics), moments.class_ids, whitened.class_means)
        table[moments.class_ids] = whitened.class_means
        return FittedPrototypes(
            whitening=whitened.whitening,
            class_table=table,
            semantic_mean=space.centre,
            scoring=self.scoring,
        )

    @classmethod
    def grid(cls, scoring: Scoring = "cosine") -> tuple[KernelRidgePrototypes, ...]:
        """Return the settings among which a rehearsal chooses.

        Args:
            scoring: The same in all of them.
        """
        kernels: tuple[tuple[Kernel, float, float], ...] = (
            ("linear", 1.0, 0.03),
            ("linear", 1.0, 0.1),
            ("linear", 1.0, 0.3),
            ("rbf", 1.0, 0.1),
            ("rbf", 2.0, 0.03),
        )
        return tuple(
            cls(scoring=scoring, kernel=kernel, width=width, ridge=ridge, shrinkage=shrinkage)
            for shrinkage in (0.3, 0.6, 0.85)
            for kernel, width, ridge in kernels
        )

    def _predict_means(self, semantics: Semantics, seen_ids: Ids, seen_means: SeenMeans) -> Table:
        """Regress the means of all classes from those of the seen ones."""
        kernel = self._kernel(semantics, semantics[seen_ids])
        regularized = kernel[seen_ids] + self.ridge * np.eye(len(seen_ids))
        return np.asarray(kernel @ np.linalg.solve(regularized, seen_means))

    def _kernel(self, semantics: Semantics, seen: Semantics) -> Float[np.ndarray, "n_classes n_seen"]:
        if self.kernel == "linear":
            return np.asarray(semantics @ seen.T)
        squared = _squared_distances(semantics, seen)
        between_seen = _squared_distances(seen, seen)[np.triu_indices(len(seen), k=1)]
        unit = float(np.median(between_seen)) if between_seen.any() else 1.0
        return np.asarray(np.exp(-squared / (2 * self.width**2 * unit)))


def _unit_rows(rows: Float[np.ndarray, "n_vectors dim"]) -> Float[np.ndarray, "n_vectors dim"]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1.0)


def _squared_distances(
    rows: Float[np.ndarray, "n_vectors dim"], others: Float[np.ndarray, "n_others dim"]
) -> Float[np.ndarray, "n_vectors n_others"]:
    lengths, other_lengths = ((points**2).sum(axis=1) for points in (rows, others))
    squared = lengths[:, None] + other_lengths - 2 * rows @ others.T
    return np.asarray(np.maximum(squared, 0.0, out=squared))


def _check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ConfigError(f"{name} is too small", expected="a number above 0", received=f"{value:g}")


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{name} has an unknown value", expected=" or ".join(known), received=repr(value))
