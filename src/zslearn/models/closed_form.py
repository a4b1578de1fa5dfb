"""Closed forms: zero-shot classifiers that are solved, not trained, in seconds.

Each is a frozen set of settings with `fit`, which returns what scores samples. Ridges and shrinkages are relative to
the data's own scale, so that one grid serves features of any scale.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from zslearn.configuration import check
from zslearn.data.checks import row_chunks
from zslearn.data.dataset import TrainingView
from zslearn.data.mapped import AnyRows
from zslearn.shapes import Features, Scores, Semantics
from zslearn.spaces import SemanticSpace, unit_rows

Table = Float[np.ndarray, "n_classes table_dim"]
Projected = Float[np.ndarray, "n_rows table_dim"]
Arrays = Mapping[str, NDArray[Any]]
_COPIES = 4
"""As many projections of a row, in float64, may stand beside each other while it is scored."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedClosedForm(ABC):
    """A solved classifier. It knows nothing of single training rows."""

    class_table: Table
    """What mapped rows are compared with, one row per class id."""

    @property
    def projection(self) -> object:
        """What maps features; models with the same object share the outcome of `project`."""
        return self

    @abstractmethod
    def project(self, features: Features) -> Projected:
        """Map features to where classes are compared with them."""

    @abstractmethod
    def score_projected(self, projected: Projected) -> Scores:
        """Score every class for rows that `project` has mapped."""

    @abstractmethod
    def rows_of(self, semantics: Semantics) -> Table:
        """Return the rows that classes without samples would have in the table."""

    def scores(self, features: AnyRows) -> Scores:
        """Score every class; larger is better."""
        (scores,) = scores_of([self], features)
        return scores

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that the settings' ``restore`` needs, as named arrays."""
        return named_arrays(self)


def scores_of(fitted: Sequence[FittedClosedForm], features: AnyRows) -> list[Scores]:
    """Return the scores of models that share a projection, block by block of rows."""
    scores = [np.empty((len(features), len(each.class_table))) for each in fitted]
    for rows in row_chunks(len(features), _COPIES * 8 * features.shape[1]):
        projected = fitted[0].project(features[rows])
        for each, found in zip(fitted, scores, strict=True):
            found[rows] = each.score_projected(projected)
    return scores


@dataclass(frozen=True, kw_only=True)
class ClosedForm(ABC):
    """The settings of a classifier that is solved rather than trained; all of them are checked when made.

    Raises:
        ConfigError: If a setting has a wrong type or lies outside its range.
    """

    Config: ClassVar[type[ClosedForm]]
    """The class of the settings: the closed form itself."""

    def __init_subclass__(cls) -> None:
        """Name the class as its own settings."""
        cls.Config = cls

    def __post_init__(self) -> None:
        """Check the values."""
        check(self)

    @property
    def reads_unseen_semantics(self) -> bool:
        """Whether solving reads the semantics of unseen classes, be it for their mean alone."""
        return False

    @abstractmethod
    def fit(self, view: TrainingView) -> FittedClosedForm:
        """Solve it on the training rows and the semantics of every class."""

    @abstractmethod
    def restore(self, arrays: Arrays) -> FittedClosedForm:
        """Rebuild what ``fit`` returned from its ``arrays``."""

    @classmethod
    @abstractmethod
    def grid(cls) -> tuple[ClosedForm, ...]:
        """Return the settings that are worth trying."""

    @classmethod
    def candidates(cls) -> tuple[ClosedForm, ...]:
        """Return the settings among which a rehearsal chooses, the default, which needs no rehearsal, first."""
        default = cls()
        return default, *(settings for settings in cls.grid() if settings != default)

    @classmethod
    def alternatives(cls, *, n_rows: int, feature_dim: int, non_negative: bool) -> tuple[Mapping[str, Any], ...]:
        """Return the candidates as settings by name; they do not depend on the data."""
        return tuple(asdict(settings) for settings in cls.candidates())


@dataclass(frozen=True, kw_only=True)
class CentredClosedForm(ClosedForm):
    """A closed form that centres semantics on the mean of the classes that it knows."""

    unseen_semantics: bool = True
    """Whether semantics are centred on the mean of all classes. Off, on that of the seen ones alone."""

    @property
    def reads_unseen_semantics(self) -> bool:
        """Whether the centre depends on the semantics of unseen classes."""
        return self.unseen_semantics

    def semantic_space(self, view: TrainingView) -> SemanticSpace:
        """Fit the centring."""
        return SemanticSpace.fit(view.semantics if self.unseen_semantics else view.semantics[view.seen_ids])


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedLinear(FittedClosedForm):
    """A linear map from features to semantics, compared with a table of classes."""

    weights: Float[np.ndarray, "feature_dim table_dim"]
    """Maps features to semantics."""
    intercept: Float[np.ndarray, " table_dim"]
    """What is added to mapped features."""
    space: SemanticSpace
    """Turns raw semantics into rows of the table."""
    normalised: bool
    """Whether mapped features are brought to unit length first: cosine instead of inner product."""

    def project(self, features: Features) -> Projected:
        """Map features to semantics."""
        mapped = features.astype(np.float64) @ self.weights + self.intercept
        return unit_rows(mapped) if self.normalised else mapped

    def score_projected(self, projected: Projected) -> Scores:
        """Score every class for mapped rows."""
        return np.asarray(projected @ self.class_table.T)

    def rows_of(self, semantics: Semantics) -> Table:
        """Return the semantics as the map should give them."""
        return self.space.transform(semantics)

    @classmethod
    def restore(cls, arrays: Arrays, *, normalised: bool) -> FittedLinear:
        """Rebuild it from its arrays."""
        return cls(
            **{name: arrays[name] for name in ("weights", "intercept", "class_table")},
            space=SemanticSpace(centre=arrays["space.centre"], projection=arrays["space.projection"]),
            normalised=normalised,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedMatching(FittedClosedForm):
    """Features compared by cosine with what semantics become in the same space: the rows of the table."""

    space: SemanticSpace
    """Maps raw semantics to where features lie."""

    def project(self, features: Features) -> Projected:
        """Bring features to unit length."""
        return unit_rows(features.astype(np.float64))

    def score_projected(self, projected: Projected) -> Scores:
        """Score every class for rows of unit length."""
        return np.asarray(projected @ self.class_table.T)

    def rows_of(self, semantics: Semantics) -> Table:
        """Return mapped semantics of unit length."""
        return self.space.transform(semantics)

    @classmethod
    def restore(cls, arrays: Arrays) -> FittedMatching:
        """Rebuild it from its arrays."""
        space = SemanticSpace(centre=arrays["space.centre"], projection=arrays["space.projection"])
        return cls(class_table=arrays["class_table"], space=space)


def named_arrays(solved: Any) -> dict[str, NDArray[Any]]:
    """Return the arrays among the fields of a frozen value, and those of the values it is made of, by dotted name.

    They are in row-major order, in which they can be saved.
    """
    named: dict[str, NDArray[Any]] = {}
    for field in fields(solved):
        value = getattr(solved, field.name)
        if is_dataclass(value):
            named |= {f"{field.name}.{name}": array for name, array in named_arrays(value).items()}
        elif isinstance(value, np.ndarray):
            named[field.name] = np.asarray(value, order="C")
    return named
