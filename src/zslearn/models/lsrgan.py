"""LsrGAN: a Wasserstein GAN whose classes must be as near to each other in features as they are in semantics.

Source: M. R. Vyas, H. Venkateswara, S. Panchanathan, "Leveraging Seen and Unseen Semantic Relationships for Generative
Zero-Shot Learning", ECCV 2020.

Differs from the source: here the relation term reaches the generator. The released code computes the similarities
outside of autograd, so that its penalty moves nothing; ``relation_gradient`` off is that arm. Unseen classes are drawn
evenly in training, where the released code draws them as often as they occur in the test set. An update on unseen
classes moves by its own gradient, where the released code adds that of the update on seen ones before it once more;
there are such updates from the start, not from the second epoch on; the classifier's weight does not fall to half on
AWA. The final classifier is trained anew after the generator, where the source answers with the one that was trained
along. Features are scaled to [0, 1] by a high quantile of the training rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from zslearn.configuration import Range
from zslearn.losses import regularization
from zslearn.losses.preservation import class_cross_entropy
from zslearn.models.adversarial import CLASSIFIER_RATE, AdversarialConfig, FeatureGAN
from zslearn.models.base import Task, memberships
from zslearn.nets import Linear
from zslearn.tensors import FeatureBatch, LabelBatch, PerSeed
from zslearn.training.plan import Phase, Plan, Stage, Step, Terms
from zslearn.training.streams import Streams

_WIDER_THAN_ANY = 4.0
"""Half the width of a band that holds every cosine, for classes that a batch has no sample of."""


@dataclass(frozen=True, kw_only=True)
class LsrGANConfig(AdversarialConfig):
    """Settings of LsrGAN; weights and step sizes are the source's for CUB, sizes and lengths suit small data."""

    unseen_semantics: bool = True
    """Whether training may use the semantics of unseen classes; without them the relations of seen classes remain."""
    n_updates: Annotated[int, Range(1)] = 1000
    """Generator updates, each of which is two: on seen classes and, where training knows some, on unseen ones."""
    class_weight: Annotated[float, Range(0)] = 0.01
    """Weight of the classifier's verdict on generated samples of seen classes."""
    unseen_class_weight: Annotated[float, Range(0)] = 0.03
    """Weight of its verdict on generated samples of unseen classes, from which it learns at the same time."""
    centre_weight: Annotated[float, Range(0)] = 1.0
    """Weight of the distance between generated and real means of seen classes."""
    relation_weight: Annotated[float, Range(0)] = 20.0
    """Weight of similarities between classes outside a band around those of their semantics."""
    relation_width: Annotated[float, Range(0, 2)] = 0.1
    """Half the width of that band, as a cosine."""
    n_neighbours: Annotated[int, Range(1)] = 20
    """Seen classes nearest by semantics to which a class's similarity counts, at most."""
    relation_gradient: bool = True
    """Whether the relation term reaches the generator; off, it is computed and moves nothing, as released."""
    teacher_updates: Annotated[int, Range(1)] = 1000
    """Updates of the classifier before the GAN, and of a teacher of the terms; 50 passes in the source."""


