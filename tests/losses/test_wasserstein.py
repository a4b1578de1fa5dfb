import numpy as np
import torch

from zslearn.losses import wasserstein


def test_gap_is_what_the_critic_minimises():
    real, fake = torch.tensor([[2.0], [4.0]]), torch.tensor([[1.0], [0.0]])
    assert wasserstein.critic_gap(real, fake).item() == 0.5 - 3.0


def test_penalty_of_a_linear_critic_is_its_known_slope():
    weight = torch.tensor([3.0, 4.0])
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.rand(6, 2, generator=rng), torch.rand(6, 2, generator=rng)
    penalty = wasserstein.gradient_penalty(lambda x: (x @ weight)[:, None], real, fake, torch.rand(6, 1, generator=rng))
    np.testing.assert_allclose(penalty.item(), (5.0 - 1.0) ** 2, rtol=1e-6)


def test_penalty_equals_numerical_slopes_between_the_pairs():
    rng = np.random.default_rng(0)
    hidden, out = torch.tensor(rng.normal(size=(3, 8))), torch.tensor(rng.normal(size=(8, 1)))
    real, fake = torch.tensor(rng.normal(size=(4, 3))), torch.tensor(rng.normal(size=(4, 3)))
    mix = torch.tensor(rng.uniform(size=(4, 1)))

    def critic(x):
        return torch.tanh(x @ hidden) @ out

    points = (1 - mix.numpy()) * real.numpy() + mix.numpy() * fake.numpy()
    slopes = np.empty_like(points)
    for k in range(3):
        step = np.zeros(3)
        step[k] = 1e-6
        ahead, behind = critic(torch.tensor(points + step)), critic(torch.tensor(points - step))
        slopes[:, k] = ((ahead - behind) / 2e-6).numpy()[:, 0]
    expected = np.mean((np.linalg.norm(slopes, axis=1) - 1) ** 2)
    np.testing.assert_allclose(wasserstein.gradient_penalty(critic, real, fake, mix).item(), expected, rtol=1e-6)


def test_penalty_reaches_the_critic_and_not_the_fakes():
    weight = torch.tensor([3.0, 4.0], requires_grad=True)
    fake = torch.rand(5, 2, requires_grad=True)
    penalty = wasserstein.gradient_penalty(
        lambda x: (x**2 @ weight)[:, None], torch.rand(5, 2), fake, torch.full((5, 1), 0.5)
    )
    to_critic, to_fake = torch.autograd.grad(penalty, (weight, fake), allow_unused=True)
    assert to_critic.abs().sum() > 0
    assert to_fake is None
