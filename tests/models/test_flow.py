import numpy as np
import pytest
import torch

from small_task import FEATURES, LABELS, affine, leaky, make_step, make_task
from zslearn.models.flow import Flow, FlowConfig
from zslearn.training.streams import Streams


def make(kind="whitened", **settings):
    return Flow(make_task(kind), FlowConfig(**{"hidden_dim": 8, "n_integration_steps": 3, **settings}), Streams(0))


def velocity(model, points, times, semantics):
    net = model.velocity
    angles = times * 2.0 ** np.arange(8) * np.pi / 2
    waves = np.hstack([np.sin(angles), np.cos(angles)])
    hidden = leaky(affine(net.visual, points) + affine(net.semantic, semantics) + affine(net.time, waves))
    return affine(net.last, leaky(affine(net.middle, hidden)))


@pytest.mark.parametrize("anchor", [False, True])
def test_the_loss_equals_numpy(anchor):
    model = make(anchor=anchor, dropped_conditions=0.4)
    x, semantics = FEATURES.double().numpy(), model.task.semantics[LABELS].double().numpy()
    streams = Streams(3)
    noise = streams.normal("noise", 7, 6).double().numpy()
    times = streams.uniform("time", 7, 1).double().numpy()
    shown = streams.uniform("dropped condition", 7, 1).numpy() >= 0.4
    assert 0 < shown.sum() < 7
    ends = x - model.task.seen_means.double().numpy()[[0, 2, 1, 1, 2, 0, 1]] if anchor else x
    found = velocity(model, (1 - times) * noise + times * ends, times, semantics * shown)
    expected = ((found - (ends - noise)) ** 2).sum(axis=1).mean()
    terms = model.flow_loss(make_step(model))
    assert terms.keys() == {"flow"}
    assert terms["flow"].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("guidance", [0.0, 1.0, 2.5])
def test_sampling_equals_eulers_method_in_numpy(guidance):
    model = make(guidance=guidance)
    semantics = model.task.semantics[LABELS].double().numpy()
    points = Streams(5).normal("latent", 7, 6).double().numpy()
    for index in range(3):
        times = np.full((7, 1), index / 3)
        guided = velocity(model, points, times, semantics)
        unguided = velocity(model, points, times, 0 * semantics)
        points = points + (unguided + guidance * (guided - unguided)) / 3
    drawn = model.sample(model.task.semantics[LABELS], Streams(5)).detach().numpy()
    np.testing.assert_allclose(drawn, points, rtol=1e-3, atol=1e-5)


def test_samples_of_scaled_features_lie_between_0_and_1():
    drawn = make("unit").sample(make_task().semantics[[0] * 50], Streams(1))
    assert drawn.min() >= 0
    assert drawn.max() <= 1


def test_an_anchored_flow_ends_in_offsets_from_regressed_means():
    model = make(anchor=True)
    with torch.no_grad():
        for parameter in model.velocity.last.parameters():
            parameter.zero_()
    semantics = model.task.semantics[LABELS]
    noise = Streams(5).normal("latent", 7, 6)
    torch.testing.assert_close(model.sample(semantics, Streams(5)), model.prototypes(semantics) + noise)
    torch.testing.assert_close(model.offsets(model.task.semantics, Streams(5)), torch.zeros(5, 6))
    assert make("unit", anchor=True).prototypes is None


@pytest.mark.parametrize("term", ["sr_mean", "sp_episode"])
def test_terms_on_whole_classes_move_an_anchored_flow(term):
    group = f"{term[:2]}_weight"
    model = make(anchor=True, **{group: 1.0}, teacher_hidden_dim=8, warm_up=0.0)
    value = model.flow_loss(make_step(model, progress=0.5))[term]
    gradients = torch.autograd.grad(value, list(model.velocity.parameters()))
    assert all(gradient.any() for gradient in gradients)


def test_distillation_teaches_the_layer_that_reads_points():
    model = make(kd_weight=1.0, teacher_hidden_dim=8)
    torch.testing.assert_close(
        model.view(FEATURES), torch.nn.functional.leaky_relu(model.velocity.visual(FEATURES), 0.2)
    )
