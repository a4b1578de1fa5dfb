"""What every recogniser offers, however its model came about."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zslearn.data.mapped import AnyRows
from zslearn.errors import ConfigError
from zslearn.shapes import Features, Ids, Scores, Semantics

if TYPE_CHECKING:
    from zslearn.models.base import ModelConfig
    from zslearn.models.closed_form import ClosedForm

_ROWS_AT_ONCE = 8192
_CELLS_AT_ONCE = 1 << 24
_FEATURES_AT_ONCE = 1 << 22


def rows_at_once(n_classes: int, feature_dim: int) -> int:
    """Return how many rows to score at once: a copy of their scores takes 128 MB at most, of their features 16 MB."""
    return max(1, min(_ROWS_AT_ONCE, _CELLS_AT_ONCE // n_classes, _FEATURES_AT_ONCE // feature_dim))


class Recogniser(ABC):
    """Scores samples against classes.

    Attributes:
        model_name: The model's name in the zoo.
        seconds: How long each stage of the fit took.
        updates: How many steps of each stage of the training were planned and done; nothing where none was trained.
    """

    model_name: str
    seconds: dict[str, float]
    updates: dict[str, dict[str, int]]

    @property
    @abstractmethod
    def config(self) -> ModelConfig | ClosedForm:
        """The model's settings."""

    @property
    @abstractmethod
    def feature_space_kind(self) -> str | None:
        """The kind of space in which the model works; None where it takes features as they are."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where it computes."""

    @property
    @abstractmethod
    def reads_unseen_semantics(self) -> bool:
        """Whether its fit read the semantics of unseen classes."""

    @property
    def generates(self) -> bool:
        """Whether it can synthesise samples."""
        return False

    @abstractmethod
    def with_classes(self, semantics: Semantics, seeds: Sequence[int]) -> Recogniser:
        """Return a recogniser that knows more classes.

        The old classes keep their ids, the new ones get the next; no score of an old class changes a bit.

        Args:
            semantics: Raw semantics, one row per new class.
            seeds: Decides what is drawn for each of them.
        """

    @abstractmethod
    def without_classes(self, class_ids: Ids) -> Recogniser:
        """Return a recogniser without some classes; the other ids close up and keep their scores' bits."""

    def scores(self, features: AnyRows) -> Scores:
        """Return one score per row and class id, in float64; larger is better.

        Args:
            features: Raw features, ``[n_rows, feature_dim]``; read in blocks, whatever the number of classes.
        """
        # An empty block tells the number of classes.
        n_classes = self._score_block(features[:0]).shape[1]
        scores = np.empty((len(features), n_classes))
        size = rows_at_once(n_classes, features.shape[1])
        for start in range(0, len(features), size):
            rows = slice(start, start + size)
            scores[rows] = self._score_block(features[rows])
        return scores

    def synthesize(self, semantics: Semantics, n_samples: int, seed: int) -> NDArray[np.float32]:
        """Draw samples of classes, as raw features.

        Args:
            semantics: Raw semantics, ``[n_classes, semantic_dim]``.
            n_samples: How many of each.
            seed: Same seed, same samples.

        Returns:
            ``[n_classes, n_samples, feature_dim]``.

        Raises:
            ConfigError: If the model has no generator.
        """
        return self._draw(semantics, n_samples, seed)

    @abstractmethod
    def arrays(self) -> dict[str, Tensor]:
        """Return all that restoring it needs besides the settings, as named tensors on the host."""

    @abstractmethod
    def _score_block(self, features: Features) -> Scores:
        """Score a block of rows."""

    def _draw(self, semantics: Semantics, n_samples: int, seed: int) -> NDArray[np.float32]:
        """Draw samples, where there is a generator."""
        raise ConfigError(
            f"the model {self.model_name!r} has no generator to draw samples from",
            remedy="Train a generative model; 'zslearn show models' tells which are.",
        )


class Clock:
    """Names the time since the last lap."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Call the time since the last lap by a name."""
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


def arrays_below(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
