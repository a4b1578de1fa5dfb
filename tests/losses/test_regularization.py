import numpy as np
import pytest
import torch

from zslearn.losses import regularization as sr

RNG = np.random.default_rng(0)


def softmax(values):
    shares = np.exp(values - values.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def test_visual_relations_equal_numpy():
    unseen, seen, centre = RNG.normal(size=(2, 5)), RNG.normal(size=(4, 5)), RNG.normal(size=(1, 5))
    expected = np.array(
        [
            [
                np.dot(u - centre[0], s - centre[0]) / np.linalg.norm(u - centre[0]) / np.linalg.norm(s - centre[0])
                for s in seen
            ]
            for u in unseen
        ]
    )
    found = sr.visual_relations(*map(torch.tensor, (unseen, seen, centre)))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_relation_divergence_equals_numpy_and_is_zero_at_equality():
    semantic, visual = RNG.uniform(-1, 1, size=(3, 6)), RNG.uniform(-1, 1, size=(3, 6))
    p, q = softmax(semantic / 0.2), softmax(visual / 0.2)
    expected = np.mean(np.sum(p * np.log(p / q), axis=1))
    found = sr.relation_divergence(torch.tensor(semantic), torch.tensor(visual), 0.2)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert sr.relation_divergence(torch.tensor(semantic), torch.tensor(semantic), 0.2).item() == 0.0


def test_relation_divergence_ignores_a_common_shift():
    semantic = torch.tensor(RNG.uniform(-1, 1, size=(3, 6)))
    assert sr.relation_divergence(semantic, semantic + 0.3, 0.1).abs().item() < 1e-12


@pytest.mark.parametrize("width", [0.0, 0.1, 0.5])
def test_band_equals_numpy(width):
    semantic, visual = RNG.uniform(-1, 1, size=(3, 6)), RNG.uniform(-1, 1, size=(3, 6))
    outside = np.maximum(np.maximum(visual - semantic - width, semantic - width - visual), 0)
    found = sr.relation_band(torch.tensor(semantic), torch.tensor(visual), width)
    np.testing.assert_allclose(found, np.mean(np.sum(outside**2, axis=1)), rtol=1e-10)


def test_band_has_no_gradient_inside():
    visual = torch.tensor([[0.55, 0.9]], requires_grad=True)
    (gradient,) = torch.autograd.grad(sr.relation_band(torch.tensor([[0.5, 0.5]]), visual, 0.1), visual)
    assert gradient[0, 0] == 0
    assert gradient[0, 1] > 0


def test_moments_equal_numpy():
    samples = RNG.normal(size=(3, 7, 4))
    mean, variance = sr.batch_moments(torch.tensor(samples))
    np.testing.assert_allclose(mean, samples.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(variance, samples.var(axis=1, ddof=1), rtol=1e-12)


def test_moment_gap_reads_as_a_factor():
    variances = torch.tensor(RNG.uniform(0.5, 2, size=(3, 4)))
    assert sr.moment_gap((2 * variances).log(), variances.log()).item() == pytest.approx(np.log(2))


def test_expected_moments_are_weighted_averages():
    semantic, variances = RNG.uniform(-1, 1, size=(2, 5)), RNG.uniform(0.1, 1, size=(5, 3))
    found = sr.expected_moments(torch.tensor(semantic), torch.tensor(variances), 0.1).numpy()
    np.testing.assert_allclose(found, softmax(semantic / 0.1) @ variances, rtol=1e-10)
    assert (found >= variances.min(axis=0)).all()
    assert (found <= variances.max(axis=0)).all()
