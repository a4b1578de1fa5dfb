from __future__ import annotations

import numpy as np
import pytest
import torch

from zslearn.losses import wasserstein


def curved_critic(features):
    return (features.square().sum(-1, keepdim=True) + features[..., :1].sin()) / 3


def test_gap_parity_with_numpy():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 9, 1))
    expected = fake.mean() - real.mean()
    assert wasserstein.critic_gap(torch.tensor(real), torch.tensor(fake)).item() == pytest.approx(expected)


def test_gap_changes_sign_with_its_arguments():
    real, fake = torch.randn(2, 4, 1)
    assert wasserstein.critic_gap(real, fake) == -wasserstein.critic_gap(fake, real)


@pytest.mark.parametrize("shape", [(1, 2), (6, 4)])
def test_penalty_equals_that_of_numerically_measured_slopes(shape):
    rng = np.random.default_rng(1)
    real, fake, mix = rng.normal(size=shape), rng.normal(size=shape), rng.uniform(size=(shape[0], 1))
    between = (1 - mix) * real + mix * fake

    def critic(points):
        return ((points**2).sum(axis=1) + np.sin(points[:, 0])) / 3

    step = 1e-6
    slopes = np.stack(
        [(critic(between + step * unit) - critic(between - step * unit)) / (2 * step) for unit in np.eye(shape[1])],
        axis=1,
    )
    expected = ((np.sqrt((slopes**2).sum(axis=1)) - 1) ** 2).mean()
    penalty = wasserstein.gradient_penalty(curved_critic, torch.tensor(real), torch.tensor(fake), torch.tensor(mix))
    assert penalty.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("norm", "expected"), [(1.0, 0.0), (3.0, 4.0), (0.5, 0.25)])
def test_penalty_of_a_linear_critic_is_known(norm, expected):
    weight = norm * torch.tensor([[0.6], [0.8]])
    penalty = wasserstein.gradient_penalty(
        lambda features: features @ weight, torch.randn(5, 2), torch.randn(5, 2), torch.rand(5, 1)
    )
    assert penalty.item() == pytest.approx(expected, abs=1e-6)


def test_penalty_looks_at_real_samples_at_mix_0_and_at_fakes_at_mix_1():
    real, fake = torch.full((1, 1), 1.0), torch.full((1, 1), 2.0)

    def critic(features):
        return features**2

    at_real = wasserstein.gradient_penalty(critic, real, fake, torch.zeros(1, 1))
    at_fake = wasserstein.gradient_penalty(critic, real, fake, torch.ones(1, 1))
    assert (at_real.item(), at_fake.item()) == (1.0, 9.0)


def test_penalty_with_a_leading_seed_dimension_equals_single_results():
    real, fake = torch.randn(2, 3, 4, 2, dtype=torch.float64)
    mix = torch.rand(3, 4, 1, dtype=torch.float64)
    together = wasserstein.gradient_penalty(curved_critic, real, fake, mix)
    alone = [wasserstein.gradient_penalty(curved_critic, *each) for each in zip(real, fake, mix, strict=True)]
    torch.testing.assert_close(together, torch.stack(alone))


def test_penalty_moves_the_critic_and_not_the_samples():
    real = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    fake = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    mix = torch.rand(4, 1, dtype=torch.float64)

    def penalty(weight):
        return wasserstein.gradient_penalty(lambda features: features.square() @ weight, real, fake, mix)

    weight = torch.randn(2, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(penalty, (weight,))
    slopes = torch.autograd.grad(penalty(weight), (weight, real, fake), allow_unused=True)
    assert slopes[0].abs().sum() > 0
    assert slopes[1] is None
    assert slopes[2] is None
