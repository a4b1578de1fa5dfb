"""Semantic regularization: generated unseen data must be distributed as their semantics say.

The paper (Bao et al., SPL 2025) names the constraint; these formulae are this library's own. The band form
follows the idea of LsrGAN's semantic regularised loss (Vyas et al., ECCV 2020).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from zslearn.tensors import PerSeed

Relations = Float[Tensor, "*seeds n_unseen n_seen"]
"""The similarity of each unseen class to each seen class, in [-1, 1]."""
UnseenMoments = Float[Tensor, "*seeds n_unseen feature_dim"]
SeenMoments = Float[Tensor, "n_seen feature_dim"]
Centre = Float[Tensor, "1 feature_dim"]


def visual_relations(unseen_means: UnseenMoments, seen_means: SeenMoments, centre: Centre) -> Relations:
    """Cosines between generated unseen class means and real seen class means, both taken from ``centre``.

    Without the centre, cosines between non-negative features are all high and say nothing.

    >>> import torch
    >>> visual_relations(torch.tensor([[2.0, 1.0]]), torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 1.0]])).item()
    0.0
    """
    unseen = functional.normalize(unseen_means - centre, dim=-1)
    seen = functional.normalize(seen_means - centre, dim=-1)
    return unseen @ seen.transpose(-1, -2)


def relation_divergence(semantic: Relations, visual: Relations, temperature: float) -> PerSeed:
    """Divergence of visual from semantic neighbourhoods: KL between softmaxes over the seen classes.

    Args:
        semantic: The similarities that should be met; no gradient is needed.
        visual: The similarities of the generated samples.
        temperature: Divides both before the softmax, > 0.
    """
    target = functional.log_softmax(semantic / temperature, dim=-1)
    met = functional.log_softmax(visual / temperature, dim=-1)
    return (target.exp() * (target - met)).sum(-1).mean(-1)


def relation_band(semantic: Relations, visual: Relations, width: float | Relations) -> PerSeed:
    """Squared distance of the visual similarities from a band around the semantic ones; 0 inside it.

    >>> import torch
    >>> round(relation_band(torch.tensor([[0.5]]), torch.tensor([[0.9]]), 0.1).item(), 4)
    0.09
    """
    return functional.relu((visual - semantic).abs() - width).square().sum(-1).mean(-1)


def trusted_distance(offsets: UnseenMoments, error: float | Float[Tensor, ""]) -> PerSeed:
    """Squared distance of generated class means from where semantics put them, in units of the semantics' own error.

    Where semantics predict held-out classes badly, straying from them costs little.

    Args:
        offsets: Generated class mean minus the mean regressed from semantics.
        error: Mean squared error of that regression on classes left out of it, > 0.

    >>> import torch
    >>> trusted_distance(torch.tensor([[3.0, 4.0]]), 5.0).item()
    5.0
    """
    return offsets.square().sum(-1).mean(-1) / error


def moment_gap(log_variances: UnseenMoments, target: UnseenMoments) -> PerSeed:
    """Mean absolute difference of per-dimension log-variances.

    Of all terms the only one averaged over the dimensions, so that it reads as "off by this factor".

    >>> import torch
    >>> moment_gap(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0]])).item()
    0.5
    """
    return (log_variances - target).abs().mean(-1).mean(-1)


def expected_moments(
    semantic: Relations, seen_variances: SeenMoments, temperature: float
) -> Float[Tensor, "*seeds n_unseen feature_dim"]:
    """Variances that unseen classes should have: the seen classes', weighted by semantic relation."""
    return functional.softmax(semantic / temperature, dim=-1) @ seen_variances


def batch_moments(
    samples: Float[Tensor, "*seeds n_unseen n_samples feature_dim"],
) -> tuple[UnseenMoments, UnseenMoments]:
    """Mean and unbiased variance of each class's generated samples."""
    variance, mean = torch.var_mean(samples, dim=-2)
    return mean, variance
