"""f-CLSWGAN: a Wasserstein GAN on features that a seen-class classifier must recognise.

Source: Y. Xian, T. Lorenz, B. Schiele, Z. Akata, "Feature Generating Networks for Zero-Shot Learning", CVPR 2018.

Differs from the source: features are scaled to [0, 1] by a high quantile of the training rows instead of the maximum;
batches are drawn with replacement; the final classifier is the last one, not the best of its epochs on the test set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, final

from zslearn.configuration import Range
from zslearn.losses.preservation import class_cross_entropy
from zslearn.models.adversarial import CLASSIFIER_RATE, AdversarialConfig, FeatureGAN
from zslearn.models.base import Task
from zslearn.nets import Linear
from zslearn.tensors import FeatureBatch, LabelBatch, PerSeed
from zslearn.training.plan import Phase, Plan, Stage, Step, Terms
from zslearn.training.streams import Streams


@dataclass(frozen=True, kw_only=True)
class FCLSWGANConfig(AdversarialConfig):
    """Settings of f-CLSWGAN; weights and step sizes are the source's for CUB, sizes and lengths suit small data."""

    class_weight: Annotated[float, Range(0)] = 0.01
    """Weight of the seen-class classifier's verdict on generated samples; 0 leaves it out."""
    teacher_updates: Annotated[int, Range(1)] = 1000
    """Updates of the seen-class classifier, and of a teacher of the terms, before they are frozen; 50 passes in the
    source."""


@final
class FCLSWGAN(FeatureGAN):
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
        if config.class_weight > 0:
            self.seen_classifier = Linear(task.feature_dim, task.n_seen, streams, "seen classifier")
        self.take_terms(task, config, streams)

    def plan(self) -> Plan:
        """The seen-class classifier first; then, in each step, the critic's updates and one of the generator."""
        if self.config.class_weight == 0:
            return super().plan()
        phase = Phase(
            name="seen_classifier", trains=("seen_classifier",), loss=self.seen_loss, learning_rate=CLASSIFIER_RATE
        )
        pretraining = Stage(
            name="seen_classifier",
            phases=(phase,),
            n_steps=self.config.teacher_updates,
            batch_size=self.config.batch_size,
        )
        return Plan((pretraining, *super().plan().stages))

    def seen_loss(self, step: Step) -> Terms:
        """Cross-entropy of the seen-class classifier on real samples."""
        return {"class": self._class_loss(step.features, step.labels)}

    def generator_loss(self, step: Step) -> Terms:
        """The critic's verdict on generated samples, and that of the frozen seen-class classifier."""
        fake = self.sample(step.semantics, step.streams)
        terms = {"adversarial": -self.verdict(fake, step.semantics), **self.terms_loss(step)}
        if self.config.class_weight > 0:
            terms["class"] = self.config.class_weight * self._class_loss(fake, step.labels)
        return terms

    def _class_loss(self, features: FeatureBatch, labels: LabelBatch) -> PerSeed:
        return class_cross_entropy(self.seen_classifier(features), self.task.seen_ranks(labels), 1.0)
