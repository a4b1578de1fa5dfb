"""Semantic preservation: generated data must be recognisable as the class that they were generated for.

The paper (Bao et al., SPL 2025) names the constraint; these formulae are this library's own. They judge
samples by a projection into semantic space, ``T(x)`` or ``R(x)``, which the caller keeps frozen.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from zslearn.tensors import ClassSemantics, FeatureBatch, LabelBatch, PerSeed, ScoreBatch, SemanticBatch

Margins = Float[Tensor, "n_classes n_classes"]
"""What class c (column) is given for free where class y (row) is right."""


def cosine_scores(projected: SemanticBatch, semantics: ClassSemantics) -> ScoreBatch:
    """Cosine between each projected sample and each class's semantics.

    >>> import torch
    >>> cosine_scores(torch.tensor([[0.0, 2.0]]), torch.eye(2)).tolist()
    [[0.0, 1.0]]
    """
    return functional.normalize(projected, dim=-1) @ functional.normalize(semantics, dim=-1).transpose(-1, -2)


def class_cross_entropy(
    scores: ScoreBatch, labels: LabelBatch, temperature: float, margins: Margins | None = None
) -> PerSeed:
    """Cross-entropy over all classes of ``scores / temperature``.

    Args:
        scores: Similarity of each sample to each class.
        labels: The class that each sample should be.
        temperature: Divides the scores, > 0.
        margins: Added to the scores of the wrong classes, so that the right one must win by that much; the
            diagonal must be 0.
    """
    if margins is not None:
        scores = scores + margins[labels]
    log_shares = functional.log_softmax(scores / temperature, dim=-1)
    return -log_shares.gather(-1, labels.unsqueeze(-1)).squeeze(-1).mean(-1)


def similarity_margins(semantics: ClassSemantics, scale: float) -> Margins:
    """Margins that grow with the similarity of two classes, from 0 (opposite) to ``scale`` (equal).

    >>> import torch
    >>> similarity_margins(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), 0.2).tolist()
    [[0.0, 0.10000000149011612], [0.10000000149011612, 0.0]]
    """
    margins = 0.5 * scale * (1.0 + cosine_scores(semantics, semantics))
    return margins.fill_diagonal_(0.0)


def gaussian_scores(features: FeatureBatch, centres: Float[Tensor, "*seeds n_classes feature_dim"]) -> ScoreBatch:
    """Log-likelihood of each sample under a unit Gaussian around each class's centre, up to a term of the sample.

    >>> import torch
    >>> gaussian_scores(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 2.0], [0.0, 0.0]])).tolist()
    [[2.5, 0.0]]
    """
    return features @ centres.transpose(-1, -2) - 0.5 * centres.square().sum(-1).unsqueeze(-2)


def semantic_regression(projected: SemanticBatch, semantics: SemanticBatch) -> PerSeed:
    """One minus the cosine between each projection and the semantics it should have met, in [0, 2].

    >>> import torch
    >>> semantic_regression(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]])).item()
    1.0
    """
    return (1.0 - functional.cosine_similarity(projected, semantics, dim=-1)).mean(-1)
