"""DeViSE: a deep visual-semantic embedding, a linear map of features under a hinge on inner products with semantics.

Source: A. Frome et al., "DeViSE: A Deep Visual-Semantic Embedding Model", NeurIPS 2013, equation 1:
``sum over wrong j of max(0, 0.1 - t_y M v(x) + t_j M v(x))`` with semantics ``t`` of unit length.

Differs from the source: features are given and fixed, where the source goes on to train the network below; the sum runs
over all seen classes, where the source stops at the first random one that violates the margin; classes are ranked by
the inner product of the loss, which for semantics of unit length ranks as the cosine does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, final

from zslearn.configuration import Range
from zslearn.losses.ranking import hinge
from zslearn.models.embedding import BilinearModel, EmbeddingConfig
from zslearn.training.plan import Step, Terms


@dataclass(frozen=True, kw_only=True)
class DeViSEConfig(EmbeddingConfig):
    """Settings of DeViSE."""

    margin: Annotated[float, Range(0, low_open=True)] = 0.1
    """By how much the right class must score above every other; 0.1 in the source."""


@final
class DeViSE(BilinearModel):
    """A linear map of features into semantic space under a hinge loss.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    Config = DeViSEConfig
    config: DeViSEConfig

    def loss(self, step: Step) -> Terms:
        """Hinge over seen classes."""
        labels = self.task.seen_ranks(step.labels)
        return {"hinge": hinge(self.seen_scores(step), labels, self.config.margin)}
