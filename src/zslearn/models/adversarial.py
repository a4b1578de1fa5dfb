"""What adversarial models share."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from zslearn.losses import wasserstein
from zslearn.tensors import FeatureBatch
from zslearn.training.plan import Step, Terms


def critic_terms(
    critic: Callable[[Tensor, Tensor], Tensor], step: Step, fake: FeatureBatch, penalty_weight: float
) -> Terms:
    """The Wasserstein gap of a conditional critic, and its gradient penalty.

    Args:
        critic: Scores samples with their condition vectors.
        step: The real batch.
        fake: A generated sample of the same class for each real one, without a graph.
        penalty_weight: Weight of the penalty.
    """
    mix = step.streams.uniform("penalty", step.labels.shape[-1], 1)
    penalty = wasserstein.gradient_penalty(lambda features: critic(features, step.semantics), step.features, fake, mix)
    gap = wasserstein.critic_gap(critic(step.features, step.semantics), critic(fake, step.semantics))
    return {"gap": gap, "penalty": penalty_weight * penalty}
