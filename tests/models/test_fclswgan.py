import numpy as np
import pytest
import torch

from small_task import RANKS, affine, log_softmax, make_step, make_task
from zslearn.models.fclswgan import FCLSWGAN, FCLSWGANConfig
from zslearn.training.streams import Streams


def make(**settings):
    return FCLSWGAN(make_task(), FCLSWGANConfig(hidden_dim=7, **settings), Streams(0))


def test_the_generator_loss_equals_numpy():
    model = make(class_weight=0.5)
    here = make_step(model)
    terms = model.generator_loss(here)
    fake = model.sample(here.semantics, Streams(3)).detach()
    assert (fake >= 0).all()
    verdict = model.critic(fake, here.semantics).detach().numpy()
    assert terms["adversarial"].item() == pytest.approx(-verdict.mean(), rel=1e-5)
    log_shares = log_softmax(affine(model.seen_classifier, fake.double().numpy()))
    expected = -0.5 * log_shares[np.arange(7), RANKS].mean()
    assert terms["class"].item() == pytest.approx(expected, rel=1e-5)


def test_the_critic_sees_fakes_without_a_graph():
    model = make()
    total = sum(model.critic_loss(make_step(model)).values())
    gradients = torch.autograd.grad(total, list(model.generator.parameters()), allow_unused=True)
    assert all(gradient is None for gradient in gradients)


def test_noise_is_as_long_as_the_semantics_unless_told():
    assert make().latent_dim == 5
    assert make(latent_dim=2).latent_dim == 2


def test_without_the_verdict_there_is_no_classifier():
    model = make(class_weight=0.0)
    assert not hasattr(model, "seen_classifier")
    assert [stage.name for stage in model.plan().stages] == ["adversarial"]
    assert set(model.generator_loss(make_step(model))) == {"adversarial"}


def test_the_critic_is_updated_five_times_as_often():
    critic, generator = make().plan().stages[-1].phases
    assert (critic.name, critic.repeats) == ("critic", 5)
    assert (generator.name, generator.repeats) == ("generator", 1)
