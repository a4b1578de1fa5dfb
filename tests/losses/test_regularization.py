from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax

from zslearn.losses import regularization

SHAPES = [(1, 2, 3), (4, 6, 5)]  # unseen classes, seen classes, feature_dim


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def tensors(*arrays):
    return tuple(torch.tensor(array) for array in arrays)


@pytest.mark.parametrize(("n_unseen", "n_seen", "dim"), SHAPES)
def test_visual_relations_parity_with_numpy(n_unseen, n_seen, dim):
    unseen, seen, centre = draw(n_unseen, dim), draw(n_seen, dim, seed=1), draw(1, dim, seed=2)
    expected = np.empty((n_unseen, n_seen))
    for u in range(n_unseen):
        for s in range(n_seen):
            a, b = unseen[u] - centre[0], seen[s] - centre[0]
            expected[u, s] = a @ b / np.sqrt((a @ a) * (b @ b))
    met = regularization.visual_relations(*tensors(unseen, seen, centre))
    np.testing.assert_allclose(met.numpy(), expected, rtol=1e-12)
    assert (met.abs() <= 1 + 1e-12).all()


@pytest.mark.parametrize(("n_unseen", "n_seen", "dim"), SHAPES)
def test_relation_divergence_parity_with_numpy(n_unseen, n_seen, dim):
    semantic, visual = draw(n_unseen, n_seen), draw(n_unseen, n_seen, seed=1)
    target, met = softmax(semantic / 0.3, axis=1), softmax(visual / 0.3, axis=1)
    expected = (target * np.log(target / met)).sum(axis=1).mean()
    loss = regularization.relation_divergence(*tensors(semantic, visual), 0.3)
    assert loss.item() == pytest.approx(expected, rel=1e-10)
    assert loss.item() > 0


def test_relation_divergence_is_zero_at_equality_and_blind_to_a_shift():
    (semantic,) = tensors(draw(3, 5))
    assert regularization.relation_divergence(semantic, semantic, 0.1).item() == 0
    assert regularization.relation_divergence(semantic, semantic + 0.7, 0.1).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("n_unseen", "n_seen", "dim"), SHAPES)
def test_band_parity_with_numpy(n_unseen, n_seen, dim):
    semantic, visual = draw(n_unseen, n_seen), draw(n_unseen, n_seen, seed=1)
    upper = np.maximum(visual - (semantic + 0.4), 0) ** 2
    lower = np.maximum((semantic - 0.4) - visual, 0) ** 2
    expected = (upper + lower).sum(axis=1).mean()
    loss = regularization.relation_band(*tensors(semantic, visual), 0.4)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_band_is_zero_with_zero_slope_inside_and_takes_a_width_per_pair():
    semantic = torch.tensor([[0.0, 0.0]], dtype=torch.float64)
    visual = torch.tensor([[0.2, -0.2]], dtype=torch.float64, requires_grad=True)
    inside = regularization.relation_band(semantic, visual, 0.25)
    inside.backward()
    assert inside.item() == 0
    assert visual.grad.tolist() == [[0.0, 0.0]]
    widths = torch.tensor([[0.1, 0.3]], dtype=torch.float64)
    assert regularization.relation_band(semantic, visual, widths).item() == pytest.approx(0.01)


@pytest.mark.parametrize("shape", [(1, 1), (3, 8)])
def test_moment_gap_parity_with_numpy(shape):
    found, target = draw(*shape), draw(*shape, seed=1)
    loss = regularization.moment_gap(*tensors(found, target))
    assert loss.item() == pytest.approx(np.abs(found - target).mean(), rel=1e-12)
    assert regularization.moment_gap(*tensors(target, found)) == loss
    assert regularization.moment_gap(*tensors(found, found)).item() == 0


@pytest.mark.parametrize(("n_unseen", "n_seen", "dim"), SHAPES)
def test_expected_moments_parity_with_numpy(n_unseen, n_seen, dim):
    semantic, variances = draw(n_unseen, n_seen), draw(n_seen, dim, seed=1) ** 2
    expected = softmax(semantic / 0.2, axis=1) @ variances
    found = regularization.expected_moments(*tensors(semantic, variances), 0.2)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_expected_moments_of_equal_classes_are_theirs():
    variances = torch.tensor([[0.5, 2.0]]).expand(3, 2)
    found = regularization.expected_moments(torch.randn(4, 3), variances, 0.1)
    torch.testing.assert_close(found, variances[:1].expand(4, 2))


def test_batch_moments_parity_with_numpy():
    samples = draw(3, 7, 4)
    mean, variance = regularization.batch_moments(torch.tensor(samples))
    np.testing.assert_allclose(mean.numpy(), samples.mean(axis=1), atol=1e-15)
    np.testing.assert_allclose(variance.numpy(), samples.var(axis=1, ddof=1), rtol=1e-12)


def test_a_leading_seed_dimension_equals_single_results():
    semantic, visual = tensors(draw(2, 3, 4), draw(2, 3, 4, seed=1))
    unseen, seen, centre = tensors(draw(2, 3, 5), draw(4, 5, seed=1), draw(1, 5, seed=2))
    samples = torch.tensor(draw(2, 3, 6, 5))
    for function, arguments in [
        (lambda a: regularization.visual_relations(a, seen, centre), (unseen,)),
        (lambda a: regularization.trusted_distance(a, 0.3), (unseen,)),
        (lambda a, b: regularization.relation_divergence(a, b, 0.1), (semantic, visual)),
        (lambda a, b: regularization.relation_band(a, b, 0.1), (semantic, visual)),
        (regularization.moment_gap, (semantic, visual)),
        (lambda a: regularization.expected_moments(a, seen, 0.1), (semantic,)),
        (lambda a: regularization.batch_moments(a)[0], (samples,)),
        (lambda a: regularization.batch_moments(a)[1], (samples,)),
    ]:
        alone = [function(*each) for each in zip(*arguments, strict=True)]
        torch.testing.assert_close(function(*arguments), torch.stack(alone))


def test_gradients():
    semantic, visual = tensors(draw(3, 4), draw(3, 4, seed=1))
    visual.requires_grad_()
    assert torch.autograd.gradcheck(lambda met: regularization.relation_divergence(semantic, met, 0.5), (visual,))
    assert torch.autograd.gradcheck(lambda met: regularization.relation_band(semantic, met, 0.3), (visual,))
    means, seen, centre = tensors(draw(2, 5), draw(4, 5, seed=1), draw(1, 5, seed=2))
    assert torch.autograd.gradcheck(
        lambda found: regularization.visual_relations(found, seen, centre), (means.requires_grad_(),)
    )


def test_a_class_at_the_centre_has_finite_slopes():
    means = torch.zeros(1, 3, requires_grad=True)
    relations = regularization.visual_relations(means, torch.randn(4, 3), torch.zeros(1, 3))
    regularization.relation_divergence(torch.zeros(1, 4), relations, 0.1).backward()
    assert relations.tolist() == [[0.0] * 4]
    assert torch.isfinite(means.grad).all()


@pytest.mark.parametrize("shape", [(1, 1), (4, 6)])
def test_trusted_distance_parity_with_numpy(shape):
    offsets = draw(*shape)
    expected = np.mean([row @ row for row in offsets]) / 0.7
    assert regularization.trusted_distance(torch.tensor(offsets), 0.7).item() == pytest.approx(expected, rel=1e-12)
    halved = regularization.trusted_distance(torch.tensor(offsets), torch.tensor(1.4, dtype=torch.float64))
    assert halved.item() == pytest.approx(expected / 2, rel=1e-12)
