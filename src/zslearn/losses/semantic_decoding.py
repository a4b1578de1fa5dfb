"""Losses of decoding semantics from features."""

from __future__ import annotations

from zslearn.tensors import PerSeed, SemanticBatch

_SMALLEST_SQUARE = 1e-12


def weighted_absolute_error(decoded: SemanticBatch, semantics: SemanticBatch) -> PerSeed:
    """Absolute distance in which each dimension counts by its share of the error.

    With the gap ``d`` of a sample, ``sum |d|^3 / |d|_2``: large gaps weigh most.

    Source: the code of Narayan et al., ECCV 2020, for the loss that their paper calls the cycle-consistency.

    >>> import torch
    >>> round(weighted_absolute_error(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2)).item(), 4)  # (27 + 64) / 5
    18.2
    """
    gaps = (decoded - semantics).abs()
    # The square root has no finite slope at 0.
    lengths = gaps.square().sum(-1).clamp_min(_SMALLEST_SQUARE).sqrt()
    return (gaps.pow(3).sum(-1) / lengths).mean(-1)
