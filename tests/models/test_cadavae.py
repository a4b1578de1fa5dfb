import numpy as np
import pytest
import torch

from small_task import FEATURES, affine, leaky, make_step, make_task
from zslearn.models.cadavae import CADAVAE, CADAVAEConfig
from zslearn.training.streams import Streams

TASK = make_task()
SMALL = {"hidden_dim": 7, "decoder_dim": 8, "semantic_hidden_dim": 9, "semantic_decoder_dim": 10, "latent_dim": 3}


def make(**settings):
    return CADAVAE(TASK, CADAVAEConfig(**SMALL, **settings), Streams(0))


def terms_at(model, progress):
    return {name: term.item() for name, term in model.joint_loss(make_step(model, progress)).items()}


def layers(inputs, first, last):
    """Two layers with a rectifier between them."""
    return affine(last, leaky(affine(first, inputs)))


def test_the_loss_equals_numpy():
    model = make(kl_weight=0.5, cross_weight=2.0, alignment_weight=3.0)
    x, a = FEATURES.double().numpy(), make_step(model).semantics.double().numpy()
    sides = {}
    for side, inputs, encoder in (("visual", x, model.encoder), ("semantic", a, model.semantic_encoder)):
        mean = layers(inputs, encoder.hidden, encoder.mean)
        log_variance = layers(inputs, encoder.hidden, encoder.log_variance)
        noise = Streams(3).normal(f"{side} latent", 7, 3).double().numpy()
        sides[side] = mean, log_variance, mean + np.exp(log_variance / 2) * noise
    (m, lv, z), (ma, lva, za) = sides["visual"], sides["semantic"]

    def decoded(latent):
        return layers(latent, *model.decoder.layers), layers(latent, *model.semantic_decoder.layers)

    def off(found, target):
        return np.abs(found - target).sum(axis=1).mean()

    def kl(mean, log_variance):
        return 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1).mean()

    distance = np.sqrt(((m - ma) ** 2).sum(axis=1) + ((np.exp(lv / 2) - np.exp(lva / 2)) ** 2).sum(axis=1)).mean()
    expected = {
        "reconstruction": off(decoded(z)[0], x) + off(decoded(za)[1], a),
        "kl": 0.5 * (kl(m, lv) + kl(ma, lva)),
        "cross": 2.0 * (off(decoded(za)[0], x) + off(decoded(z)[1], a)),
        "alignment": 3.0 * distance,
    }
    found = terms_at(model, 0.95)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-4), name


def test_weights_grow_over_their_spans():
    model = make()
    full = terms_at(model, 0.999)
    for progress, shares in {0.0: (0, 0, 0), 0.14: (0.14 / 0.93, 0, 0.5), 0.48: (0.48 / 0.93, 0.5, 1)}.items():
        found = terms_at(model, progress)
        for name, share in zip(("kl", "cross", "alignment"), shares, strict=True):
            assert found[name] == pytest.approx(share * full[name], rel=1e-4, abs=1e-9), (name, progress)


def test_the_classifier_reads_latents_of_both_sides():
    model = make()
    mean, log_variance = model.encoder(FEATURES)
    torch.testing.assert_close(model.represent(FEATURES), mean)
    drawn = model.represent(FEATURES, Streams(5))
    noise = Streams(5).normal("represented", 7, 3)
    torch.testing.assert_close(drawn, mean + (log_variance / 2).exp() * noise)
    unseen = model.sample_inputs(TASK.semantics[[2, 2]], Streams(5))
    assert unseen.shape == (2, 3)
    torch.testing.assert_close(model.sample(TASK.semantics[[2, 2]], Streams(5)), model.decoder(unseen))


def test_features_can_be_read_instead():
    model = make(classifier_input="features")
    assert model.represent(FEATURES) is FEATURES
    assert model.sample_inputs(TASK.semantics, Streams(1)).shape == (5, 6)
