"""Terms of a Wasserstein critic with gradient penalty (Gulrajani et al., NeurIPS 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from zslearn.tensors import FeatureBatch, PerSeed

CriticScores = Float[Tensor, "*seeds batch 1"]


def critic_gap(real_scores: CriticScores, fake_scores: CriticScores) -> PerSeed:
    """Mean score of fakes minus mean score of real samples: what the critic minimises.

    >>> import torch
    >>> critic_gap(torch.tensor([[3.0]]), torch.tensor([[1.0]])).item()
    -2.0
    """
    return (fake_scores - real_scores).sum(-1).mean(-1)


def gradient_penalty(
    critic: Callable[[FeatureBatch], CriticScores],
    real: FeatureBatch,
    fake: FeatureBatch,
    mix: Float[Tensor, "*seeds batch 1"],
) -> PerSeed:
    """Squared deviation from 1 of the critic's slope between real and generated samples.

    Args:
        critic: The critic, its condition already filled in.
        real: Real samples.
        fake: Generated samples, paired with the real ones.
        mix: Where between real (0) and fake (1) the slope of each pair is taken, in [0, 1].
    """
    between = torch.lerp(real, fake, mix).detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return slope_penalty(slope)


def slope_penalty(slope: FeatureBatch) -> PerSeed:
    """Squared deviation from 1 of the length of slopes.

    >>> import torch
    >>> slope_penalty(torch.tensor([[0.0, 3.0], [1.0, 0.0]])).item()
    2.0
    """
    return (slope.norm(dim=-1) - 1.0).square().mean(-1)
