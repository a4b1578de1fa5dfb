"""The spaces in which models work: scaled or whitened features, centred semantics.

Both are fitted on the training view only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.linalg import eigh

from zslearn.data.checks import row_chunks
from zslearn.errors import DataError
from zslearn.shapes import Features, Labels, Semantics

FeatureSpaceKind = Literal["whitened", "unit", "standard"]
_HIGH_QUANTILE = 0.999
_SMALLEST_SCALE = 1e-6
_SMALLEST_SHARE = 1e-7
_ROUNDING = 1e-11
"""How far apart rows of unit length may come to lie by rounding alone."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureSpace:
    """A map of features into the space in which generators work, and back.

    ``unit`` divides non-negative features by a high quantile of the training rows and clips to [0, 1], for
    generators that end in a sigmoid. ``standard`` subtracts the mean and divides by the standard deviation, for
    generators that end linearly. ``whitened`` raises non-negative features to a power, keeps the leading principal
    components, whitens them within classes, so that rows of one class scatter about evenly in all directions and
    Euclidean distance means something, and brings rows to one length; generators end linearly there too.

    Attributes:
        kind: Which of the three.
        centre: What is subtracted first, ``[feature_dim]``.
        scale: What is divided by next, ``[feature_dim]``, > 0.
        projection: What is multiplied by next, ``[feature_dim, space_dim]``; None but for ``whitened``.
        expansion: The projection's way back, ``[space_dim, feature_dim]``.
        power: To which features are raised before anything else, their signs kept, in (0, 1].
        length: What rows are brought to at last; 0 leaves them as long as they are.
    """

    kind: FeatureSpaceKind
    centre: Float[np.ndarray, " feature_dim"]
    scale: Float[np.ndarray, " feature_dim"]
    projection: Float[np.ndarray, "feature_dim space_dim"] | None = None
    expansion: Float[np.ndarray, "space_dim feature_dim"] | None = None
    power: float = 1.0
    length: float = 0.0

    def __post_init__(self) -> None:
        """Check the numbers, which may come from a file."""
        if not (0.0 < self.power <= 1.0 and 0.0 <= self.length < np.inf):
            raise DataError(
                "the feature space cannot be used",
                expected="a power in (0, 1] and a finite length of at least 0",
                received=f"power {self.power:g}, length {self.length:g}",
                remedy="Fit the feature space again.",
            )

    @classmethod
    def fit(
        cls,
        features: Features,
        labels: Labels,
        kind: Literal["auto", "whitened", "unit", "standard"] = "whitened",
        *,
        n_components: int = 512,
        shrinkage: float = 0.5,
        power: float = 1.0,
        equal_lengths: bool = False,
    ) -> FeatureSpace:
        """Learn the map from training rows.

        Args:
            features: The training rows.
            labels: Their classes; only ``whitened`` reads them.
            kind: ``auto`` takes ``unit`` where no feature is negative, ``standard`` otherwise.
            n_components: Principal components that ``whitened`` keeps, at most.
            shrinkage: Weight in [0, 1] of the spherical target in the shrunk covariance that ``whitened`` divides by.
            power: To which ``whitened`` raises features if none of them is negative, in (0, 1].
            equal_lengths: Whether ``whitened`` brings rows to one length, the mean one.

        Raises:
            DataError: If ``unit`` is asked for and features are negative.
        """
        negative = bool((features < 0).any())
        if kind == "whitened":
            space = _whitened(features, labels, n_components, shrinkage, 1.0 if negative else power)
            return space._with_equal_lengths(features) if equal_lengths else space
        if kind == "unit" and negative:
            raise DataError(
                "features are negative, which the feature space 'unit' cannot hold",
                remedy="Set feature_space to whitened, standard or auto.",
            )
        if kind == "standard" or negative:
            centre = features.mean(axis=0, dtype=np.float64)
            scale = features.std(axis=0, dtype=np.float64)
            chosen: FeatureSpaceKind = "standard"
        else:
            centre = np.zeros(features.shape[1])
            scale = np.quantile(features, _HIGH_QUANTILE, axis=0)
            chosen = "unit"
        # Features in small units have small scales, all of them; one in large units must not hide the others.
        smallest = _SMALLEST_SCALE * min(1.0, float(scale.max()))
        usable = np.where(scale > smallest, scale, 1.0)
        return cls(kind=chosen, centre=centre.astype(np.float32), scale=usable.astype(np.float32))

    def transform(self, features: Features) -> Features:
        """Map features into the space, as float32."""
        space_dim = features.shape[1] if self.projection is None else self.projection.shape[1]
        mapped = np.empty((len(features), space_dim), dtype=np.float32)
        for rows in _blocks(features):
            mapped[rows] = self._mapped(features[rows].astype(np.float32, copy=False))
        return mapped

    def inverse(self, mapped: Float[np.ndarray, "... space_dim"]) -> Float[np.ndarray, "... feature_dim"]:
        """Map points of the space back to features; what ``transform`` clipped or dropped stays lost."""
        expanded = (mapped if self.expansion is None else mapped @ self.expansion) * self.scale + self.centre
        return _signed_power(expanded, 1.0 / self.power)

    def _mapped(self, features: Features) -> Features:
        mapped = (_signed_power(features, self.power) - self.centre) / self.scale
        if self.projection is not None:
            mapped = mapped @ self.projection
        if self.length > 0:
            mapped *= self.length / _lengths(mapped)
        return np.clip(mapped, 0.0, 1.0, out=mapped) if self.kind == "unit" else mapped

    def _with_equal_lengths(self, features: Features) -> FeatureSpace:
        return replace(self, length=float(_lengths(self.transform(features)).mean()))


