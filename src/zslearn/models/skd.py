"""SKD: the deep generative model with semantic regularization, preservation and distillation.

Source: X. Bao, X. Xu, R. Zhang, L. Zhu, "A Novel Deep Generative Model via Semantic-Based Knowledge Distillation for
Zero-Shot Learning", IEEE Signal Processing Letters 32 (2025) 2704-2708, doi 10.1109/LSP.2025.3585822.

The paper fixes the task, the problem (generated unseen samples drift toward seen classes) and the three parts by name.
Networks, formulae, weights and schedule are this library's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, final

import torch

from zslearn.configuration import Range
from zslearn.errors import ConfigError
from zslearn.losses import variational
from zslearn.models.adversarial import critic_terms
from zslearn.models.base import GenerativeConfig, Task
from zslearn.models.host import TermsHost
from zslearn.models.prototypes import Prototypes
from zslearn.models.terms import SemanticTerms, TermsConfig
from zslearn.nets import Encoder, Linear, Perceptron
from zslearn.tensors import (
    ClassFeatures,
    ClassSemantics,
    FeatureBatch,
    LabelBatch,
    LatentBatch,
    SemanticBatch,
)
from zslearn.training.plan import Phase, Plan, Stage, Step, Terms
from zslearn.training.streams import Streams

_LONGEST_FREE = 1024
_SMALL_DATA = 2_000_000


@dataclass(frozen=True, kw_only=True)
class SKDConfig(GenerativeConfig, TermsConfig):
    """Settings of SKD."""

    anchor: bool = True
    """Whether semantic regularization takes its hard form, in which the generator adds to a class mean regressed from
    semantics instead of making all of a sample; never in the unit space, whose sigmoid leaves nothing to add to."""
    anchor_ridge: Annotated[float, Range(0, low_open=True)] = 0.3
    """Ridge of that regression."""
    latent_dim: Annotated[int, Range(1)] = 64
    """Size of the latent."""
    hidden_dim: Annotated[int, Range(1)] = 512
    """Width of the hidden layers of encoder, generator and critic."""
    n_updates: Annotated[int, Range(1)] = 400
    """Joint updates of encoder, generator and semantic head."""
    batch_size: Annotated[int, Range(2)] = 128
    """Real samples in an update."""
    learning_rate: Annotated[float, Range(0, low_open=True)] = 5e-4
    """Adam's step size for encoder, generator and semantic head."""
    reconstruction: Literal["auto", "squared", "cross-entropy"] = "auto"
    """Reconstruction error; auto takes cross-entropy where the generator ends in a sigmoid: in the unit space, which
    alone has a use for it."""
    kl_weight: Annotated[float, Range(0)] = 1.0
    """Weight of the latent's divergence from the standard normal."""
    adversarial_weight: Annotated[float, Range(0)] = 0.0
    """Weight of the critic's verdict on generated samples; 0 leaves a pure VAE without a critic."""
    critic_updates: Annotated[int, Range(1)] = 1
    """Critic updates before each joint update."""
    critic_learning_rate: Annotated[float, Range(0, low_open=True)] = 1e-4
    """Adam's step size for the critic."""
    penalty_weight: Annotated[float, Range(0)] = 10.0
    """Weight of the critic's gradient penalty."""
    average_decay: Annotated[float, Range(0, 1, high_open=True)] = 0.99
    """Decay per step of the moving average of weights that synthesis uses; 0 uses the last weights."""
    sr_weight: Annotated[float, Range(0)] = 1.0
    """Weight of semantic regularization as a whole."""
    sp_weight: Annotated[float, Range(0)] = 1.0
    """Weight of semantic preservation as a whole."""
    kd_weight: Annotated[float, Range(0)] = 1.0
    """Weight of semantic-based distillation as a whole."""


