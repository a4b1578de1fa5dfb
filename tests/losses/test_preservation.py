import numpy as np
import pytest
import torch

from zslearn.losses import preservation as sp

RNG = np.random.default_rng(0)


def test_cosine_scores_equal_numpy():
    projected, semantics = RNG.normal(size=(4, 3)), RNG.normal(size=(5, 3))
    expected = np.array([[p @ a / np.linalg.norm(p) / np.linalg.norm(a) for a in semantics] for p in projected])
    np.testing.assert_allclose(sp.cosine_scores(torch.tensor(projected), torch.tensor(semantics)), expected, rtol=1e-10)


@pytest.mark.parametrize("with_margins", [False, True])
def test_class_cross_entropy_equals_numpy(with_margins):
    scores, labels = RNG.uniform(-1, 1, size=(6, 4)), RNG.integers(4, size=6)
    margins = RNG.uniform(0, 0.3, size=(4, 4)) * (1 - np.eye(4))
    logits = (scores + (margins[labels] if with_margins else 0)) / 0.05
    losses = np.log(np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)) + logits.max(axis=1)
    expected = np.mean(losses - logits[np.arange(6), labels])
    found = sp.class_cross_entropy(
        torch.tensor(scores), torch.tensor(labels), 0.05, torch.tensor(margins) if with_margins else None
    )
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_a_margin_makes_the_same_scores_cost_more():
    scores, labels = torch.tensor([[0.9, 0.2]]), torch.tensor([0])
    margins = torch.tensor([[0.0, 0.2], [0.2, 0.0]])
    assert sp.class_cross_entropy(scores, labels, 0.1, margins) > sp.class_cross_entropy(scores, labels, 0.1)


def test_similarity_margins_grow_with_similarity_and_spare_the_right_class():
    semantics = torch.tensor([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0]])
    margins = sp.similarity_margins(semantics, 0.4)
    assert margins.diagonal().tolist() == [0.0, 0.0, 0.0]
    assert margins[0, 1] > 0.39
    assert margins[0, 2].item() == pytest.approx(0.0, abs=1e-6)


def test_semantic_regression_is_scale_free_and_zero_when_met():
    semantics = torch.tensor(RNG.normal(size=(5, 3)))
    assert sp.semantic_regression(7.0 * semantics, semantics).item() == pytest.approx(0.0, abs=1e-12)
    assert sp.semantic_regression(-semantics, semantics).item() == pytest.approx(2.0)