@final
class LsrGAN(FeatureGAN):
    """A conditional Wasserstein GAN with relations between classes, seen and unseen.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    Config = LsrGANConfig
    config: LsrGANConfig

    def __init__(self, task: Task, config: LsrGANConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        self.classifier = Linear(task.feature_dim, len(task.semantics), streams, "classifier")
        semantics = functional.normalize(task.semantics, dim=-1)
        similarities = semantics @ semantics[task.seen_ids].T
        self._similarities, self._neighbours = similarities.topk(min(config.n_neighbours, task.n_seen), dim=1)
        self.take_terms(task, config, streams)

    def plan(self) -> Plan:
        """The classifier first; then, in each step, the critic, the generator on seen and on unseen classes."""
        config = self.config
        first = Phase(
            name="classifier", trains=("classifier",), loss=self.classifier_loss, learning_rate=CLASSIFIER_RATE
        )
        pretraining = Stage(
            name="classifier", phases=(first,), n_steps=config.teacher_updates, batch_size=config.batch_size
        )
        unseen = Phase(
            name="unseen",
            trains=("generator", "classifier"),
            loss=self.unseen_loss,
            learning_rate=config.learning_rate,
            own_rates={"classifier": CLASSIFIER_RATE},
            divisible=False,
        )
        stage = self.adversarial_stage()
        critic, generator = stage.phases
        # Means are taken of the samples that a class has in the whole batch.
        phases = (critic, replace(generator, divisible=False), *((unseen,) if self.task.n_unseen > 0 else ()))
        return Plan((pretraining, *self.terms.stages(config.batch_size), replace(stage, phases=phases)))

    def classifier_loss(self, step: Step) -> Terms:
        """Cross-entropy of the classifier on real samples."""
        return {"class": class_cross_entropy(self.classifier(step.features), step.labels, 1.0)}

    def generator_loss(self, step: Step) -> Terms:
        """Verdicts of critic and classifier; distance of class means from the real ones, and their relations."""
        config, task = self.config, self.task
        fake = self.sample(step.semantics, step.streams)
        means, present = _class_means(fake, task.seen_ranks(step.labels), task.n_seen)
        distances = (means - task.seen_means).square().sum(-1).clamp_min(_SMALLEST_SQUARE).sqrt()
        return {
            "adversarial": -self.verdict(fake, step.semantics),
            "class": config.class_weight * class_cross_entropy(self.classifier(fake), step.labels, 1.0),
            "centre": config.centre_weight * (distances * present).mean(-1),
            "relation": self._relation(means, present, task.seen_ids),
            **self.terms_loss(step),
        }

    def unseen_loss(self, step: Step) -> Terms:
        """Verdict of the classifier on unseen classes, which learns them too, and their relations to seen ones."""
        config, task = self.config, self.task
        ranks = step.streams.integers("unseen labels", task.n_unseen, step.labels.shape[-1])
        labels = task.unseen_ids[ranks]
        fake = self.sample(task.semantics[labels], step.streams)
        means, present = _class_means(fake, ranks, task.n_unseen)
        return {
            "class": config.unseen_class_weight * class_cross_entropy(self.classifier(fake), labels, 1.0),
            "real_class": config.class_weight * class_cross_entropy(self.classifier(step.features), step.labels, 1.0),
            "relation": self._relation(means, present, task.unseen_ids),
        }

    def _relation(
        self,
        means: Float[Tensor, "*seeds n_classes feature_dim"],
        present: Bool[Tensor, "*seeds n_classes"],
        class_ids: Int[Tensor, " n_classes"],
    ) -> PerSeed:
        """The relation term summed over the classes of a batch, averaged over their neighbours, as in the source."""
        config, neighbours = self.config, self._neighbours[class_ids]
        visual = functional.normalize(means, dim=-1) @ functional.normalize(self.task.seen_means, dim=-1).T
        visual = visual.gather(-1, neighbours.expand(*visual.shape[:-1], -1))
        semantic = self._similarities[class_ids].expand_as(visual)
        width = torch.where(present, config.relation_width, _WIDER_THAN_ANY).unsqueeze(-1).expand_as(visual)
        outside = regularization.relation_band(semantic, visual if config.relation_gradient else visual.detach(), width)
        return config.relation_weight * outside * (len(class_ids) / neighbours.shape[1])


_SMALLEST_SQUARE = 1e-12


def _class_means(
    samples: FeatureBatch, ranks: LabelBatch, n_classes: int
) -> tuple[Float[Tensor, "*seeds n_classes feature_dim"], Bool[Tensor, "*seeds n_classes"]]:
    """The mean of each class's samples in a batch, and which classes have any."""
    members = memberships(ranks, n_classes).to(samples.dtype)
    counts = members.sum(-1, keepdim=True)
    return members @ samples / counts.clamp_min(1.0), counts.squeeze(-1) > 0