@dataclass(frozen=True, kw_only=True, eq=False)
class SemanticSpace:
    """A map of raw semantics to condition vectors of unit length.

    Semantics are L2-normalised, centred, and rotated to their principal axes, whose strengths are then raised to a
    power: 1 keeps the geometry, 0.5 lets weaker axes count for more, as where a few axes outshine the rest. The
    map is fitted once and kept, so that a class added later changes nothing for the others.

    Attributes:
        centre: What is subtracted from the L2-normalised semantics, ``[semantic_dim]``.
        projection: What is multiplied by before the last normalisation, ``[semantic_dim, condition_dim]``.
    """

    centre: Float[np.ndarray, " semantic_dim"]
    projection: Float[np.ndarray, "semantic_dim condition_dim"]

    @classmethod
    def fit(cls, semantics: Semantics, power: float = 1.0, *, centring: bool = True) -> SemanticSpace:
        """Learn centre and axes from the semantics of all classes that may be known in training.

        Args:
            semantics: Raw semantics, a row per class.
            power: To which the strengths of the principal axes are raised, in [0, 1].
            centring: Off, semantics are L2-normalised and nothing else.

        Raises:
            DataError: If nothing is left of them when they are centred, because all point the same way.
        """
        if not centring:
            semantic_dim = semantics.shape[1]
            return cls(centre=np.zeros(semantic_dim), projection=np.eye(semantic_dim))
        check_directions(semantics)
        unit = unit_rows(semantics)
        centre = unit.mean(axis=0)
        _, strengths, axes = np.linalg.svd(unit - centre, full_matrices=False)
        kept = strengths > _SMALLEST_SHARE * strengths[0]
        projection = axes[kept].T * strengths[kept] ** (power - 1.0)
        return cls(centre=centre, projection=projection)

    def transform(self, semantics: Semantics) -> Float[np.ndarray, "n_classes condition_dim"]:
        """Map raw semantics to condition vectors of length 1."""
        return unit_rows((unit_rows(semantics) - self.centre) @ self.projection)


def check_directions(semantics: Semantics) -> None:
    """Make sure that something is left of semantics when they are normalised and centred.

    Args:
        semantics: Raw semantics, a row per class.

    Raises:
        DataError: If all point the same way, up to rounding.
    """
    unit = unit_rows(semantics)
    if np.linalg.norm(unit - unit.mean(axis=0)) > _ROUNDING * np.sqrt(len(unit)):
        return
    raise DataError(
        "the semantics that training knows all point the same way",
        expected="at least two classes whose semantics differ in more than their length",
        received=f"semantics of {len(unit)} classes in one direction",
        remedy="Describe the classes by more attributes; where there is a single seen class, let training know "
        "the semantics of unseen ones too (unseen_semantics).",
    )


