import numpy as np
import pytest
import torch

from small_task import FEATURES, LABELS, affine, log_softmax, make_step, make_task
from zslearn.models.lsrgan import LsrGAN, LsrGANConfig
from zslearn.training.streams import Streams


def make(*, unseen=True, **settings):
    return LsrGAN(
        make_task(unseen=unseen), LsrGANConfig(**{"hidden_dim": 7, "n_neighbours": 2, **settings}), Streams(0)
    )


def cosines(first, second):
    lengths = [np.linalg.norm(each, axis=1, keepdims=True) for each in (first, second)]
    return (first / lengths[0]) @ (second / lengths[1]).T


def relation(model, means_of, weight, width, n_neighbours):
    """The penalty as the paper has it: class by class, neighbour by neighbour."""
    semantics = model.task.semantics.double().numpy()
    seen = model.task.seen_ids.numpy()
    real_means = model.task.seen_means.double().numpy()
    total = 0.0
    for class_id, mean in means_of.items():
        similar = cosines(semantics[[class_id]], semantics[seen])[0]
        for neighbour in np.argsort(-similar)[:n_neighbours]:
            found = cosines(mean[None], real_means[[neighbour]])[0, 0]
            low, high = similar[neighbour] - width, similar[neighbour] + width
            total += max(0.0, found - high) ** 2 + max(0.0, low - found) ** 2
    return weight * total / n_neighbours


def test_the_seen_loss_equals_numpy():
    model = make(relation_weight=3.0, relation_width=0.01, class_weight=0.5, centre_weight=2.0)
    terms = model.generator_loss(make_step(model))
    semantics = model.task.semantics[LABELS]
    drawn = model.sample(semantics, Streams(3)).detach()
    fake = drawn.double().numpy()
    means = {c: fake[LABELS.numpy() == c].mean(axis=0) for c in (0, 1, 3)}
    real = dict(zip((0, 1, 3), model.task.seen_means.double().numpy(), strict=True))
    expected = {
        "adversarial": -model.critic(drawn, semantics).mean().item(),
        "class": -0.5 * log_softmax(affine(model.classifier, fake))[np.arange(7), LABELS.numpy()].mean(),
        "centre": 2.0 * sum(np.linalg.norm(means[c] - real[c]) for c in means) / 3,
        "relation": relation(model, means, 3.0, 0.01, 2),
    }
    assert terms.keys() == expected.keys()
    assert expected["relation"] > 0
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value, rel=1e-4), name


def test_the_unseen_loss_equals_numpy():
    model = make(relation_weight=3.0, relation_width=0.01, class_weight=0.5, unseen_class_weight=0.25)
    terms = model.unseen_loss(make_step(model))
    labels = model.task.unseen_ids[Streams(3).integers("unseen labels", 2, 7)]
    fake = model.sample(model.task.semantics[labels], Streams(3)).detach().double().numpy()
    labels = labels.numpy()
    means = {c: fake[labels == c].mean(axis=0) for c in np.unique(labels)}
    real_shares = log_softmax(affine(model.classifier, FEATURES.double().numpy()))
    expected = {
        "class": -0.25 * log_softmax(affine(model.classifier, fake))[np.arange(7), labels].mean(),
        "real_class": -0.5 * real_shares[np.arange(7), LABELS.numpy()].mean(),
        "relation": relation(model, means, 3.0, 0.01, 2),
    }
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value, rel=1e-4), name


@pytest.mark.parametrize("loss", ["generator_loss", "unseen_loss"])
def test_the_relations_reach_the_generator_but_in_the_released_arm(loss):
    model, released = make(relation_width=0.0), make(relation_width=0.0, relation_gradient=False)
    found = getattr(model, loss)(make_step(model))["relation"]
    gradients = torch.autograd.grad(found, list(model.generator.parameters()))
    assert all(gradient.any() for gradient in gradients)
    same = getattr(released, loss)(make_step(released))["relation"]
    assert same.item() == found.item() > 0
    assert not same.requires_grad


def test_classes_that_a_batch_lacks_cost_nothing():
    model = make(relation_width=0.0)
    step = make_step(model)
    only = torch.zeros_like(LABELS)
    one = type(step)(FEATURES, model.task.semantics[only], only, 0.0, Streams(3))
    terms = model.generator_loss(one)
    fake = model.sample(one.semantics, Streams(3)).detach().double().numpy().mean(axis=0)
    assert terms["relation"].item() == pytest.approx(relation(model, {0: fake}, 20.0, 0.0, 2), rel=1e-4)
    real = model.task.seen_means[0].double().numpy()
    assert terms["centre"].item() == pytest.approx(np.linalg.norm(fake - real) / 3, rel=1e-4)


def test_without_unseen_semantics_the_seen_relations_remain():
    model = make(unseen=False)
    assert [phase.name for phase in model.plan().stages[-1].phases] == ["critic", "generator"]
    assert "relation" in model.generator_loss(make_step(model))


def test_the_classifier_learns_at_its_own_step_size_whatever_that_of_the_generator():
    pretraining, adversarial = make(learning_rate=1e-5).plan().stages
    unseen = adversarial.phases[-1]
    assert pretraining.phases[0].learning_rate == unseen.own_rates["classifier"] == 1e-3
    assert unseen.learning_rate == 1e-5
