"""CE-GZSL: a generator and an embedding in which samples are contrasted with each other and with classes.

Source: Z. Han, Z. Fu, S. Chen, J. Yang, "Contrastive Embedding for Generalized Zero-Shot Learning", CVPR 2021.

Differs from the source: the scores of a sample against all classes are computed at once from one layer of the sample
and one of the classes (the first layer is linear in both), where the released code repeats each sample once per class,
and adds up the gradients of this layer over a whole epoch; step sizes do not shrink; rectifiers of the embedding are
leaky; features are scaled to [0, 1] by a high quantile of the training rows; the final classifier is the last one, not
the best of its epochs on the test set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, final

import torch
from torch import Tensor, nn

from zslearn.configuration import Range
from zslearn.losses.contrastive import supervised_contrast
from zslearn.losses.preservation import class_cross_entropy
from zslearn.models.adversarial import AdversarialConfig, FeatureGAN
from zslearn.models.base import Task
from zslearn.nets import Linear, activation
from zslearn.tensors import ClassSemantics, FeatureBatch, HiddenBatch, LabelBatch, PerSeed, ScoreBatch
from zslearn.training.plan import Plan, Step, Terms
from zslearn.training.streams import Streams


@dataclass(frozen=True, kw_only=True)
class CEGZSLConfig(AdversarialConfig):
    """Settings of CE-GZSL; weights and step sizes are the source's for CUB, sizes and lengths suit small data."""

    classifier_input: Literal["features", "encoded"] = "encoded"
    """What the final classifier reads: features, or their embedding, as in the source."""
    batch_size: Annotated[int, Range(2)] = 256
    """Real samples in an update; 2048 and more in the source."""
    embedding_dim: Annotated[int, Range(1)] = 1024
    """Size of the embedding; 2048 in the source."""
    scorer_dim: Annotated[int, Range(1)] = 1024
    """Width of the network that scores samples against classes; 1024 or 2048 in the source."""
    projection_dim: Annotated[int, Range(1)] = 512
    """Size of the projection in which samples are contrasted."""
    instance_weight: Annotated[float, Range(0)] = 1e-3
    """Weight of the contrast between samples in the generator's loss; 1 in the embedding's."""
    class_weight: Annotated[float, Range(0)] = 1e-3
    """Weight of the contrast with classes in the generator's loss; 1 in the embedding's."""
    instance_temperature: Annotated[float, Range(0, low_open=True)] = 0.1
    """Divides the cosines between samples."""
    class_temperature: Annotated[float, Range(0, low_open=True)] = 0.1
    """Divides the scores of classes."""


class ClassScorer(nn.Module):
    """F: how well an embedded sample fits each class, through one hidden layer on both.

    The hidden layer is linear before its rectifier, so that sample and class go through it apart and are added: equal
    to the layer on ``[h; a]`` of every pair, at the cost of one sample and one class. Scores have no bias, which would
    cancel among the classes.
    """

    def __init__(self, embedding_dim: int, semantic_dim: int, hidden_dim: int, streams: Streams) -> None:
        super().__init__()
        self.visual = Linear(embedding_dim, hidden_dim, streams, "scorer/visual")
        self.semantic = Linear(semantic_dim, hidden_dim, streams, "scorer/semantic", bias=False)
        self.last = Linear(hidden_dim, 1, streams, "scorer/last", bias=False)

    def forward(self, embedded: HiddenBatch, semantics: ClassSemantics) -> ScoreBatch:
        """Return one score per sample and class."""
        of_classes = self.semantic(semantics.expand(*embedded.shape[:-2], *semantics.shape))
        pairs = activation(self.visual(embedded).unsqueeze(-2) + of_classes.unsqueeze(-3))
        return (pairs @ self.last.weight.transpose(-1, -2).unsqueeze(-3)).squeeze(-1)


@final
class CEGZSL(FeatureGAN):
    """A conditional Wasserstein GAN with a contrastive embedding.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    Config = CEGZSLConfig
    config: CEGZSLConfig

    def __init__(self, task: Task, config: CEGZSLConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        self.embedding = Linear(task.feature_dim, config.embedding_dim, streams, "embedding")
        self.projection = Linear(config.embedding_dim, config.projection_dim, streams, "projection")
        self.scorer = ClassScorer(config.embedding_dim, task.semantic_dim, config.scorer_dim, streams)
        self.take_terms(task, config, streams)

    @property
    def visual(self) -> Linear:
        """The embedding's layer."""
        return self.embedding

    def plan(self) -> Plan:
        """In each step, the updates of critic and embedding, and one of the generator."""
        judges = ("critic", "embedding", "projection", "scorer")
        stage = self.adversarial_stage(critic_trains=(*judges, *self.taught_modules))
        whole = replace(stage, phases=tuple(replace(phase, divisible=False) for phase in stage.phases))
        return Plan((*self.terms.stages(self.config.batch_size), whole))

    def critic_loss(self, step: Step) -> Terms:
        """The critic's gap and penalty; both contrasts of the embedding on real samples, and what it is taught."""
        self.terms.follow(self.visual)
        return {
            **super().critic_loss(step),
            "instance": self._instance_contrast(self.view(step.features), step.labels),
            "class": self._class_contrast(self.view(step.features), step.labels),
            **self.terms.on_real(step, self, None),
            **self.terms.on_unseen(step, self, generates=False),
        }

    def generator_loss(self, step: Step) -> Terms:
        """The critic's verdict; contrast of generated samples with each other and real ones, and with classes."""
        config = self.config
        fake = self.sample(step.semantics, step.streams)
        embedded = self.view(fake)
        both = torch.cat([embedded, self.view(step.features).detach()], dim=-2)
        labels = torch.cat([step.labels, step.labels], dim=-1)
        return {
            "adversarial": -self.verdict(fake, step.semantics),
            "instance": config.instance_weight * self._instance_contrast(both, labels),
            "class": config.class_weight * self._class_contrast(embedded, step.labels),
            **self.terms.on_unseen(step, self, teaches=False),
        }

    def represent(self, features: FeatureBatch, streams: Streams | None = None) -> Tensor:
        """Return the embedding of samples."""
        return features if self.config.classifier_input == "features" else self.view(features)

    def _instance_contrast(self, embedded: HiddenBatch, labels: LabelBatch) -> PerSeed:
        return supervised_contrast(self.projection(embedded), labels, self.config.instance_temperature)

    def _class_contrast(self, embedded: HiddenBatch, labels: LabelBatch) -> PerSeed:
        scores = self.scorer(embedded, self.task.semantics[self.task.seen_ids])
        return class_cross_entropy(scores, self.task.seen_ranks(labels), self.config.class_temperature)
