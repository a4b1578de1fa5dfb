"""DEM: a deep embedding of semantics into the space of features, where the nearest class wins.

Source: L. Zhang, T. Xiang, S. Gong, "Learning a Deep Embedding Model for Zero-Shot Learning", CVPR 2017, equations 1
and 2: two layers, each behind a rectifier, send the semantics of a class to its features under squared error and an L2
penalty on the weights; a sample takes the class whose embedding is nearest.

Differs from the source: features of no sign are standardised and met by a linear last layer; leaky rectifiers between
layers, as in all networks here; the squared error is summed over dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, final

import torch
from torch.nn import functional

from zslearn.configuration import Range
from zslearn.losses.preservation import gaussian_scores
from zslearn.losses.variational import squared_error
from zslearn.models.base import Task
from zslearn.models.embedding import EmbeddingConfig, EmbeddingModel
from zslearn.nets import Perceptron
from zslearn.tensors import ClassSemantics, FeatureBatch, ScoreBatch, SemanticBatch
from zslearn.training.plan import Step, Terms
from zslearn.training.streams import Streams


@dataclass(frozen=True, kw_only=True)
class DEMConfig(EmbeddingConfig):
    """Settings of DEM."""

    feature_space: Literal["whitened", "unit", "standard", "auto"] = "auto"
    """Where the model works; the source takes non-negative features as they are."""
    hidden_dim: Annotated[int, Range(1)] = 700
    """Width of the hidden layer; in the source 300 for AwA and 700 for CUB."""
    batch_size: Annotated[int, Range(2)] = 64
    """Samples in an update; 64 in the source."""
    penalty_weight: Annotated[float, Range(0)] = 1e-2
    """Weight of the sum of all squared weights; 1e-3 and 1e-2 in the source."""


@final
class DEM(EmbeddingModel):
    """Two layers from semantics to features.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    Config = DEMConfig
    config: DEMConfig

    def __init__(self, task: Task, config: DEMConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        self.embedding = Perceptron((task.semantic_dim, config.hidden_dim, task.feature_dim), streams, "embedding")

    def loss(self, step: Step) -> Terms:
        """Squared error of the embedded class, and the L2 penalty on weights."""
        weights = [part for name, part in self.embedding.named_parameters() if name.endswith("weight")]
        return {
            "regression": squared_error(self.embed(step.semantics), step.features),
            "penalty": self.config.penalty_weight
            * torch.stack([weight.square().sum((-2, -1)) for weight in weights]).sum(0),
        }

    def embed(self, semantics: SemanticBatch) -> FeatureBatch:
        """Send semantics into feature space."""
        embedded = self.embedding(semantics)
        return functional.relu(embedded) if self.task.kind == "unit" else embedded

    def semantic_scores(self, features: FeatureBatch, semantics: ClassSemantics) -> ScoreBatch:
        """Half the negative squared distance from each embedded class, up to a term of the sample."""
        return gaussian_scores(features, self.embed(semantics))
