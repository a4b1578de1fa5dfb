"""Prototypes of unseen classes by kernel ridge regression from semantics to class means.

Features are centred and whitened within classes: afterwards rows of one class have about unit covariance. Seen classes
keep their real means ``M``; an unseen class with centred semantics ``b`` gets ``k(b, B) (K + ridge I)^-1 M``. Rows are
compared with prototypes by cosine, or by half the negative squared distance, the log-density of Gaussians of unit
covariance up to a constant.

Source of the regression: C. Saunders, A. Gammerman, V. Vovk, "Ridge Regression Learning Algorithm in Dual Variables",
ICML 1998. Regressing class means from semantics by kernels is EXEM's idea: S. Changpinyo, W.-L. Chao,
F. Sha, "Predicting Visual Exemplars of Unseen Classes for Zero-Shot Learning", ICCV 2017.

Differs from the latter: ridge instead of support vector regression, whitening within classes instead of PCA, real means
for seen classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, final

import numpy as np
from jaxtyping import Float

from zslearn.configuration import Range
from zslearn.data.dataset import TrainingView
from zslearn.models.closed_form import Arrays, CentredClosedForm, FittedClosedForm, Projected, Table
from zslearn.models.moments import TrainingMoments, Whitening
from zslearn.shapes import Features, Scores, Semantics
from zslearn.spaces import SemanticSpace, unit_rows

Kernel = Literal["linear", "rbf"]
Scoring = Literal["cosine", "gaussian"]
SeenMeans = Float[np.ndarray, "n_seen table_dim"]


@dataclass(frozen=True, kw_only=True, eq=False)
class KernelRegression:
    """A solved regression from semantics to class means."""

    space: SemanticSpace
    """Centres raw semantics."""
    seen: Float[np.ndarray, "n_seen condition_dim"]
    """The centred semantics of seen classes."""
    duals: SeenMeans
    """What a class gets of each of them, by its kernel with it."""
    bandwidth: Float[np.ndarray, ""]
    """Twice the variance of the ``rbf`` kernel; 0 stands for the linear one."""

    def means(self, semantics: Semantics) -> Table:
        """Return the mean of each class with the given raw semantics."""
        return np.asarray(kernel_matrix(self.space.transform(semantics), self.seen, self.bandwidth) @ self.duals)


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedPrototypes(FittedClosedForm):
    """One prototype per class in within-class-whitened features: the rows of the table."""

    whitening: Whitening
    """Maps features to where prototypes lie."""
    regression: KernelRegression
    """Tells the prototypes of classes without rows."""
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
            return np.asarray(unit_rows(projected) @ unit_rows(self.class_table).T)
        return -squared_distances(projected, self.class_table) / 2

    def rows_of(self, semantics: Semantics) -> Table:
        """Return regressed prototypes."""
        return self.regression.means(semantics)


@dataclass(frozen=True, kw_only=True)
class KernelRidge(CentredClosedForm):
    """Settings of kernel-ridge prototypes."""

    scoring: Scoring = "cosine"
    """How a row is compared with a prototype: by cosine, or by half the negative squared distance (gaussian)."""
    kernel: Kernel = "linear"
    """The inner product of centred semantics (linear), or a Gaussian of their distance (rbf)."""
    width: Annotated[float, Range(0, low_open=True)] = 1.0
    """Standard deviation of the ``rbf`` kernel, in units of the median distance between seen classes."""
    ridge: Annotated[float, Range(0, low_open=True)] = 0.1
    """Ridge on the kernel matrix, whose diagonal is 1."""
    shrinkage: Annotated[float, Range(0, 1, low_open=True)] = 0.85
    """Weight of the spherical target in the shrunk within-class covariance that is whitened."""

    def fit(self, view: TrainingView) -> FittedPrototypes:
        """Solve it on the training rows and the semantics of every class."""
        moments = TrainingMoments.of(view)
        whitened = moments.whitened(self.shrinkage)
        space = self.semantic_space(view)
        seen = space.transform(view.semantics[moments.class_ids])
        bandwidth = self._bandwidth(seen)
        regularized = kernel_matrix(seen, seen, bandwidth) + self.ridge * np.eye(len(seen))
        duals = np.linalg.solve(regularized, whitened.class_means)
        regression = KernelRegression(space=space, seen=seen, duals=duals, bandwidth=bandwidth)
        table = regression.means(view.semantics)
        table[moments.class_ids] = whitened.class_means
        return FittedPrototypes(
            whitening=whitened.whitening, class_table=table, regression=regression, scoring=self.scoring
        )

    def restore(self, arrays: Arrays) -> FittedPrototypes:
        """Rebuild what ``fit`` returned from its ``arrays``."""
        return FittedPrototypes(
            whitening=Whitening(mean=arrays["whitening.mean"], factor=arrays["whitening.factor"]),
            class_table=arrays["class_table"],
            regression=KernelRegression(
                space=SemanticSpace(
                    centre=arrays["regression.space.centre"], projection=arrays["regression.space.projection"]
                ),
                **{name: arrays[f"regression.{name}"] for name in ("seen", "duals", "bandwidth")},
            ),
            scoring=self.scoring,
        )

    @classmethod
    def grid(cls) -> tuple[KernelRidge, ...]:
        """Return five kernels at three shrinkages."""
        kernels: tuple[tuple[Kernel, float, float], ...] = (
            ("linear", 1.0, 0.03),
            ("linear", 1.0, 0.1),
            ("linear", 1.0, 0.3),
            ("rbf", 1.0, 0.1),
            ("rbf", 2.0, 0.03),
        )
        return tuple(
            cls(kernel=kernel, width=width, ridge=ridge, shrinkage=shrinkage)
            for shrinkage in (0.3, 0.6, 0.85)
            for kernel, width, ridge in kernels
        )

    def _bandwidth(self, seen: Semantics) -> Float[np.ndarray, ""]:
        if self.kernel == "linear":
            return np.array(0.0)
        between_seen = squared_distances(seen, seen)[np.triu_indices(len(seen), k=1)]
        unit = float(np.median(between_seen)) if between_seen.any() else 1.0
        return np.array(2 * self.width**2 * unit)


@final
@dataclass(frozen=True, kw_only=True)
class KernelRidgeCosine(KernelRidge):
    """Settings of kernel-ridge prototypes compared by cosine."""


@final
@dataclass(frozen=True, kw_only=True)
class KernelRidgeGaussian(KernelRidge):
    """Settings of kernel-ridge prototypes compared by distance."""

    scoring: Scoring = "gaussian"
    """How a row is compared with a prototype: by cosine, or by half the negative squared distance (gaussian)."""


def kernel_matrix(
    semantics: Semantics, seen: Float[np.ndarray, "n_seen semantic_dim"], bandwidth: Float[np.ndarray, ""]
) -> Float[np.ndarray, "n_classes n_seen"]:
    """Return the kernel of each class with each seen one: a Gaussian, or the inner product at bandwidth 0."""
    if bandwidth == 0.0:
        return np.asarray(semantics @ seen.T)
    return np.asarray(np.exp(-squared_distances(semantics, seen) / bandwidth))


def squared_distances(
    rows: Float[np.ndarray, "n_vectors dim"], others: Float[np.ndarray, "n_others dim"]
) -> Float[np.ndarray, "n_vectors n_others"]:
    """Return the squared distance of every row from every other."""
    lengths, other_lengths = ((points**2).sum(axis=1) for points in (rows, others))
    squared = lengths[:, None] + other_lengths - 2 * rows @ others.T
    return np.asarray(np.maximum(squared, 0.0, out=squared))
