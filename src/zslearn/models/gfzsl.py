"""GFZSL: Gaussian classes whose means and variances are regressed from semantics; a generator without training.

Source: V. K. Verma, P. Rai, "A Simple Exponential Family Framework for Zero-Shot Learning", ECML-PKDD 2017: class
conditionals are Gaussians with diagonal covariance; from the seen classes' estimates, ridge regression learns the maps
from semantics to means and to log-variances, in closed form, and unseen classes get their parameters from these maps.

Differs from the source: whitened features and centred semantics, as in all generators here by default; regressions are
centred; seen classes keep the samples that they have, and what the Gaussians say of unseen classes reaches the answer
through synthetic samples and the common final classifier, where the source compares likelihoods.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, final

from zslearn.configuration import Range
from zslearn.models.base import GenerativeConfig, GenerativeModel, Task
from zslearn.models.prototypes import Prototypes
from zslearn.tensors import FeatureBatch, SemanticBatch
from zslearn.training.plan import Plan
from zslearn.training.streams import Streams

_SMALLEST_VARIANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class GFZSLConfig(GenerativeConfig):
    """Settings of GFZSL."""

    n_synthetic: Annotated[int, Range(1)] = 1000
    """Samples synthesised for each unseen class to fit the final classifier; they cost next to nothing here."""
    mean_ridge: Annotated[float, Range(0, low_open=True)] = 0.3
    """Ridge of the regression of means, on condition vectors of unit length."""
    variance_ridge: Annotated[float, Range(0, low_open=True)] = 1.0
    """Ridge of the regression of log-variances."""


@final
class GFZSL(GenerativeModel):
    """Two ridge regressions, solved when made; the plan is empty.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Unused: nothing is drawn.
    """

    Config = GFZSLConfig
    config: GFZSLConfig

    def __init__(self, task: Task, config: GFZSLConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        log_variances = task.seen_variances.clamp_min(_SMALLEST_VARIANCE).log()
        self.means = Prototypes(task, config.mean_ridge)
        self.log_variances = Prototypes(replace(task, seen_means=log_variances), config.variance_ridge)

    def plan(self) -> Plan:
        """Nothing is trained."""
        return Plan(())

    def sample(self, semantics: SemanticBatch, streams: Streams) -> FeatureBatch:
        """Draw from the class's Gaussian; samples of the unit space are clipped to it."""
        noise = streams.normal("latent", semantics.shape[-2], self.task.feature_dim)
        drawn = self.means(semantics) + (0.5 * self.log_variances(semantics)).exp() * noise
        return drawn.clamp(0.0, 1.0) if self.task.kind == "unit" else drawn
