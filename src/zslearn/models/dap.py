"""DAP: direct attribute prediction; each attribute is told from features on its own, then classes by their attributes.

Source: C. H. Lampert, H. Nickisch, S. Harmeling, "Learning to Detect Unseen Object Classes by Between-Class Attribute
Transfer", CVPR 2009, and "Attribute-Based Classification for Zero-Shot Visual Object Categorization", IEEE TPAMI 36
(2014) 453-465: class ``c`` with attributes ``a_1 .. a_M`` scores ``sum over m of log p(a_m | x) - log p(a_m)``, where
the prior ``p(a_m)`` is the share of seen classes that have the attribute.

Differs from the source: real-valued semantics become attributes by a threshold for each: a class has an attribute
where its value, after all semantics were brought to unit length, exceeds the mean over the classes known in training,
where the source has one threshold for the whole table of AwA's strengths; logistic regressions, trained together,
instead of support vector machines with Platt scaling; the prior is kept off 0 and 1 by one class more that has half of
every attribute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from zslearn.losses.variational import binary_cross_entropy
from zslearn.models.base import Task
from zslearn.models.embedding import EmbeddingConfig, EmbeddingModel
from zslearn.nets import Linear
from zslearn.tensors import ClassSemantics, FeatureBatch, ScoreBatch, SemanticBatch
from zslearn.training.plan import Step, Terms
from zslearn.training.streams import Streams


@dataclass(frozen=True, kw_only=True)
class DAPConfig(EmbeddingConfig):
    """Settings of DAP."""


@final
class DAP(EmbeddingModel):
    """A logistic regression per attribute, and Bayes' rule.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    Config = DAPConfig
    config: DAPConfig
    threshold: Float[Tensor, " semantic_dim"]
    prior: Float[Tensor, " semantic_dim"]

    def __init__(self, task: Task, config: DAPConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        self.embedding = Linear(task.feature_dim, task.semantic_dim, streams, "attributes")
        self.register_buffer("threshold", task.semantics.mean(dim=0))
        n_with = self.attributes(task.semantics[task.seen_ids]).sum(dim=0)
        self.register_buffer("prior", (n_with + 0.5) / (task.n_seen + 1))

    def attributes(self, semantics: SemanticBatch) -> SemanticBatch:
        """Return 1 for each attribute that a class has, 0 for the others."""
        return (semantics > self.threshold).to(semantics.dtype)

    def loss(self, step: Step) -> Terms:
        """Cross-entropy of every attribute of the sample's class."""
        return {"attributes": binary_cross_entropy(self.embedding(step.features), self.attributes(step.semantics))}

    def semantic_scores(self, features: FeatureBatch, semantics: ClassSemantics) -> ScoreBatch:
        """Sum the log-ratios of the attributes' posteriors and priors."""
        logits, attributes = self.embedding(features), self.attributes(semantics)
        present = functional.logsigmoid(logits) - self.prior.log()
        absent = functional.logsigmoid(-logits) - torch.log1p(-self.prior)
        return present @ attributes.transpose(-1, -2) + absent @ (1.0 - attributes).transpose(-1, -2)
