from dataclasses import replace

import numpy as np
import pytest
import torch

from small_task import FEATURES, LABELS, RANKS, affine, critic_gap, leaky, make_step, make_task, verdict
from zslearn.models.free import FREE, FREEConfig
from zslearn.training.plan import Step
from zslearn.training.streams import Streams


def make(**settings):
    return FREE(make_task(), FREEConfig(hidden_dim=8, **settings), Streams(0))


def refined(model, features):
    hidden = leaky(affine(model.refiner.visual, features))
    deviation = 1 / (1 + np.exp(-affine(model.refiner.deviation, hidden)))
    return hidden, affine(model.refiner.mean, hidden), deviation


def decoding_error(model, features):
    _, mean, deviation = refined(model, features)
    drawn = mean + deviation * Streams(3).normal("refined", 7, 5).double().numpy()
    gaps = np.abs(drawn / np.linalg.norm(drawn, axis=1, keepdims=True) - model.task.semantics[LABELS].double().numpy())
    return (gaps**3 / np.linalg.norm(gaps, axis=1, keepdims=True)).sum(axis=1).mean()


@pytest.mark.parametrize("other_centre", ["random", "nearest"])
def test_the_refinement_loss_equals_numpy(other_centre):
    model = make(centre_weight=0.5, centre_margin=3.0, centre_share=0.7, decoder_weight=0.2, other_centre=other_centre)
    x = FEATURES.double().numpy()
    _, mean, _ = refined(model, x)
    centres = model.centres.points.detach().double().numpy()
    drawn = Streams(3).integers("other centre", 2, 7).numpy()
    margins = []
    for row, own in enumerate(RANKS):
        distances = ((mean[row] - centres) ** 2).sum(axis=1)
        rest = [c for c in range(3) if c != own]
        other = (own + 1 + drawn[row]) % 3 if other_centre == "random" else min(rest, key=lambda c: distances[c])
        assert other != own
        margins.append(max(0.0, 3.0 + 0.7 * distances[own] - 0.3 * distances[other]))
    found = model.refinement_loss(make_step(model))
    assert found.keys() == {"margin", "decoder"}
    assert found["margin"].item() == pytest.approx(0.5 * np.mean(margins), rel=1e-4)
    assert found["decoder"].item() == pytest.approx(0.2 * decoding_error(model, x), rel=1e-4)


@pytest.mark.parametrize("encoded_noise", [False, True])
def test_generated_samples_are_judged_and_must_be_decodable(encoded_noise):
    model = make(decoder_weight=0.2, adversarial_weight=2.0, encoded_noise=encoded_noise)
    step = make_step(model)
    latent = model.posterior(make_step(model))[0] if encoded_noise else Streams(3).normal("latent", 7, 5)
    fake = torch.sigmoid(model.generator(latent, step.semantics)).detach().double().numpy()
    gap = model.critic_loss(make_step(model))["gap"].item()
    assert gap == pytest.approx(critic_gap(model, step, fake), abs=1e-5)
    found = model.generator_loss(step)
    assert found["adversarial"].item() == pytest.approx(-2.0 * verdict(model, step, fake), rel=1e-4)
    assert found.keys() == {"reconstruction", "kl", "adversarial", "decoder"}
    assert found["decoder"].item() == pytest.approx(0.2 * decoding_error(model, fake), rel=1e-4)
    gradients = torch.autograd.grad(found["decoder"], list(model.generator.parameters()))
    assert all(gradient.any() for gradient in gradients)


def test_the_classifier_reads_samples_hidden_layer_and_decoded_semantics():
    x = FEATURES.double().numpy()
    hidden, mean, _ = refined(make(), x)
    expected = np.hstack([x, hidden, mean / np.linalg.norm(mean, axis=1, keepdims=True)])
    np.testing.assert_allclose(make().represent(FEATURES).detach().numpy(), expected, rtol=1e-4, atol=1e-6)
    assert make(classifier_input="features").represent(FEATURES) is FEATURES


@pytest.mark.parametrize("other_centre", ["random", "nearest"])
def test_a_single_seen_class_can_be_trained_on(other_centre):
    one = torch.tensor([0])
    task = replace(make_task(), seen_ids=one, seen_means=torch.ones(1, 6), seen_variances=torch.ones(1, 6))
    model = FREE(task, FREEConfig(hidden_dim=8, other_centre=other_centre), Streams(0))
    only = torch.zeros_like(LABELS)
    found = model.refinement_loss(Step(FEATURES, task.semantics[only], only, 0.0, Streams(3)))
    gradients = torch.autograd.grad(sum(found.values()), list(model.refiner.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("sees_fakes", [False, True])
def test_the_refinement_keeps_its_step_size_and_sees_fakes_on_demand(sees_fakes):
    model = make(learning_rate=1e-3, refiner_learning_rate=2e-4, refiner_sees_fakes=sees_fakes)
    critic, refinement, generator = model.plan().stages[-1].phases
    for phase in (refinement, generator):
        assert (phase.learning_rate, phase.own_rates) == (1e-3, {"refiner": 2e-4})
    assert critic.learning_rate == 1e-3
    assert refinement.trains == ("refiner", "centres")
    assert ("refiner" in generator.trains) == sees_fakes
