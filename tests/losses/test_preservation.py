from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from zslearn.losses import preservation

SHAPES = [(1, 2, 3), (9, 5, 4)]  # batch, classes, semantic_dim


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def cosines(rows, columns):
    norms = np.sqrt((rows**2).sum(axis=1))[:, None] * np.sqrt((columns**2).sum(axis=1))[None]
    return rows @ columns.T / norms


@pytest.mark.parametrize(("batch", "n_classes", "dim"), SHAPES)
def test_cosine_scores_parity_with_numpy(batch, n_classes, dim):
    projected, semantics = draw(batch, dim), draw(n_classes, dim, seed=1)
    scores = preservation.cosine_scores(torch.tensor(projected), torch.tensor(semantics))
    np.testing.assert_allclose(scores.numpy(), cosines(projected, semantics), rtol=1e-12)
    scaled = preservation.cosine_scores(torch.tensor(7 * projected), torch.tensor(0.1 * semantics))
    torch.testing.assert_close(scaled, scores)


@pytest.mark.parametrize("with_margins", [False, True])
@pytest.mark.parametrize(("batch", "n_classes", "dim"), SHAPES)
def test_class_cross_entropy_parity_with_numpy(batch, n_classes, dim, with_margins):
    rng = np.random.default_rng(2)
    scores, labels = rng.normal(size=(batch, n_classes)), rng.integers(n_classes, size=batch)
    margins = rng.uniform(size=(n_classes, n_classes)) * (1 - np.eye(n_classes))
    shifted = scores + margins[labels] if with_margins else scores
    expected = -log_softmax(shifted / 0.2, axis=1)[np.arange(batch), labels].mean()
    loss = preservation.class_cross_entropy(
        torch.tensor(scores), torch.tensor(labels), 0.2, torch.tensor(margins) if with_margins else None
    )
    assert loss.item() == pytest.approx(expected, rel=1e-10)


def test_class_cross_entropy_by_hand():
    loss = preservation.class_cross_entropy(torch.zeros(3, 8), torch.tensor([0, 5, 7]), 0.1)
    assert loss.item() == pytest.approx(math.log(8))
    margins = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    loss = preservation.class_cross_entropy(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), 1.0, margins)
    assert loss.item() == pytest.approx(math.log(2))


def test_margins_only_raise_the_loss():
    scores, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    margins = preservation.similarity_margins(torch.randn(4, 3), 0.5)
    assert preservation.class_cross_entropy(scores, labels, 0.1, margins) > preservation.class_cross_entropy(
        scores, labels, 0.1
    )


def test_similarity_margins_parity_with_numpy():
    semantics = draw(5, 3)
    expected = 0.4 * (1 + cosines(semantics, semantics)) / 2
    np.fill_diagonal(expected, 0)
    margins = preservation.similarity_margins(torch.tensor(semantics), 0.4)
    np.testing.assert_allclose(margins.numpy(), expected, atol=1e-15)
    torch.testing.assert_close(margins, margins.T)


def test_similarity_margins_of_opposite_and_equal_classes():
    semantics = torch.tensor([[1.0, 0.0], [-2.0, 0.0], [3.0, 0.0]])
    margins = preservation.similarity_margins(semantics, 0.2)
    expected = torch.tensor([[0.0, 0.0, 0.2], [0.0, 0.0, 0.0], [0.2, 0.0, 0.0]])
    torch.testing.assert_close(margins, expected)


@pytest.mark.parametrize(("batch", "n_classes", "dim"), SHAPES)
def test_semantic_regression_parity_with_numpy(batch, n_classes, dim):
    projected, semantics = draw(batch, dim), draw(batch, dim, seed=1)
    expected = 1 - np.diag(cosines(projected, semantics)).mean()
    loss = preservation.semantic_regression(torch.tensor(projected), torch.tensor(semantics))
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_semantic_regression_ends_at_0_and_2():
    vectors = torch.tensor([[1.0, 2.0], [0.5, -1.0]], dtype=torch.float64)
    assert preservation.semantic_regression(3 * vectors, vectors).item() == pytest.approx(0, abs=1e-15)
    assert preservation.semantic_regression(-vectors, vectors).item() == pytest.approx(2)


def test_a_leading_seed_dimension_equals_single_results():
    projected, met = torch.tensor(draw(2, 3, 6, 4))
    semantics, labels = torch.tensor(draw(5, 4)), torch.randint(5, (3, 6))
    margins = preservation.similarity_margins(semantics, 0.3)

    def judged(rows, names):
        scores = preservation.cosine_scores(rows, semantics)
        return preservation.class_cross_entropy(scores, names, 0.1, margins)

    pairs = zip(projected, labels, strict=True)
    torch.testing.assert_close(judged(projected, labels), torch.stack([judged(*pair) for pair in pairs]))
    alone = [preservation.semantic_regression(*pair) for pair in zip(projected, met, strict=True)]
    torch.testing.assert_close(preservation.semantic_regression(projected, met), torch.stack(alone))


def test_gradients():
    projected, semantics = torch.tensor(draw(3, 4)).requires_grad_(), torch.tensor(draw(5, 4, seed=1))
    labels = torch.tensor([4, 0, 0])
    assert torch.autograd.gradcheck(
        lambda rows: preservation.class_cross_entropy(preservation.cosine_scores(rows, semantics), labels, 0.5),
        (projected,),
    )
    assert torch.autograd.gradcheck(
        lambda rows: preservation.semantic_regression(rows, semantics[labels]), (projected,)
    )


def test_a_projection_of_zero_has_finite_slopes():
    projected = torch.zeros(1, 3, requires_grad=True)
    preservation.cosine_scores(projected, torch.eye(3)).sum().backward()
    assert torch.isfinite(projected.grad).all()


@pytest.mark.parametrize(("batch", "n_classes", "dim"), SHAPES)
def test_gaussian_scores_are_log_likelihoods_up_to_a_term_of_the_sample(batch, n_classes, dim):
    features, centres = draw(batch, dim), draw(n_classes, dim, seed=1)
    expected = -0.5 * ((features[:, None] - centres[None]) ** 2).sum(axis=-1)
    scores = preservation.gaussian_scores(torch.tensor(features), torch.tensor(centres)).numpy()
    constant = (scores - expected)[:, :1]
    np.testing.assert_allclose(scores - expected, np.broadcast_to(constant, scores.shape), atol=1e-12)


def test_gaussian_scores_with_a_leading_seed_dimension_equal_single_results():
    features, centres = torch.tensor(draw(2, 5, 3)), torch.tensor(draw(2, 4, 3, seed=1))
    alone = [preservation.gaussian_scores(*pair) for pair in zip(features, centres, strict=True)]
    torch.testing.assert_close(preservation.gaussian_scores(features, centres), torch.stack(alone))
