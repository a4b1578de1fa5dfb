"""A conditional flow: features carried from noise along straight lines, whose velocity is learned.

Source: Y. Lipman, R. T. Q. Chen, H. Ben-Hamu, M. Nickel, M. Le, "Flow Matching for Generative Modeling", ICLR 2023,
with the straight paths of X. Liu, C. Gong, Q. Liu, "Flow Straight and Fast", ICLR 2023, and the guidance of J. Ho, T.
Salimans, "Classifier-Free Diffusion Guidance", 2022. It is the modern arm of the zoo: ZeroDiff (Ye et al., ICLR 2025)
brought diffusion to zero-shot features.

Differs from the sources: there is no published setting for features, so that all defaults are this library's; from
ZeroDiff: one generator without critics and without contrastive representations. On demand the flow carries noise to
offsets from class means regressed from semantics, as SKD does, which gives the terms on whole classes something to act
on. Distillation teaches the velocity's first layer, at the end of the path, where what it reads is a sample; with an
anchor it reads offsets there, and being taught on samples is a second use of the same weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zslearn.configuration import Range
from zslearn.losses.variational import squared_error
from zslearn.models.base import GenerativeConfig, Task
from zslearn.models.host import TermsHost
from zslearn.models.prototypes import Prototypes
from zslearn.models.terms import TermsConfig
from zslearn.nets import Linear, activation
from zslearn.tensors import ClassFeatures, ClassSemantics, FeatureBatch, SemanticBatch
from zslearn.training.plan import Phase, Plan, Stage, Step, Terms
from zslearn.training.streams import Streams

Times = Float[Tensor, "*seeds batch 1"]
"""Where on the way from noise (0) to sample (1)."""
_N_FREQUENCIES = 8


@dataclass(frozen=True, kw_only=True)
class FlowConfig(GenerativeConfig, TermsConfig):
    """Settings of the conditional flow; all defaults are this library's."""

    anchor: bool = False
    """Whether the flow ends in offsets from class means regressed from semantics; not in the unit space."""
    anchor_ridge: Annotated[float, Range(0, low_open=True)] = 0.3
    """Ridge of that regression."""
    hidden_dim: Annotated[int, Range(1)] = 1024
    """Width of the velocity's two hidden layers."""
    n_updates: Annotated[int, Range(1)] = 1000
    """Updates of the velocity."""
    batch_size: Annotated[int, Range(2)] = 128
    """Real samples in an update."""
    learning_rate: Annotated[float, Range(0, low_open=True)] = 1e-3
    """Adam's step size at the start; it falls to 0 along half a cosine."""
    n_integration_steps: Annotated[int, Range(1)] = 8
    """Steps of Euler's method from noise to sample."""
    dropped_conditions: Annotated[float, Range(0, 1)] = 0.1
    """Share of training rows whose condition is hidden, so that guidance has an unconditional velocity."""
    guidance: Annotated[float, Range(0)] = 1.0
    """How far the velocity is taken from the unconditional one (0) to the conditional one (1) and beyond."""
    average_decay: Annotated[float, Range(0, 1, high_open=True)] = 0.99
    """Decay per step of the moving average of weights that synthesis uses; 0 uses the last weights."""


class _Velocity(nn.Module):
    """The velocity of a point, from where it is, when, and for which class."""

    def __init__(self, feature_dim: int, semantic_dim: int, hidden_dim: int, streams: Streams) -> None:
        super().__init__()
        self.visual = Linear(feature_dim, hidden_dim, streams, "velocity/visual")
        self.semantic = Linear(semantic_dim, hidden_dim, streams, "velocity/semantic", bias=False)
        self.time = Linear(2 * _N_FREQUENCIES, hidden_dim, streams, "velocity/time", bias=False)
        self.middle = Linear(hidden_dim, hidden_dim, streams, "velocity/middle")
        self.last = Linear(hidden_dim, feature_dim, streams, "velocity/last")

    def forward(self, points: FeatureBatch, times: Times, semantics: SemanticBatch) -> FeatureBatch:
        angles = times * (2.0 ** torch.arange(_N_FREQUENCIES, device=times.device)) * (0.5 * math.pi)
        waves = torch.cat([angles.sin(), angles.cos()], dim=-1)
        hidden = activation(self.visual(points) + self.semantic(semantics) + self.time(waves))
        return self.last(activation(self.middle(hidden)))


