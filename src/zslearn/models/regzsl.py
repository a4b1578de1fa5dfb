"""RE-GZSL: generated features must be related as their semantics are; a free classifier keeps them apart.

Source: Y. Wu, X. Kong, Y. Xie, Y. Qu, "RE-GZSL: Relation Extrapolation for Generalized Zero-Shot Learning", IEEE
Transactions on Circuits and Systems for Video Technology 35(3) (2025) 1973-1986, online 2024. Of the zoo it is the
nearest to distillation: a teacher that knows nothing of relations tells the aligned embedding what to preserve.

Differs from the source: batches are drawn from all rows, not as episodes of a few classes; the free classifier has one
hidden layer, not two (2048 and 512), and the embedding the width of generator and critic, not half of it; relations are
compared by squared differences, and distances relative to the mean over all pairs (the source's smooth absolute
difference is half the square where it is below 1, and the default weights are halved for that); the two classifiers
know the seen classes alone; seen class centres for the mixing are the embeddings of the class means; the critic's slope
is penalised where it leads along samples, not along their semantics too; features are scaled to [0, 1] by a high
quantile of the training rows; the final classifier is the last one, not the best of its epochs on the test set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, final

import torch
from torch import Tensor
from torch.nn import functional

from zslearn.configuration import Range
from zslearn.losses import distillation
from zslearn.losses.contrastive import same_class_cross_entropy
from zslearn.losses.preservation import class_cross_entropy, cosine_scores
from zslearn.models.adversarial import AdversarialConfig, FeatureGAN
from zslearn.models.base import Task, memberships
from zslearn.nets import Linear, Perceptron
from zslearn.tensors import FeatureBatch, LabelBatch, SemanticBatch
from zslearn.training.plan import Phase, Plan, Step, Terms
from zslearn.training.streams import Streams

_PAIR_TEMPERATURE = 0.07


@dataclass(frozen=True, kw_only=True)
class REGZSLConfig(AdversarialConfig):
    """Settings of RE-GZSL; weights and step sizes are the released code's, widths, batch and updates for small data."""

    classifier_input: Literal["features", "encoded"] = "encoded"
    """What the final classifier reads: features, or their embedding with unseen ones mixed, as in the source."""
    projection_dim: Annotated[int, Range(1)] = 512
    """Size of the projection whose relations are aligned."""
    embedding_learning_rate: Annotated[float, Range(0, low_open=True)] = 3e-4
    """Adam's step size for the embedding and both classifiers."""
    class_weight: Annotated[float, Range(0)] = 1.0
    """Weight of both classifiers' cross-entropy."""
    preservation_weight: Annotated[float, Range(0)] = 3.0
    """Weight of the teacher's verdict on the embedding's."""
    contrast_weight: Annotated[float, Range(0)] = 0.1
    """Weight of the contrast between a projection and the class centres."""
    contrast_temperature: Annotated[float, Range(0, low_open=True)] = 10.0
    """Divides the cosines to class centres."""
    centre_momentum: Annotated[float, Range(0, 1)] = 0.5
    """Share of a class centre that stays when a batch has samples of the class."""
    distance_weight: Annotated[float, Range(0)] = 0.5
    """Weight of the gap between the relative distances of projections and of semantics."""
    angle_weight: Annotated[float, Range(0)] = 1.0
    """Weight of the gap between the angles in triples of projections and of semantics."""
    embedding_weight: Annotated[float, Range(0)] = 1e-3
    """Weight of all of that on generated samples."""
    pair_weight: Annotated[float, Range(0)] = 1e-3
    """Weight of telling pairs of a generated and a real sample of one class from other pairs."""
    own_share: Annotated[float, Range(0, 1)] = 0.9
    """Share of the own embedding in what the classifier reads of an unseen sample; the rest comes from seen classes."""
    n_neighbours: Annotated[int, Range(1)] = 10
    """Seen classes nearest by semantics from which it comes, at most."""


