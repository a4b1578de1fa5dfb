"""Contrast between samples: those of one class together, others apart."""

from __future__ import annotations

import torch
from torch.nn import functional

from zslearn.tensors import HiddenBatch, LabelBatch, PerSeed


def supervised_contrast(views: HiddenBatch, labels: LabelBatch, temperature: float) -> PerSeed:
    """How far each sample is from telling others of its class from all others, by cosine.

    For each sample ``i`` with others of its class ``P(i)`` in the batch: minus the mean over ``P(i)`` of the
    log-softmax over all others than ``i``; then the mean over these samples. 0 where no class occurs twice.

    Source: Khosla et al., NeurIPS 2020, equation 2; CE-GZSL's instance-level contrast (Han et al., CVPR 2021).

    Args:
        views: What is compared.
        labels: The classes.
        temperature: Divides the cosines, > 0.

    >>> import torch
    >>> same = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    >>> round(supervised_contrast(same, torch.tensor([0, 0, 1]), 1.0).item(), 4)  # log 2
    0.6931
    """
    unit = functional.normalize(views, dim=-1)
    scores = unit @ unit.transpose(-1, -2) / temperature
    itself = torch.eye(scores.shape[-1], dtype=torch.bool, device=scores.device)
    log_shares = scores - scores.masked_fill(itself, -torch.inf).logsumexp(-1, keepdim=True)
    positive = (labels.unsqueeze(-1) == labels.unsqueeze(-2)) & ~itself
    n_positive = positive.sum(-1)
    means = (log_shares * positive).sum(-1) / n_positive.clamp_min(1)
    return -means.sum(-1) / (n_positive > 0).sum(-1).clamp_min(1)