@final
class Flow(TermsHost):
    """A conditional flow on features.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    Config = FlowConfig
    config: FlowConfig

    def __init__(self, task: Task, config: FlowConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        self.prototypes = Prototypes(task, config.anchor_ridge) if config.anchor and task.kind != "unit" else None
        self.velocity = _Velocity(task.feature_dim, task.semantic_dim, config.hidden_dim, streams)
        self.take_terms(task, config, streams)

    @property
    def visual(self) -> Linear:
        """The velocity's first layer on points, which at the end of the path are samples, or offsets from an anchor."""
        return self.velocity.visual

    def plan(self) -> Plan:
        """The velocity in one kind of update."""
        config = self.config
        phase = Phase(
            name="flow",
            trains=("velocity", *self.taught_modules),
            loss=self.flow_loss,
            learning_rate=config.learning_rate,
            betas=(0.9, 0.999),
            cosine=True,
            divisible=not self.terms.compares_rows,
        )
        stage = Stage(
            name="flow",
            phases=(phase,),
            n_steps=config.n_updates,
            batch_size=config.batch_size,
            average=("velocity",),
            decay=config.average_decay,
        )
        return Plan((*self.terms.stages(config.batch_size), stage))

    def flow_loss(self, step: Step) -> Terms:
        """Squared distance of the velocity from that of the straight line through noise and sample."""
        batch, streams = step.labels.shape[-1], step.streams
        noise = streams.normal("noise", batch, self.task.feature_dim)
        times = streams.uniform("time", batch, 1)
        shown = streams.uniform("dropped condition", batch, 1) >= self.config.dropped_conditions
        ends = step.features
        if self.prototypes is not None:
            ends = ends - self.task.seen_means[self.task.seen_ranks(step.labels)]
        found = self.velocity(torch.lerp(noise, ends, times), times, step.semantics * shown)
        terms = {"flow": squared_error(found, ends - noise), **self.terms_loss(step)}
        if self.prototypes is not None:
            terms |= self.terms.on_classes(
                step, self.prototypes, lambda semantics: self.offsets(semantics, streams.whole)
            )
        return terms

    def sample(self, semantics: SemanticBatch, streams: Streams) -> FeatureBatch:
        """Carry noise drawn from N(0, I) to the end of its path; scaled features are cut to [0, 1]."""
        carried = self.carry(streams.normal("latent", semantics.shape[-2], self.task.feature_dim), semantics)
        if self.prototypes is not None:
            return carried + self.prototypes(semantics)
        return carried.clamp(0.0, 1.0) if self.task.kind == "unit" else carried

    def offsets(self, semantics: ClassSemantics, streams: Streams) -> ClassFeatures:
        """Estimate how far the flow moves each class's centre, from one noise and its opposite."""
        semantics = semantics.expand(*streams.leading, *semantics.shape)
        noise = streams.normal("centre", semantics.shape[-2], self.task.feature_dim)
        both = self.carry(torch.cat([noise, -noise], dim=-2), torch.cat([semantics, semantics], dim=-2))
        return both.unflatten(-2, (2, -1)).mean(dim=-3)

    def carry(self, noise: FeatureBatch, semantics: SemanticBatch) -> FeatureBatch:
        """Follow the velocity from noise to the end of its path by Euler's method."""
        config, points = self.config, noise
        for index in range(config.n_integration_steps):
            times = torch.full_like(points[..., :1], index / config.n_integration_steps)
            velocity = self.velocity(points, times, semantics)
            if config.guidance != 1.0:
                unguided = self.velocity(points, times, torch.zeros_like(semantics))
                velocity = torch.lerp(unguided, velocity, config.guidance)
            points = points + velocity / config.n_integration_steps
        return points
