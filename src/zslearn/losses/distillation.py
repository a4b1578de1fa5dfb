"""Semantic-based knowledge distillation: from a teacher's semantic view to the generative model's encoder.

The paper (Bao et al., SPL 2025) names the idea; these formulae are this library's own, after Hinton et al.
(2015) for the softened divergence and Park et al. (CVPR 2019) for the relational form.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from zslearn.tensors import HiddenBatch, PerSeed, ScoreBatch


def softened_divergence(teacher_scores: ScoreBatch, student_scores: ScoreBatch, temperature: float) -> PerSeed:
    """``temperature^2`` times the KL divergence between softened class beliefs of teacher and student.

    The factor keeps the size of the gradient independent of the temperature. The mass that the teacher puts on
    unseen classes is part of what is taught.

    Args:
        teacher_scores: Logits of the teacher over all classes; a constant.
        student_scores: Logits of the student.
        temperature: The distillation temperature, > 0.
    """
    taught = functional.log_softmax(teacher_scores / temperature, dim=-1)
    learned = functional.log_softmax(student_scores / temperature, dim=-1)
    return temperature**2 * (taught.exp() * (taught - learned)).sum(-1).mean(-1)


def feature_gap(student_view: HiddenBatch, teacher_view: HiddenBatch) -> PerSeed:
    """Squared distance between two views of the same samples.

    >>> import torch
    >>> feature_gap(torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0, 0.0]])).item()
    2.0
    """
    return (student_view - teacher_view).square().sum(-1).mean(-1)


def relational_gap(student_view: HiddenBatch, teacher_view: Float[Tensor, "*seeds batch other_dim"]) -> PerSeed:
    """Mean squared difference of the batch's pairwise distances, each side divided by its mean distance.

    The two views may differ in size and scale: only the arrangement of the samples counts. 0 for a single sample.
    """
    return (_relative_distances(student_view) - _relative_distances(teacher_view)).square().mean((-1, -2))


def unit_cross_entropy(teacher_scores: ScoreBatch, student_scores: ScoreBatch) -> PerSeed:
    """Cross-entropy between class beliefs after the logits of each sample were brought to length 1.

    Source: the code of RE-GZSL (Wu et al., TCSVT 2025), for its discrimination preservation.

    Args:
        teacher_scores: Logits of the teacher; a constant.
        student_scores: Logits of the student over the same classes.

    >>> import torch
    >>> even = torch.tensor([[1.0, 1.0]])
    >>> round(unit_cross_entropy(even, 5.0 * even).item(), 4)  # log 2
    0.6931
    """
    taught = functional.softmax(functional.normalize(teacher_scores, dim=-1), dim=-1)
    learned = functional.log_softmax(functional.normalize(student_scores, dim=-1), dim=-1)
    return -(taught * learned).sum(-1).mean(-1)


def angular_gap(student_view: HiddenBatch, teacher_view: Float[Tensor, "*seeds batch other_dim"]) -> PerSeed:
    """Mean squared difference of the cosines of all angles that triples of the batch's samples form.

    Source: Park et al., CVPR 2019, equation 8, with squared differences.
    """
    return (_angles(student_view) - _angles(teacher_view)).square().mean((-1, -2, -3))


def _angles(view: Tensor) -> Tensor:
    """The cosine at sample i between the ways to j and to k, as ``[..., i, j, k]``; 0 where there is no way."""
    gram = view @ view.transpose(-1, -2)
    squares = gram.diagonal(dim1=-2, dim2=-1)
    squared = squares.unsqueeze(-1) + squares.unsqueeze(-2) - 2.0 * gram
    # From the products of all pairs, so that no triple holds a vector; what rounding leaves of a distance of 0
    # counts as 0.
    apart = squared > _NO_DISTANCE * squared.mean((-1, -2), keepdim=True)
    inverse = torch.where(apart, squared, 1.0).rsqrt() * apart
    products = squares[..., None, None] + gram.unsqueeze(-3) - gram.unsqueeze(-1) - gram.unsqueeze(-2)
    return products * inverse.unsqueeze(-1) * inverse.unsqueeze(-2)


def _relative_distances(view: Tensor) -> Tensor:
    squares = view.square().sum(-1)
    gram = view @ view.transpose(-1, -2)
    squared = squares.unsqueeze(-1) + squares.unsqueeze(-2) - 2.0 * gram
    # The square root has no finite slope at the zeros of the diagonal.
    off_diagonal = ~torch.eye(view.shape[-2], dtype=torch.bool, device=view.device)
    distances = torch.where(off_diagonal, squared.clamp_min(1e-12), 1.0).sqrt() * off_diagonal
    n_pairs = max(1, view.shape[-2] * (view.shape[-2] - 1))
    mean = distances.sum((-1, -2), keepdim=True) / n_pairs
    return distances / mean.clamp_min(1e-12)


_NO_DISTANCE = 1e-5
"""Squared distance below which two samples are one, as a share of the mean."""
