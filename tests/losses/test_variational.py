import numpy as np
import torch

from zslearn.losses import variational


def tensors(*shape, n=2, seed=0):
    rng = np.random.default_rng(seed)
    return [torch.tensor(rng.normal(size=shape)) for _ in range(n)]


def test_squared_error_equals_numpy():
    a, b = tensors(5, 3)
    expected = np.mean([np.sum((x - y) ** 2) for x, y in zip(a.numpy(), b.numpy(), strict=True)])
    np.testing.assert_allclose(variational.squared_error(a, b), expected, rtol=1e-12)


def test_binary_cross_entropy_equals_numpy():
    logits, raw = tensors(6, 4)
    features = raw.sigmoid()
    shares = 1.0 / (1.0 + np.exp(-logits.numpy()))
    x = features.numpy()
    expected = -np.mean(np.sum(x * np.log(shares) + (1 - x) * np.log(1 - shares), axis=1))
    np.testing.assert_allclose(variational.binary_cross_entropy(logits, features), expected, rtol=1e-10)


def test_binary_cross_entropy_is_finite_for_extreme_logits():
    loss = variational.binary_cross_entropy(torch.tensor([[1e4, -1e4]]), torch.tensor([[0.0, 1.0]]))
    assert loss.item() == 2e4


def test_divergence_equals_numpy_and_is_zero_at_the_prior():
    mean, log_variance = tensors(7, 3, seed=1)
    m, v = mean.numpy(), np.exp(log_variance.numpy())
    expected = np.mean(np.sum(0.5 * (m**2 + v - 1 - np.log(v)), axis=1))
    found = variational.divergence_from_standard_normal(mean, log_variance)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    zero = torch.zeros(2, 3)
    assert variational.divergence_from_standard_normal(zero, zero).item() == 0.0


def test_divergence_equals_a_monte_carlo_estimate():
    rng = np.random.default_rng(0)
    mean, log_variance = np.array([0.7, -0.2]), np.array([-0.5, 0.3])
    z = mean + np.exp(log_variance / 2) * rng.normal(size=(400_000, 2))
    log_q = -0.5 * ((z - mean) ** 2 / np.exp(log_variance) + log_variance).sum(axis=1)
    log_p = -0.5 * (z**2).sum(axis=1)
    found = variational.divergence_from_standard_normal(torch.tensor(mean[None]), torch.tensor(log_variance[None]))
    assert abs(found.item() - (log_q - log_p).mean()) < 0.01


def test_a_leading_seed_dimension_keeps_seeds_apart():
    a, b = tensors(3, 5, 4)
    for loss in (variational.squared_error, variational.divergence_from_standard_normal):
        many = loss(a, b)
        assert many.shape == (3,)
        torch.testing.assert_close(many, torch.stack([loss(x, y) for x, y in zip(a, b, strict=True)]))
