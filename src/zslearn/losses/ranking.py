"""Ranking losses: the right class must score above every other by a margin.

Source: DeViSE (Frome et al., NeurIPS 2013) for the hinge, ALE (Akata et al., TPAMI 2016) for the weight of the rank.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zslearn.tensors import LabelBatch, PerSeed, ScoreBatch


def violations(scores: ScoreBatch, labels: LabelBatch, margin: float) -> ScoreBatch:
    """By how much each wrong class comes closer to the right one than the margin allows; 0 for the right class.

    >>> import torch
    >>> violations(torch.tensor([[1.0, 0.5, 0.75]]), torch.tensor([0]), 0.5).tolist()
    [[0.0, 0.0, 0.25]]
    """
    own = labels.unsqueeze(-1)
    above = (scores - scores.gather(-1, own) + margin).clamp_min(0.0)
    return above.scatter(-1, own, torch.zeros_like(own, dtype=scores.dtype))


def hinge(scores: ScoreBatch, labels: LabelBatch, margin: float) -> PerSeed:
    """Sum of the violations over classes, mean over the batch (DeViSE, equation 1).

    >>> import torch
    >>> hinge(torch.tensor([[1.0, 1.0, 1.5]]), torch.tensor([0]), 0.5).item()
    1.5
    """
    return violations(scores, labels, margin).sum(-1).mean(-1)


def rank_weighted_hinge(scores: ScoreBatch, labels: LabelBatch, margin: float) -> PerSeed:
    """Mean violation of the ``r`` violating classes times ``1 + 1/2 + ... + 1/r``, mean over the batch (ALE).

    The weight favours the top of the ranking: the first violation costs most. It counts and has no gradient.

    >>> import torch
    >>> rank_weighted_hinge(torch.tensor([[1.0, 1.0, 1.5]]), torch.tensor([0]), 0.5).item()  # (1 + 1/2) 1.5 / 2
    1.125
    """
    above = violations(scores, labels, margin)
    rank = (above > 0).sum(-1)
    return (_rank_costs(scores)[rank] * above.sum(-1) / rank.clamp_min(1)).mean(-1)


def _rank_costs(scores: ScoreBatch) -> Tensor:
    """The sum of the first ``r`` reciprocals, for every possible rank ``r``."""
    n_classes = scores.shape[-1]
    reciprocals = 1.0 / torch.arange(1, n_classes, device=scores.device, dtype=scores.dtype)
    return torch.cat([reciprocals.new_zeros(1), reciprocals.cumsum(0)])