@final
class REGZSL(FeatureGAN):
    """A conditional Wasserstein GAN with an embedding that is aligned with semantic relations.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    Config = REGZSLConfig
    config: REGZSLConfig
    centres: Tensor

    def __init__(self, task: Task, config: REGZSLConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        x, h, p = task.feature_dim, config.hidden_dim, config.projection_dim
        self.teacher = Perceptron((x, h, task.n_seen), streams, "relation-free classifier")
        self.embedding = Linear(x, h, streams, "embedding")
        self.projection = Linear(h, p, streams, "projection")
        self.classifier = Linear(p, task.n_seen, streams, "classifier")
        means = task.seen_means.expand(*streams.leading, *task.seen_means.shape)
        self.take_terms(task, config, streams)
        self.register_buffer("centres", self.projection(self.view(means)).detach())

    @property
    def visual(self) -> Linear:
        """The embedding's layer."""
        return self.embedding

    def plan(self) -> Plan:
        """In each step, the updates of critic and embedding, and one of the generator."""
        config = self.config
        stage = self.adversarial_stage()
        critic, generator = stage.phases
        embedding = Phase(
            name="embedding",
            trains=("teacher", "embedding", "projection", "classifier", *self.taught_modules),
            loss=self.embedding_loss,
            repeats=config.critic_updates,
            learning_rate=config.embedding_learning_rate,
            betas=(0.9, 0.999),
            divisible=False,
        )
        whole = replace(stage, phases=(critic, embedding, replace(generator, divisible=False)))
        return Plan((*self.terms.stages(config.batch_size), whole))

    def embedding_loss(self, step: Step) -> Terms:
        """Classification, preservation, contrast with centres and relations, on real samples."""
        self.terms.follow(self.visual)
        terms = self._judgement(step.features, step.semantics, step.labels)
        self._move_centres(step)
        return {
            **terms,
            **self.terms.on_real(step, self, None),
            **self.terms.on_unseen(step, self, generates=False),
        }

    def generator_loss(self, step: Step) -> Terms:
        """The critic's verdict, that of the embedding, and pairs with real samples."""
        config = self.config
        fake = self.sample(step.semantics, step.streams)
        judged = self._judgement(fake, step.semantics, step.labels)
        pairs = same_class_cross_entropy(fake, step.features, step.labels, step.labels, _PAIR_TEMPERATURE)
        return {
            "adversarial": -self.verdict(fake, step.semantics),
            **{name: config.embedding_weight * term for name, term in judged.items()},
            "pairs": config.pair_weight * pairs,
            **self.terms.on_unseen(step, self, teaches=False),
        }

    def represent(self, features: FeatureBatch, streams: Streams | None = None) -> Tensor:
        """Return the embedding of samples."""
        return features if self.config.classifier_input == "features" else self.view(features)

    def sample_inputs(self, semantics: SemanticBatch, streams: Streams) -> Tensor:
        """Embed generated samples, and mix in what semantically near seen classes look like there."""
        config, own = self.config, super().sample_inputs(semantics, streams)
        if config.classifier_input == "features":
            return own
        similarities = cosine_scores(semantics, self.task.semantics[self.task.seen_ids])
        nearest, ids = similarities.topk(min(config.n_neighbours, self.task.n_seen), dim=-1)
        weights = torch.zeros_like(similarities).scatter(-1, ids, nearest.softmax(-1))
        means = self.task.seen_means.expand(*streams.leading, *self.task.seen_means.shape)
        return config.own_share * own + (1.0 - config.own_share) * (weights @ self.view(means))

    def _judgement(self, features: FeatureBatch, semantics: SemanticBatch, labels: LabelBatch) -> dict[str, Tensor]:
        """What the embedding makes of samples, as the terms that its training and the generator's share."""
        config, ranks = self.config, self.task.seen_ranks(labels)
        projected = self.projection(self.view(features))
        free, aligned = self.teacher(features), self.classifier(projected)
        unit = functional.normalize(projected, dim=-1)
        to_centres = unit @ functional.normalize(self.centres, dim=-1).transpose(-1, -2)
        return {
            "class": config.class_weight
            * (class_cross_entropy(free, ranks, 1.0) + class_cross_entropy(aligned, ranks, 1.0)),
            "preservation": config.preservation_weight * distillation.unit_cross_entropy(free.detach(), aligned),
            "contrast": config.contrast_weight * class_cross_entropy(to_centres, ranks, config.contrast_temperature),
            "distance": config.distance_weight * distillation.relational_gap(unit, semantics),
            "angle": config.angle_weight * distillation.angular_gap(unit, semantics),
        }

    @torch.no_grad()
    def _move_centres(self, step: Step) -> None:
        """Move the centres of the batch's classes toward its projections, which related classes share."""
        projected = self.projection(self.view(step.features))
        shared = step.semantics @ step.semantics.transpose(-1, -2) @ projected
        ranks = self.task.seen_ranks(step.labels)
        members = memberships(ranks, self.task.n_seen).to(shared.dtype)
        counts = members.sum(-1, keepdim=True)
        moved = torch.lerp(members @ shared / counts.clamp_min(1.0), self.centres, self.config.centre_momentum)
        self.centres.copy_(torch.where(counts > 0, moved, self.centres))
