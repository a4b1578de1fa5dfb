"""Contrast: samples of one class together, others apart."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from zslearn.tensors import FeatureBatch, HiddenBatch, LabelBatch, PerSeed


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


def margin_to_centres(
    views: HiddenBatch,
    centres: Float[Tensor, "*seeds n_classes hidden_dim"],
    labels: LabelBatch,
    others: LabelBatch | None,
    *,
    margin: float,
    share: float,
) -> PerSeed:
    """How far each sample is from being nearer to its class's centre than to another's, by a margin.

    With squared distances ``d``: ``max(0, margin + share * d(own) - (1 - share) * d(other))``.

    Source: FREE's self-adaptive margin centre loss (Chen et al., ICCV 2021).

    Args:
        views: The samples.
        centres: A point per class.
        labels: The row of each sample's own centre.
        others: The row of the other centre; None for the nearest one.
        margin: By how much the own centre must be nearer, as a difference of squared distances.
        share: Weight of the own distance, in [0, 1].

    >>> import torch
    >>> centres = torch.tensor([[0.0], [3.0]])
    >>> margin_to_centres(torch.tensor([[1.0]]), centres, torch.tensor([0]), None, margin=2.0, share=0.5).item()
    0.5
    """
    distances = (views.unsqueeze(-2) - centres.unsqueeze(-3)).square().sum(-1)
    own = distances.gather(-1, labels.unsqueeze(-1))
    if others is None:
        itself = torch.zeros_like(distances, dtype=torch.bool).scatter(-1, labels.unsqueeze(-1), True)
        other = distances.masked_fill(itself, torch.inf).amin(-1, keepdim=True)
    else:
        other = distances.gather(-1, others.unsqueeze(-1))
    return functional.relu(margin + share * own - (1.0 - share) * other).squeeze(-1).mean(-1)


def same_class_cross_entropy(
    first: FeatureBatch,
    second: Float[Tensor, "*seeds other_batch feature_dim"],
    labels: LabelBatch,
    second_labels: Int[Tensor, "*seeds other_batch"],
    temperature: float,
) -> PerSeed:
    """Cross-entropy of telling by cosine which pairs of two batches are of one class; mean over all pairs.

    Source: RE-GZSL (Wu et al., TCSVT 2025).

    Args:
        first: One batch.
        second: The other.
        labels: The classes of the first.
        second_labels: The classes of the second.
        temperature: Divides the cosines, > 0.

    >>> import torch
    >>> ones, label = torch.ones(1, 2), torch.tensor([0])
    >>> round(same_class_cross_entropy(ones, ones, label, label, 1.0).item(), 4)  # log(1 + exp(-1))
    0.3133
    """
    units = functional.normalize(first, dim=-1), functional.normalize(second, dim=-1)
    logits = units[0] @ units[1].transpose(-1, -2) / temperature
    same = (labels.unsqueeze(-1) == second_labels.unsqueeze(-2)).to(logits.dtype)
    return (functional.softplus(logits) - same * logits).mean((-1, -2))
