"""Terms of a variational autoencoder (Kingma and Welling, ICLR 2014)."""

from __future__ import annotations

from torch.nn import functional

from zslearn.tensors import FeatureBatch, LatentBatch, PerSeed


def squared_error(reconstruction: FeatureBatch, features: FeatureBatch) -> PerSeed:
    """Squared distance between samples and their reconstructions.

    >>> import torch
    >>> squared_error(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]])).item()
    5.0
    """
    return (reconstruction - features).square().sum(-1).mean(-1)


def absolute_error(reconstruction: FeatureBatch, features: FeatureBatch) -> PerSeed:
    """Absolute distance between samples and their reconstructions.

    >>> import torch
    >>> absolute_error(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 0.0]])).item()
    3.0
    """
    return (reconstruction - features).abs().sum(-1).mean(-1)


def binary_cross_entropy(logits: FeatureBatch, features: FeatureBatch) -> PerSeed:
    """Cross-entropy between features in [0, 1] and the sigmoid of the logits.

    >>> import torch
    >>> round(binary_cross_entropy(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]])).item(), 4)  # 2 log 2
    1.3863
    """
    # softplus(l) - x l is the cross-entropy without ever taking the logarithm of a sigmoid.
    return (functional.softplus(logits) - features * logits).sum(-1).mean(-1)


def divergence_from_standard_normal(mean: LatentBatch, log_variance: LatentBatch) -> PerSeed:
    """Kullback-Leibler divergence of N(mean, exp(log_variance)) from N(0, I), per sample.

    >>> import torch
    >>> divergence_from_standard_normal(torch.tensor([[2.0]]), torch.tensor([[0.0]])).item()
    2.0
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(-1).mean(-1)


def gaussian_distance(
    mean: LatentBatch, log_variance: LatentBatch, other_mean: LatentBatch, other_log_variance: LatentBatch
) -> PerSeed:
    """2-Wasserstein distance between two Gaussians with diagonal covariances, per sample.

    Source: Schoenfeld et al., CVPR 2019, equation 5.

    >>> import torch
    >>> gaussian_distance(torch.tensor([[3.0]]), torch.zeros(1, 1), torch.tensor([[1.0]]), torch.zeros(1, 1)).item()
    2.0
    """
    deviations = (0.5 * log_variance).exp() - (0.5 * other_log_variance).exp()
    squared = ((mean - other_mean).square() + deviations.square()).sum(-1)
    # The square root has no finite slope at 0.
    return squared.clamp_min(_SMALLEST_SQUARE).sqrt().mean(-1)


_SMALLEST_SQUARE = 1e-12
