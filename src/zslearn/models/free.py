"""FREE: an f-VAEGAN with a refinement of features that draws classes apart and cycles back to semantics.

Source: S. Chen, W. Wang, B. Xia, Q. Peng, X. You, F. Zheng, L. Shao, "FREE: Feature Refinement for Generalized
Zero-Shot Learning", ICCV 2021.

Differs from the source: decoded semantics have length 1, as all semantics here, instead of ending in a sigmoid, and
the classifier reads them without noise; the other class of a centre is never the own one; a centre moves by the
gradient of the update, where the released code adds up those of all updates before; the critic's pass over the
refinement, whose result the released code throws away, is left out; the encoder's Adam forgets as fast as the others';
the encoder has one hidden layer; the weight of the gradient penalty stays as it is; the final classifier is the last
one, not the best of its epochs on the test set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from zslearn.configuration import Range
from zslearn.losses.contrastive import margin_to_centres
from zslearn.losses.semantic_decoding import weighted_absolute_error
from zslearn.models.adversarial import VAEGAN, VAEGANConfig
from zslearn.models.base import Task
from zslearn.nets import Linear, activation
from zslearn.tensors import FeatureBatch, HiddenBatch, PerSeed, SemanticBatch
from zslearn.training.plan import Phase, Plan, Step, Terms
from zslearn.training.streams import Streams


@dataclass(frozen=True, kw_only=True)
class FREEConfig(VAEGANConfig):
    """Settings of FREE; weights and step sizes are the source's for FLO and CUB, sizes and lengths suit small data."""

    classifier_input: Literal["features", "encoded"] = "encoded"
    """What the final classifier reads: features, or features beside the refinement's hidden layer and the semantics
    that it decodes, as in the source."""
    decoder_weight: Annotated[float, Range(0)] = 1e-3
    """Weight of the error of decoded semantics: the cycle back from features."""
    refiner_learning_rate: Annotated[float, Range(0, low_open=True)] = 1e-4
    """Adam's step size for the refinement."""
    refiner_sees_fakes: bool = True
    """Whether the refinement also learns from generated samples; off for AWA in the source."""
    centre_weight: Annotated[float, Range(0)] = 0.5
    """Weight of the margin between a sample's own and another class's centre."""
    centre_margin: Annotated[float, Range(0)] = 200.0
    """That margin, in squared distances."""
    centre_share: Annotated[float, Range(0, 1)] = 0.8
    """Share of the distance to the own centre in it; the rest is that of the other."""
    other_centre: Literal["random", "nearest"] = "random"
    """Which other class counts; the nearest one for AWA in the source."""


class _Refiner(nn.Module):
    """Features to a Gaussian in semantic space, whose draws are decoded semantics."""

    def __init__(self, feature_dim: int, hidden_dim: int, semantic_dim: int, streams: Streams) -> None:
        super().__init__()
        self.visual = Linear(feature_dim, hidden_dim, streams, "refiner/visual")
        self.mean = Linear(hidden_dim, semantic_dim, streams, "refiner/mean")
        self.deviation = Linear(hidden_dim, semantic_dim, streams, "refiner/deviation")

    def forward(self, features: FeatureBatch) -> tuple[HiddenBatch, SemanticBatch, SemanticBatch]:
        """Return the hidden layer, and mean and deviation of the refined samples."""
        hidden = activation(self.visual(features))
        return hidden, self.mean(hidden), torch.sigmoid(self.deviation(hidden))


class _Centres(nn.Module):
    """A learned point of each seen class in the refined space."""

    def __init__(self, n_classes: int, dim: int, streams: Streams) -> None:
        super().__init__()
        self.points = nn.Parameter(streams.normal("init/centres", n_classes, dim))


@final
class FREE(VAEGAN):
    """A VAE-GAN with a refinement of features.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    Config = FREEConfig
    config: FREEConfig

    def __init__(self, task: Task, config: FREEConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        self.refiner = _Refiner(task.feature_dim, config.hidden_dim, task.semantic_dim, streams)
        self.centres = _Centres(task.n_seen, task.semantic_dim, streams)
        self.take_terms(task, config, streams)

    def plan(self) -> Plan:
        """In each step, the updates of critic and refinement, and one of encoder, generator and refinement."""
        config = self.config
        own_rates = {"refiner": config.refiner_learning_rate}
        refiner = ("refiner",) if config.refiner_sees_fakes else ()
        stage = self.adversarial_stage(generator_trains=("encoder", "generator", *refiner))
        critic, generator = stage.phases
        refinement = Phase(
            name="refinement",
            trains=("refiner", "centres"),
            loss=self.refinement_loss,
            repeats=config.critic_updates,
            learning_rate=config.learning_rate,
            own_rates=own_rates,
        )
        whole = replace(stage, phases=(critic, refinement, replace(generator, own_rates=own_rates)))
        return Plan((*self.terms.stages(config.batch_size), whole))

    def refinement_loss(self, step: Step) -> Terms:
        """The margin between classes in the refined space, and the error of decoded semantics, on real samples."""
        config, n_seen = self.config, self.task.n_seen
        ranks = self.task.seen_ranks(step.labels)
        _, mean, _ = self.refiner(step.features)
        others = None
        if config.other_centre == "random":
            # A single seen class has no other one, and is its own.
            ahead = step.streams.integers("other centre", max(1, n_seen - 1), ranks.shape[-1])
            others = (ranks + 1 + ahead) % n_seen
        margin = margin_to_centres(
            mean, self.centres.points, ranks, others, margin=config.centre_margin, share=config.centre_share
        )
        return {
            "margin": config.centre_weight * margin,
            "decoder": self._decoding_error(step.features, step.semantics, step.streams),
        }

    def generator_loss(self, step: Step) -> Terms:
        """Reconstruction, divergence, verdict of the critic, and error of the semantics decoded from the samples."""
        terms, fake = self.vaegan_terms(step)
        return {**terms, "decoder": self._decoding_error(fake, step.semantics, step.streams)}

    def represent(self, features: FeatureBatch, streams: Streams | None = None) -> Tensor:
        """Return the samples beside the refinement's hidden layer and the decoded semantics."""
        if self.config.classifier_input == "features":
            return features
        hidden, mean, _ = self.refiner(features)
        return torch.cat([features, hidden, functional.normalize(mean, dim=-1)], dim=-1)

    def _decoding_error(self, features: FeatureBatch, semantics: SemanticBatch, streams: Streams) -> PerSeed:
        _, mean, deviation = self.refiner(features)
        drawn = mean + deviation * streams.normal("refined", *mean.shape[-2:])
        return self.config.decoder_weight * weighted_absolute_error(functional.normalize(drawn, dim=-1), semantics)