@final
class SKD(TermsHost):
    """A conditional VAE, with a critic on demand, under SR, SP and KD.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    Config = SKDConfig
    config: SKDConfig

    def __init__(self, task: Task, config: SKDConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        if config.reconstruction == "cross-entropy" and task.kind != "unit":
            raise ConfigError(
                f"cross-entropy needs samples in [0, 1], and the {task.kind} space has others",
                expected="reconstruction auto or squared",
                received="reconstruction cross-entropy",
                remedy="Leave it out, or set feature_space to unit.",
            )
        x, a, h, z = task.feature_dim, task.semantic_dim, config.hidden_dim, config.latent_dim
        self.prototypes = Prototypes(task, config.anchor_ridge) if task.kind != "unit" else None
        self.encoder = Encoder(x, a, h, z, streams)
        self.generator = Perceptron((z + a, h, x), streams, "generator")
        if config.adversarial_weight > 0:
            self.critic = Perceptron((x + a, h, 1), streams, "critic", last_bias=False)
        # Where training knows no unseen classes it does without the terms on them, which others refuse.
        self.terms = SemanticTerms(task, config, h, streams)

    @property
    def visual(self) -> Linear:
        """The encoder's first layer on samples alone."""
        return self.encoder.visual

    @classmethod
    def alternatives(cls, *, n_rows: int, feature_dim: int, non_negative: bool) -> tuple[Mapping[str, Any], ...]:
        """The default, anchored in a whitened space, or a free generator of the features as they are, in two sizes.

        Which one generalises to new classes depends on the data: whitened distances suit the features of deep
        backbones, free generation suits small images. It is not tried on long features, where it costs minutes, and
        twice as wide and twice as long only where the training features are few numbers. In the whitened space neither
        changes much.
        """
        free: dict[str, Any] = {
            "feature_space": "unit",
            "classifier": "softmax",
            "semantic_power": 1.0,
            "n_updates": 800,
            "kd_verdict_weight": 1.0,
        }
        if not non_negative or feature_dim > _LONGEST_FREE:
            return ({},)
        larger = {**free, "n_updates": 2 * free["n_updates"], "hidden_dim": 2 * cls.Config.hidden_dim}
        return ({}, free, larger) if n_rows * feature_dim <= _SMALL_DATA else ({}, free)

    def plan(self) -> Plan:
        """Teachers first; then, in each step, the critic and one joint update."""
        config = self.config
        adversarial = config.adversarial_weight > 0
        critic = Phase(
            name="critic",
            trains=("critic",),
            loss=self.critic_loss,
            repeats=config.critic_updates,
            learning_rate=config.critic_learning_rate,
        )
        joint = Phase(
            name="joint",
            trains=("encoder", "generator", *self.taught_modules),
            loss=self.joint_loss,
            learning_rate=config.learning_rate,
            divisible=not self.terms.compares_rows,
        )
        generative = Stage(
            name="generative",
            phases=(critic, joint) if adversarial else (joint,),
            n_steps=config.n_updates,
            batch_size=config.batch_size,
            average=("encoder", "generator"),
            decay=config.average_decay,
        )
        return Plan((*self.terms.stages(config.batch_size), generative))

    def critic_loss(self, step: Step) -> Terms:
        """The Wasserstein gap of a critic with gradient penalty."""
        with torch.no_grad():
            fake = self.sample(step.semantics, step.streams)
        return critic_terms(self.critic, step, fake, self.config.penalty_weight)

    def joint_loss(self, step: Step) -> Terms:
        """VAE, critic's verdict, distillation on real samples, and all terms on generated unseen ones."""
        config = self.config
        mean, log_variance = self.encoder(step.features, step.semantics)
        noise = step.streams.normal("posterior", *mean.shape[len(step.streams.leading) :])
        latent = mean + (0.5 * log_variance).exp() * noise
        decoded = self._decode(latent, step.semantics, self._seen_anchors(step.labels))
        terms = {
            "reconstruction": self._reconstruction(decoded, step.features),
            "kl": config.kl_weight * variational.divergence_from_standard_normal(mean, log_variance),
        }
        if config.adversarial_weight > 0:
            verdict = self.critic(self.sample(step.semantics, step.streams), step.semantics)
            terms["adversarial"] = -config.adversarial_weight * verdict.sum(-1).mean(-1)
        self.terms.follow(self.encoder.visual)
        terms |= self.terms.on_real(step, self, lambda: self._finish(decoded))
        if (prototypes := self.prototypes) is not None:
            terms |= self.terms.on_classes(
                step, prototypes, lambda semantics: self.offsets(semantics, prototypes, step.streams.whole)
            )
        terms |= self.terms.on_unseen(step, self)
        return terms

    def sample(self, semantics: SemanticBatch, streams: Streams) -> FeatureBatch:
        """Decode latents drawn from N(0, I)."""
        latent = streams.normal("latent", semantics.shape[-2], self.config.latent_dim)
        anchors = self.anchors
        return self._finish(self._decode(latent, semantics, None if anchors is None else anchors(semantics)))

    def offsets(self, semantics: ClassSemantics, prototypes: Prototypes, streams: Streams) -> ClassFeatures:
        """Estimate how far from the regressed mean each class is generated, from one latent and its opposite."""
        semantics = semantics.expand(*streams.leading, *semantics.shape)
        latent = streams.normal("centre", semantics.shape[-2], self.config.latent_dim)
        both = self.generator(torch.cat([latent, -latent], dim=-2), torch.cat([semantics, semantics], dim=-2))
        centres = both.unflatten(-2, (2, -1)).mean(dim=-3)
        return centres if self.anchors is not None else centres - prototypes(semantics)

    @property
    def anchors(self) -> Prototypes | None:
        """Where the generator starts from, if semantic regularization takes its hard form."""
        return self.prototypes if self.config.anchor and self.config.sr_weight > 0 else None

    def _seen_anchors(self, labels: LabelBatch) -> FeatureBatch | None:
        """The real means of seen classes, which need no regression."""
        if self.anchors is None:
            return None
        return self.task.seen_means[self.task.seen_ranks(labels)]

    def _decode(self, latent: LatentBatch, semantics: SemanticBatch, anchors: FeatureBatch | None) -> FeatureBatch:
        decoded = self.generator(latent, semantics)
        return decoded if anchors is None else decoded + anchors

    def _finish(self, decoded: FeatureBatch) -> FeatureBatch:
        return torch.sigmoid(decoded) if self.task.kind == "unit" else decoded

    def _reconstruction(self, decoded: FeatureBatch, features: FeatureBatch) -> torch.Tensor:
        form = self.config.reconstruction
        if form == "cross-entropy" or (form == "auto" and self.task.kind == "unit"):
            return variational.binary_cross_entropy(decoded, features)
        return variational.squared_error(self._finish(decoded), features)
