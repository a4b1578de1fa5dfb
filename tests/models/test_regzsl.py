import numpy as np
import pytest
import torch

from small_task import FEATURES, LABELS, RANKS, affine, leaky, log_softmax, make_step, make_task
from zslearn.models.regzsl import REGZSL, REGZSLConfig
from zslearn.training.streams import Streams


def make(**settings):
    return REGZSL(make_task(), REGZSLConfig(hidden_dim=8, projection_dim=4, **settings), Streams(0))


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def judgement(model, features):
    """All terms on samples in numpy, at the default weights."""
    projected = affine(model.projection, leaky(affine(model.embedding, features)))
    free = affine(model.teacher.layers[1], leaky(affine(model.teacher.layers[0], features)))
    aligned = affine(model.classifier, projected)
    own, rows = unit(projected), np.arange(7)
    semantics = model.task.semantics[LABELS].double().numpy()

    def relative_distances(view):
        distances = np.linalg.norm(view[:, None] - view[None], axis=-1)
        return distances / (distances.sum() / (7 * 6))

    def angles(view):
        cosines = np.zeros((7, 7, 7))
        for i in range(7):
            for j in range(7):
                for k in range(7):
                    ways = view[j] - view[i], view[k] - view[i]
                    lengths = np.linalg.norm(ways[0]) * np.linalg.norm(ways[1])
                    cosines[i, j, k] = ways[0] @ ways[1] / lengths if lengths > 0 else 0.0
        return cosines

    to_centres = own @ unit(model.centres.double().numpy()).T
    return {
        "class": -log_softmax(free)[rows, RANKS].mean() - log_softmax(aligned)[rows, RANKS].mean(),
        "preservation": -3.0 * (np.exp(log_softmax(unit(free))) * log_softmax(unit(aligned))).sum(axis=1).mean(),
        "contrast": -0.1 * log_softmax(to_centres / 10.0)[rows, RANKS].mean(),
        "distance": 0.5 * ((relative_distances(own) - relative_distances(semantics)) ** 2).mean(),
        "angle": ((angles(own) - angles(semantics)) ** 2).mean(),
    }


def test_the_embedding_loss_equals_numpy_and_moves_the_centres():
    model = make()
    x = FEATURES.double().numpy()
    expected, before = judgement(model, x), model.centres.double().numpy()
    found = model.embedding_loss(make_step(model))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value, rel=1e-3), name
    semantics = model.task.semantics[LABELS].double().numpy()
    shared = semantics @ semantics.T @ affine(model.projection, leaky(affine(model.embedding, x)))
    after = [0.5 * before[c] + 0.5 * shared[c == RANKS].mean(axis=0) for c in range(3)]
    np.testing.assert_allclose(model.centres.numpy(), after, rtol=1e-4, atol=1e-5)


def test_centres_start_at_the_class_means_and_stay_where_a_batch_has_no_sample():
    model = make(centre_momentum=0.25)
    means = model.task.seen_means.double().numpy()
    start = affine(model.projection, leaky(affine(model.embedding, means)))
    np.testing.assert_allclose(model.centres.numpy(), start, rtol=1e-4, atol=1e-6)
    step, only = make_step(model), torch.zeros_like(LABELS)
    model.embedding_loss(type(step)(FEATURES, model.task.semantics[only], only, 0.0, Streams(3)))
    np.testing.assert_allclose(model.centres.numpy()[1:], start[1:], rtol=1e-4, atol=1e-6)
    assert not np.allclose(model.centres.numpy()[0], start[0])


def test_the_generator_loss_equals_numpy():
    model = make(embedding_weight=0.5, pair_weight=0.25)
    found = model.generator_loss(make_step(model))
    drawn = model.sample(model.task.semantics[LABELS], Streams(3)).detach()
    fake, x = drawn.double().numpy(), FEATURES.double().numpy()
    logits = unit(fake) @ unit(x).T / 0.07
    same = LABELS.numpy()[:, None] == LABELS.numpy()[None]
    expected = {name: 0.5 * value for name, value in judgement(model, fake).items()}
    expected["adversarial"] = -model.critic(drawn, model.task.semantics[LABELS]).mean().item()
    expected["pairs"] = 0.25 * (np.logaddexp(0, logits) - same * logits).mean()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value, rel=1e-3), name


def test_the_teacher_is_not_taught():
    model = make()
    terms = model.embedding_loss(make_step(model))
    taught = torch.autograd.grad(terms["preservation"], list(model.teacher.parameters()), allow_unused=True)
    assert all(gradient is None for gradient in taught)


def test_unseen_inputs_are_mixed_with_related_seen_classes():
    model = make(own_share=0.6, n_neighbours=2)
    semantics = model.task.semantics[[2, 4, 2]]
    found = model.sample_inputs(semantics, Streams(5)).detach().numpy()
    own = model.view(model.sample(semantics, Streams(5))).detach().double().numpy()
    seen = model.task.semantics[model.task.seen_ids].double().numpy()
    centres = leaky(affine(model.embedding, model.task.seen_means.double().numpy()))
    for row, condition in enumerate(semantics.double().numpy()):
        similarities = unit(seen) @ unit(condition)
        nearest = np.argsort(-similarities)[:2]
        weights = np.exp(similarities[nearest]) / np.exp(similarities[nearest]).sum()
        np.testing.assert_allclose(found[row], 0.6 * own[row] + 0.4 * weights @ centres[nearest], rtol=1e-4, atol=1e-5)
    real = model.represent(FEATURES)
    torch.testing.assert_close(real, model.view(FEATURES))
