import numpy as np
import pytest
import torch

from small_task import FEATURES, LABELS, affine, critic_gap, leaky, make_step, make_task, verdict
from zslearn.models.tfvaegan import TFVAEGAN, TFVAEGANConfig
from zslearn.training.streams import Streams


def make(**settings):
    return TFVAEGAN(make_task(), TFVAEGANConfig(hidden_dim=8, **settings), Streams(0))


def generated(model, latent, weight):
    """The generator in numpy: plain, or a second time with feedback of that weight."""
    semantics = model.task.semantics[LABELS].double().numpy()
    first, last = model.generator.layers
    hidden = leaky(affine(first, np.hstack([latent, semantics])))
    plain = 1 / (1 + np.exp(-affine(last, hidden)))
    seen = leaky(affine(model.semantic_decoder.visual, plain))
    fed_back = leaky(affine(model.feedback.layers[1], leaky(affine(model.feedback.layers[0], seen))))
    return plain if weight == 0 else 1 / (1 + np.exp(-affine(last, hidden + weight * fed_back)))


def decoding_error(model, features):
    decoded = affine(model.semantic_decoder.head, leaky(affine(model.semantic_decoder.visual, features)))
    decoded /= np.linalg.norm(decoded, axis=1, keepdims=True)
    gaps = np.abs(decoded - model.task.semantics[LABELS].double().numpy())
    return (gaps**3 / np.linalg.norm(gaps, axis=1, keepdims=True)).sum(axis=1).mean()


@pytest.mark.parametrize("weight", [0.0, 0.7])
@pytest.mark.parametrize("encoded_noise", [False, True])
def test_the_losses_equal_numpy(weight, encoded_noise):
    model = make(feedback_weight=0.7, decoder_weight=0.5, adversarial_weight=2.0, encoded_noise=encoded_noise)
    phases = {phase.name: phase for phase in model.plan().stages[-1].phases}
    found = phases["generator_fed" if weight else "generator"].loss(make_step(model))
    semantics = model.task.semantics[LABELS]
    mean, log_variance = (each.detach().double().numpy() for each in model.encoder(FEATURES, semantics))
    noise = Streams(3).normal("posterior", 7, 5).double().numpy()
    rebuilt = generated(model, mean + np.exp(log_variance / 2) * noise, weight)
    drawn = generated(model, Streams(3).normal("latent", 7, 5).double().numpy(), weight)
    judged = rebuilt if encoded_noise else drawn
    x = FEATURES.double().numpy()
    expected = {
        "reconstruction": -(x * np.log(rebuilt) + (1 - x) * np.log(1 - rebuilt)).sum(axis=1).mean(),
        "kl": 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1).mean(),
        "adversarial": -2.0 * verdict(model, make_step(model), judged),
        "decoder": 0.5 * decoding_error(model, judged),
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value, rel=1e-4), name
    gap = phases["critic_fed" if weight else "critic"].loss(make_step(model))["gap"].item()
    assert gap == pytest.approx(critic_gap(model, make_step(model), judged), abs=1e-5)


def test_the_semantic_decoder_learns_from_real_samples():
    model = make(decoder_weight=0.5)
    found = model.decoder_loss(make_step(model))["decoder"].item()
    assert found == pytest.approx(0.5 * decoding_error(model, FEATURES.double().numpy()), rel=1e-5)


def test_feedback_moves_the_feedback_module_and_not_what_it_reads():
    model = make(decoder_weight=0.0)
    fed = next(phase for phase in model.plan().stages[-1].phases if phase.name == "generator_fed")
    total = sum(fed.loss(make_step(model)).values())
    gradients = torch.autograd.grad(total, list(model.feedback.parameters()), retain_graph=True)
    assert all(gradient.any() for gradient in gradients)
    gradients = torch.autograd.grad(total, list(model.semantic_decoder.parameters()), allow_unused=True)
    assert not any(gradient is not None and gradient.any() for gradient in gradients)


def test_synthesis_feeds_back_with_its_own_weight():
    model = make(synthesis_feedback_weight=0.3)
    latent = Streams(5).normal("latent", 7, 5).double().numpy()
    drawn = model.sample(model.task.semantics[LABELS], Streams(5)).detach().numpy()
    np.testing.assert_allclose(drawn, generated(model, latent, 0.3), rtol=1e-4)


def test_the_classifier_reads_samples_hidden_layer_and_decoded_semantics():
    model = make()
    x = FEATURES.double().numpy()
    hidden = leaky(affine(model.semantic_decoder.visual, x))
    decoded = affine(model.semantic_decoder.head, hidden)
    decoded /= np.linalg.norm(decoded, axis=1, keepdims=True)
    found = model.represent(FEATURES).detach().numpy()
    np.testing.assert_allclose(found, np.hstack([x, hidden, decoded]), rtol=1e-4, atol=1e-6)
    assert make(classifier_input="features").represent(FEATURES) is FEATURES


@pytest.mark.parametrize("sees_fakes", [False, True])
def test_who_trains_the_semantic_decoder(sees_fakes):
    phases = make(decoder_sees_fakes=sees_fakes).plan().stages[-1].phases
    trainers = {phase.name for phase in phases if "semantic_decoder" in phase.trains}
    on_fakes = {"generator", "generator_fed"} if sees_fakes else set()
    assert trainers == {"decoder", "decoder_fed"} | on_fakes


def test_semantic_decoder_and_feedback_have_step_sizes_of_their_own():
    model = make(learning_rate=1e-3, decoder_learning_rate=2e-4, feedback_learning_rate=3e-5)
    rates = {phase.name: (phase.learning_rate, phase.own_rates) for phase in model.plan().stages[-1].phases}
    own = {"semantic_decoder": 2e-4, "feedback": 3e-5}
    assert rates["critic"] == rates["critic_fed"] == (1e-3, {})
    assert rates["decoder"] == rates["decoder_fed"] == (2e-4, {})
    assert rates["generator"] == rates["generator_fed"] == (1e-3, own)
