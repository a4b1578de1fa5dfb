import numpy as np
import pytest
import torch

from small_task import FEATURES, LABELS, critic_gap, make_step, make_task, verdict
from zslearn.models.fvaegan import FVAEGAN, FVAEGANConfig
from zslearn.training.streams import Streams


def make(kind="unit", **settings):
    return FVAEGAN(make_task(kind), FVAEGANConfig(hidden_dim=7, **settings), Streams(0))


def posterior(model):
    mean, log_variance = (
        tensor.detach().double().numpy() for tensor in model.encoder(FEATURES, model.task.semantics[LABELS])
    )
    return mean, log_variance, mean + np.exp(log_variance / 2) * Streams(3).normal("posterior", 7, 5).double().numpy()


@pytest.mark.parametrize("kind", ["unit", "standard"])
@pytest.mark.parametrize("encoded_noise", [False, True])
def test_the_losses_equal_numpy(kind, encoded_noise):
    model = make(kind, encoded_noise=encoded_noise, adversarial_weight=3.0, kl_weight=0.5)
    semantics = model.task.semantics[LABELS]
    mean, log_variance, latent = posterior(model)
    decoded = model.generator(torch.tensor(latent, dtype=torch.float32), semantics).detach().double().numpy()
    x = FEATURES.double().numpy()
    rebuilt = 1 / (1 + np.exp(-decoded)) if kind == "unit" else decoded
    error = -(x * np.log(rebuilt) + (1 - x) * np.log(1 - rebuilt)) if kind == "unit" else (rebuilt - x) ** 2
    judged = rebuilt if encoded_noise else model.sample(semantics, Streams(3)).detach().numpy()
    expected = {
        "reconstruction": error.sum(axis=1).mean(),
        "kl": 0.5 * 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1).mean(),
        "adversarial": -3.0 * verdict(model, make_step(model), judged),
    }
    found = model.generator_loss(make_step(model))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value, rel=1e-4), name
    gap = model.critic_loss(make_step(model))["gap"].item()
    assert gap == pytest.approx(critic_gap(model, make_step(model), judged), abs=1e-5)


@pytest.mark.parametrize("encoded_noise", [False, True])
def test_the_critic_moves_nobody_else(encoded_noise):
    model = make(encoded_noise=encoded_noise)
    total = sum(model.critic_loss(make_step(model)).values())
    others = [*model.encoder.parameters(), *model.generator.parameters()]
    assert all(gradient is None for gradient in torch.autograd.grad(total, others, allow_unused=True))


def test_samples_of_scaled_features_lie_between_0_and_1():
    drawn = make().sample(make().task.semantics[[0] * 50], Streams(1))
    assert drawn.min() > 0
    assert drawn.max() < 1
