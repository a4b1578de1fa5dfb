import numpy as np
import pytest
import torch

from zslearn.models.base import Task
from zslearn.models.fclswgan import FCLSWGAN, FCLSWGANConfig
from zslearn.training.plan import Step
from zslearn.training.streams import Streams

RNG = torch.Generator().manual_seed(0)
TASK = Task(
    kind="unit",
    semantics=torch.nn.functional.normalize(torch.rand(4, 5, generator=RNG), dim=1),
    seen_ids=torch.tensor([0, 1, 3]),
    unseen_ids=torch.tensor([], dtype=torch.int64),
    seen_means=torch.rand(3, 6, generator=RNG),
    seen_variances=torch.rand(3, 6, generator=RNG),
)
LABELS = torch.tensor([0, 3, 1, 1, 3])


def make(**settings):
    return FCLSWGAN(TASK, FCLSWGANConfig(hidden_dim=7, **settings), Streams(0))


def step():
    return Step(torch.rand(5, 6, generator=RNG), TASK.semantics[LABELS], LABELS, 0.0, Streams(3))


def test_the_generator_loss_equals_numpy():
    model, here = make(class_weight=0.5), step()
    terms = model.generator_loss(here)
    fake = model.sample(here.semantics, Streams(3)).detach()
    assert (fake >= 0).all()
    verdict = model.critic(fake, here.semantics).detach().numpy()
    assert terms["adversarial"].item() == pytest.approx(-verdict.mean(), rel=1e-5)
    logits = (fake @ model.seen_classifier.weight.T + model.seen_classifier.bias).detach().numpy().astype(float)
    log_shares = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -0.5 * log_shares[np.arange(5), [0, 2, 1, 1, 2]].mean()
    assert terms["class"].item() == pytest.approx(expected, rel=1e-5)


def test_the_critic_sees_fakes_without_a_graph():
    model = make()
    total = sum(model.critic_loss(step()).values())
    gradients = torch.autograd.grad(total, list(model.generator.parameters()), allow_unused=True)
    assert all(gradient is None for gradient in gradients)


def test_noise_is_as_long_as_the_semantics_unless_told():
    assert make().latent_dim == 5
    assert make(latent_dim=2).latent_dim == 2


def test_without_the_verdict_there_is_no_classifier():
    model = make(class_weight=0.0)
    assert not hasattr(model, "seen_classifier")
    assert [stage.name for stage in model.plan().stages] == ["adversarial"]
    assert set(model.generator_loss(step())) == {"adversarial"}


def test_the_critic_is_updated_five_times_as_often():
    critic, generator = make().plan().stages[-1].phases
    assert (critic.name, critic.repeats) == ("critic", 5)
    assert (generator.name, generator.repeats) == ("generator", 1)
