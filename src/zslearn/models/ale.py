"""ALE: attribute label embedding, a bilinear compatibility trained to rank the right class first.

Source: Z. Akata, F. Perronnin, Z. Harchaoui, C. Schmid, "Label-Embedding for Image Classification", IEEE TPAMI 38
(2016) 1425-1438: ``F(x, y) = theta(x)' W phi(y)``, trained by the weighted approximate ranking objective
``mean over n of beta_r / r sum over y of max(0, 1 + F(x_n, y) - F(x_n, y_n))``, where ``r`` counts the classes that
violate the margin and ``beta_r = 1 + 1/2 + ... + 1/r``.

Differs from the source: the sum runs over all seen classes instead of being sampled; Adam on batches instead of
stochastic gradient descent on single samples; standardised features instead of Fisher vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, final

from zslearn.configuration import Range
from zslearn.losses.ranking import rank_weighted_hinge
from zslearn.models.embedding import BilinearModel, EmbeddingConfig
from zslearn.training.plan import Step, Terms


@dataclass(frozen=True, kw_only=True)
class ALEConfig(EmbeddingConfig):
    """Settings of ALE."""

    margin: Annotated[float, Range(0, low_open=True)] = 1.0
    """By how much the right class must score above every other; 1 in the source."""


@final
class ALE(BilinearModel):
    """A bilinear map under a ranking loss that favours the top of the ranking.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    Config = ALEConfig
    config: ALEConfig

    def loss(self, step: Step) -> Terms:
        """Rank-weighted hinge over seen classes."""
        labels = self.task.seen_ranks(step.labels)
        return {"ranking": rank_weighted_hinge(self.seen_scores(step), labels, self.config.margin)}
