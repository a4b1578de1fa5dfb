"""f-CLSWGAN: a Wasserstein GAN on features that a seen-class classifier must recognise.

Source: Y. Xian, T. Lorenz, B. Schiele, Z. Akata, "Feature Generating Networks for Zero-Shot Learning", CVPR 2018.

Differs from the source: features are scaled to [0, 1] by a high quantile of the training rows instead of the maximum;
batches are drawn with replacement; the final classifier is the last one, not the best of its epochs on the test set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, final

import torch
from torch.nn import functional

from zslearn.configuration import Range
from zslearn.losses.preservation import class_cross_entropy
from zslearn.models.adversarial import critic_terms
from zslearn.models.base import GenerativeConfig, GenerativeModel, Task
from zslearn.nets import Linear, Perceptron
from zslearn.tensors import FeatureBatch, LabelBatch, PerSeed, SemanticBatch
from zslearn.training.plan import Phase, Plan, Stage, Step, Terms
from zslearn.training.streams import Streams


@dataclass(frozen=True, kw_only=True)
class FCLSWGANConfig(GenerativeConfig):
    """Settings of f-CLSWGAN; defaults are the source's but for the width, which suits small data."""

    feature_space: Literal["whitened", "unit", "standard", "auto"] = "auto"
    """Where the generator works; the source scales non-negative features to [0, 1]."""
    semantic_centring: bool = False
    """Whether semantics are centred and rotated; the source takes them L2-normalised as they are."""
    classifier: Literal["gaussian", "softmax"] = "softmax"
    """The final classifier; the source trains a linear softmax."""
    unseen_semantics: bool = False
    """Whether training may use the semantics of unseen classes; this method has no use for them."""
    hidden_dim: Annotated[int, Range(1)] = 1024
    """Width of generator and critic; 4096 in the source."""
    latent_dim: Annotated[int, Range(0)] = 0
    """Size of the noise; 0 takes the size of the semantics, as the source does."""
    n_updates: Annotated[int, Range(1)] = 1000
    """Generator updates."""
    batch_size: Annotated[int, Range(2)] = 64
    """Real samples in an update."""
    learning_rate: Annotated[float, Range(0, low_open=True)] = 1e-4
    """Adam's step size for generator and critic."""
    critic_updates: Annotated[int, Range(1)] = 5
    """Critic updates before each generator update."""
    penalty_weight: Annotated[float, Range(0)] = 10.0
    """Weight of the critic's gradient penalty."""
    class_weight: Annotated[float, Range(0)] = 0.01
    """Weight of the seen-class classifier's verdict on generated samples; 0 leaves it out."""
    teacher_updates: Annotated[int, Range(1)] = 1000
    """Updates of the seen-class classifier before it is frozen."""


@final
class FCLSWGAN(GenerativeModel):
    """A conditional Wasserstein GAN with gradient penalty and a frozen softmax over seen classes.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    Config = FCLSWGANConfig
    config: FCLSWGANConfig

    def __init__(self, task: Task, config: FCLSWGANConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        self.task = task
        self.config = config
        x, a, h = task.feature_dim, task.semantic_dim, config.hidden_dim
        self.latent_dim = config.latent_dim or a
        self.generator = Perceptron((self.latent_dim + a, h, x), streams, "generator")
        self.critic = Perceptron((x + a, h, 1), streams, "critic", last_bias=False)
        if config.class_weight > 0:
            self.seen_classifier = Linear(x, task.n_seen, streams, "seen classifier")

    def plan(self) -> Plan:
        """The seen-class classifier first; then, in each step, the critic's updates and one of the generator."""
        config = self.config
        pretraining = Stage(
            name="seen_classifier",
            phases=(
                Phase(
                    name="seen_classifier",
                    trains=("seen_classifier",),
                    loss=self.seen_loss,
                    learning_rate=1e-3,
                ),
            ),
            n_steps=config.teacher_updates,
            batch_size=config.batch_size,
        )
        critic = Phase(
            name="critic",
            trains=("critic",),
            loss=self.critic_loss,
            repeats=config.critic_updates,
            learning_rate=config.learning_rate,
        )
        generator = Phase(
            name="generator", trains=("generator",), loss=self.generator_loss, learning_rate=config.learning_rate
        )
        adversarial = Stage(
            name="adversarial", phases=(critic, generator), n_steps=config.n_updates, batch_size=config.batch_size
        )
        return Plan((pretraining, adversarial) if config.class_weight > 0 else (adversarial,))

    def seen_loss(self, step: Step) -> Terms:
        """Cross-entropy of the seen-class classifier on real samples."""
        return {"class": self._class_loss(step.features, step.labels)}

    def critic_loss(self, step: Step) -> Terms:
        """The Wasserstein gap of a critic with gradient penalty."""
        with torch.no_grad():
            fake = self.sample(step.semantics, step.streams)
        return critic_terms(self.critic, step, fake, self.config.penalty_weight)

    def generator_loss(self, step: Step) -> Terms:
        """The critic's verdict on generated samples, and that of the frozen seen-class classifier."""
        fake = self.sample(step.semantics, step.streams)
        terms = {"adversarial": -self.critic(fake, step.semantics).sum(-1).mean(-1)}
        if self.config.class_weight > 0:
            terms["class"] = self.config.class_weight * self._class_loss(fake, step.labels)
        return terms

    def sample(self, semantics: SemanticBatch, streams: Streams) -> FeatureBatch:
        """Decode noise drawn from N(0, I); non-negative features end in a rectifier."""
        decoded = self.generator(streams.normal("latent", semantics.shape[-2], self.latent_dim), semantics)
        return functional.relu(decoded) if self.task.kind == "unit" else decoded

    def _class_loss(self, features: FeatureBatch, labels: LabelBatch) -> PerSeed:
        return class_cross_entropy(self.seen_classifier(features), self.task.seen_ranks(labels), 1.0)
