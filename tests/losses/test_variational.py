from __future__ import annotations

import numpy as np
import pytest
import torch

from zslearn.losses import variational

SHAPES = [(1, 1), (3, 5), (16, 7)]
LOSSES = [
    variational.squared_error,
    variational.absolute_error,
    variational.binary_cross_entropy,
    variational.divergence_from_standard_normal,
]


def reference(loss, first, second):
    if loss is variational.squared_error:
        return ((first - second) ** 2).sum(axis=-1).mean()
    if loss is variational.absolute_error:
        return np.abs(first - second).sum(axis=-1).mean()
    if loss is variational.binary_cross_entropy:
        share = 1 / (1 + np.exp(-first))
        return -(second * np.log(share) + (1 - second) * np.log(1 - share)).sum(axis=-1).mean()
    variance = np.exp(second)
    return (-0.5 * (1 + second - first**2 - variance)).sum(axis=-1).mean()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_parity_with_numpy(loss, shape):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=shape), rng.uniform(0, 1, size=shape)
    expected = reference(loss, first, second)
    assert loss(torch.tensor(first), torch.tensor(second)).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_leading_seed_dimension_equals_single_results(loss):
    first, second = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    together = loss(first, second)
    assert together.shape == (3,)
    torch.testing.assert_close(together, torch.stack([loss(a, b) for a, b in zip(first, second, strict=True)]))


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient(loss):
    first, second = torch.rand(2, 3, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(loss, (first.requires_grad_(), second.requires_grad_()))


def test_values_by_hand():
    ones, zeros = torch.ones(2, 3), torch.zeros(2, 3)
    assert variational.squared_error(2 * ones, zeros).item() == 12
    assert variational.squared_error(ones, ones).item() == 0
    assert variational.divergence_from_standard_normal(ones, zeros).item() == 1.5


def test_divergence_is_zero_at_the_prior_and_positive_elsewhere():
    zeros = torch.zeros(1, 4, dtype=torch.float64)
    assert variational.divergence_from_standard_normal(zeros, zeros).item() == 0
    for log_variance in (-8.0, -1e-3, 1e-3, 3.0):
        assert variational.divergence_from_standard_normal(zeros, zeros + log_variance).item() > 0


def test_divergence_equals_that_of_torch_distributions():
    mean, log_variance = torch.randn(2, 5, 3, dtype=torch.float64)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = torch.distributions.kl_divergence(posterior, prior).sum(-1).mean()
    torch.testing.assert_close(variational.divergence_from_standard_normal(mean, log_variance), expected)


def test_cross_entropy_survives_extreme_logits():
    logits = torch.tensor([[1e4, -1e4]], requires_grad=True)
    loss = variational.binary_cross_entropy(logits, torch.tensor([[1.0, 1.0]]))
    loss.backward()
    assert loss.item() == pytest.approx(1e4)
    assert logits.grad.tolist() == [[0.0, -1.0]]


def test_cross_entropy_is_least_where_the_sigmoid_meets_the_feature():
    feature = torch.tensor([[0.3]], dtype=torch.float64)
    logits = torch.logit(feature).requires_grad_()
    variational.binary_cross_entropy(logits, feature).backward()
    assert abs(logits.grad.item()) < 1e-15


def test_gaussian_distance_equals_numpy_for_each_seed_and_is_0_for_equals():
    rng = np.random.default_rng(3)
    mean, log_variance, other, other_log_variance = rng.normal(size=(4, 2, 6, 5))
    deviations = np.exp(log_variance / 2) - np.exp(other_log_variance / 2)
    expected = np.sqrt(((mean - other) ** 2 + deviations**2).sum(axis=-1)).mean(axis=-1)
    tensors = [torch.tensor(each, requires_grad=True) for each in (mean, log_variance, other, other_log_variance)]
    found = variational.gaussian_distance(*tensors)
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-12)
    same = variational.gaussian_distance(*tensors[:2], *tensors[:2])
    assert same.max() < 1e-5
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(same.sum(), tensors[:2]))