def _whitened(features: Features, labels: Labels, n_components: int, shrinkage: float, power: float) -> FeatureSpace:
    blocks, feature_dim = list(_blocks(features)), features.shape[1]
    total = np.zeros(feature_dim)
    for rows in blocks:
        total += _signed_power(features[rows], power).sum(axis=0, dtype=np.float64)
    centre = total / len(features)

    def centred(rows: slice) -> Features:
        return _signed_power(features[rows], power) - centre.astype(np.float32)

    scatter = np.zeros((feature_dim, feature_dim))
    for rows in blocks:
        block = centred(rows)
        with np.errstate(over="ignore", invalid="ignore"):
            scatter += block.T @ block
    n_kept = min(n_components, *features.shape)
    last = feature_dim - 1
    if not np.isfinite(scatter).all() or not scatter.any():
        raise DataError(
            "the training features cannot be whitened",
            expected="rows that differ, with values that can be squared in single precision",
            received=f"values from {features.min():.3g} to {features.max():.3g}",
            remedy="Rescale the features, or extract them anew.",
        )
    strengths, axes = eigh(scatter.T, overwrite_a=True, subset_by_index=(last - n_kept + 1, last))
    del scatter
    axes = axes[:, strengths > _SMALLEST_SHARE * strengths[-1]]
    projection = axes.astype(np.float32)
    projected = np.empty((len(features), projection.shape[1]), dtype=np.float32)
    for rows in blocks:
        projected[rows] = centred(rows) @ projection
    within = _within_class_covariance(projected, labels)
    variances, rotation = np.linalg.eigh(within)
    # One row per class leaves no spread within classes; the spread of all rows tells the scale then.
    smallest = _SMALLEST_SHARE * float(strengths.sum()) / (len(features) * len(variances))
    mean_variance = variances.mean() if variances.mean() > smallest else smallest / _SMALLEST_SHARE
    deviations = np.sqrt(np.maximum((1.0 - shrinkage) * variances + shrinkage * mean_variance, smallest))
    return FeatureSpace(
        kind="whitened",
        centre=centre.astype(np.float32),
        scale=np.ones(feature_dim, dtype=np.float32),
        projection=(axes @ (rotation / deviations)).astype(np.float32),
        expansion=((rotation * deviations).T @ axes.T).astype(np.float32),
        power=power,
    )


def _within_class_covariance(rows: Float[np.ndarray, "n_rows dim"], labels: Labels) -> Float[np.ndarray, "dim dim"]:
    _, ranks, counts = np.unique(labels, return_inverse=True, return_counts=True)
    members = np.split(np.argsort(ranks, kind="stable"), np.cumsum(counts)[:-1])
    means = np.stack([rows[own].mean(axis=0, dtype=np.float64) for own in members])
    scatter = np.zeros((rows.shape[1], rows.shape[1]))
    for block in _blocks(rows):
        residuals = rows[block] - means[ranks[block]]
        scatter += residuals.T @ residuals
    return scatter / max(1, len(rows) - len(counts))


def _blocks(rows: Float[np.ndarray, "n_rows dim"]) -> Iterator[slice]:
    """Yield slices of rows that take about 16 MB in float64."""
    return row_chunks(len(rows), 8 * rows.shape[1])


def _signed_power(values: Float[np.ndarray, "*shape"], power: float) -> Float[np.ndarray, "*shape"]:
    if power == 1.0:
        return values
    # In one copy: of the rows of many features several would take much memory.
    raised = np.abs(values)
    raised **= power
    return np.copysign(raised, values, out=raised)


def _lengths(rows: Float[np.ndarray, "n_rows dim"]) -> Float[np.ndarray, "n_rows 1"]:
    """Return the length of every row; of a row of zeros 1, which leaves it what it is."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(lengths > 0, lengths, 1.0).astype(rows.dtype)


def unit_rows(rows: Float[np.ndarray, "n_rows dim"]) -> Float[np.ndarray, "n_rows dim"]:
    """Bring every row to length 1; a row of zeros stays one."""
    return rows / _lengths(rows)
