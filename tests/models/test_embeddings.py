"""The embedding models against their equations, written in numpy."""

import numpy as np
import pytest
import torch

from zslearn.configuration import build
from zslearn.models import model_entry
from zslearn.models.base import Task
from zslearn.recogniser import fit_recogniser
from zslearn.training.plan import Step
from zslearn.training.streams import Streams

CPU = torch.device("cpu")
N_CLASSES, N_SEEN, FEATURE_DIM, SEMANTIC_DIM, BATCH = 7, 5, 6, 4, 9
SEEN_IDS = np.array([0, 2, 3, 5, 6])


@pytest.fixture
def task():
    rng = np.random.default_rng(0)
    semantics = rng.uniform(size=(N_CLASSES, SEMANTIC_DIM))
    semantics /= np.linalg.norm(semantics, axis=1, keepdims=True)
    return Task(
        kind="standard",
        semantics=torch.tensor(semantics),
        seen_ids=torch.tensor(SEEN_IDS),
        unseen_ids=torch.tensor([1, 4]),
        seen_means=torch.tensor(rng.normal(size=(N_SEEN, FEATURE_DIM))),
        seen_variances=torch.ones(N_SEEN, FEATURE_DIM, dtype=torch.float64),
    )


@pytest.fixture
def step(task):
    rng = np.random.default_rng(1)
    labels = torch.tensor(SEEN_IDS[rng.integers(N_SEEN, size=BATCH)])
    features = torch.tensor(rng.normal(size=(BATCH, FEATURE_DIM)))
    return Step(features, task.semantics[labels], labels, 0.0, Streams(0))


def make(name, task, **settings):
    model_class = model_entry(name).load()
    return model_class(task, build(model_class.Config, settings), Streams(3)).double()


def arrays(*tensors):
    return [tensor.detach().numpy() for tensor in tensors]


def hinges(scores, positions, margin):
    table = np.maximum(0.0, margin + scores - scores[np.arange(BATCH), positions][:, None])
    table[np.arange(BATCH), positions] = 0.0
    return table


@pytest.mark.parametrize(("name", "margin"), [("devise", 0.1), ("ale", 1.0)])
def test_bilinear_models_rank_seen_classes_by_inner_products(task, step, name, margin):
    model = make(name, task)
    x, a, w = arrays(step.features, task.semantics, model.embedding.weight)
    np.testing.assert_allclose(*arrays(model.semantic_scores(step.features, task.semantics)), x @ w.T @ a.T)
    table = hinges(x @ w.T @ a[SEEN_IDS].T, np.searchsorted(SEEN_IDS, step.labels.numpy()), margin)
    counts = (table > 0).sum(axis=1)
    harmonic = np.array([sum(1 / i for i in range(1, r + 1)) / max(r, 1) for r in counts])
    expected = (table.sum(axis=1) * (harmonic if name == "ale" else 1.0)).mean()
    (term,) = model.loss(step).values()
    assert term.item() == pytest.approx(expected, rel=1e-9)


def test_dem_regresses_features_and_takes_the_nearest_class(task, step):
    model = make("dem", task, hidden_dim=8, penalty_weight=0.3)
    x, a = arrays(step.features, task.semantics)
    (first, second) = model.embedding.layers
    w1, b1, w2, b2 = arrays(first.weight, first.bias, second.weight, second.bias)
    hidden = a @ w1.T + b1
    embedded = np.where(hidden > 0, hidden, 0.2 * hidden) @ w2.T + b2
    terms = model.loss(step)
    assert terms["regression"].item() == pytest.approx(((embedded[step.labels] - x) ** 2).sum(axis=1).mean(), rel=1e-9)
    assert terms["penalty"].item() == pytest.approx(0.3 * ((w1**2).sum() + (w2**2).sum()), rel=1e-9)
    distances = ((x[:, None] - embedded[None]) ** 2).sum(axis=2)
    (scores,) = arrays(model.semantic_scores(step.features, task.semantics))
    gap = scores + distances / 2
    np.testing.assert_allclose(gap, np.broadcast_to(gap[:, :1], gap.shape), atol=1e-9)


def test_dem_embeds_nothing_negative_among_features_that_are_not(task):
    task = Task(**{**vars(task), "kind": "unit"})
    embedded = make("dem", task).embed(task.semantics)
    assert (embedded >= 0).all()
    assert (embedded == 0).any()


def test_dap_adds_log_ratios_of_posterior_and_prior(task, step):
    model = make("dap", task)
    x, a, w, b = arrays(step.features, task.semantics, model.embedding.weight, model.embedding.bias[0])
    present = a > a.mean(axis=0)
    posterior = 1 / (1 + np.exp(-(x @ w.T + b)))
    prior = (present[SEEN_IDS].sum(axis=0) + 0.5) / (N_SEEN + 1)
    expected = np.zeros((BATCH, N_CLASSES))
    for row in range(BATCH):
        for c in range(N_CLASSES):
            for m in range(SEMANTIC_DIM):
                likely, usual = (
                    (posterior[row, m], prior[m]) if present[c, m] else (1 - posterior[row, m], 1 - prior[m])
                )
                expected[row, c] += np.log(likely) - np.log(usual)
    np.testing.assert_allclose(*arrays(model.semantic_scores(step.features, task.semantics)), expected, rtol=1e-6)
    targets = present[step.labels]
    cross = -(np.where(targets, np.log(posterior), np.log(1 - posterior))).sum(axis=1).mean()
    assert model.loss(step)["attributes"].item() == pytest.approx(cross, rel=1e-9)


def test_binary_attributes_are_found_again(task):
    binary = np.random.default_rng(2).integers(2, size=(N_CLASSES, SEMANTIC_DIM))
    binary[0], binary[1] = 1, [1, 0, 0, 0]
    lengths = np.linalg.norm(binary, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    known = Task(**{**vars(task), "semantics": torch.tensor(binary / lengths)})
    np.testing.assert_array_equal(*arrays(make("dap", known).attributes(known.semantics)), binary)


def test_the_teacher_alone_learns_by_what_that_of_skd_learns_by(toy_dataset):
    view = toy_dataset.training()
    alone = fit_recogniser(view, "teacher", {"n_updates": 1}, seed=5, device=CPU)
    skd = fit_recogniser(view, "skd", {"n_updates": 1, "teacher_updates": 30}, seed=5, device=CPU)
    alone.model.embedding.load_state_dict(skd.model.terms.teacher.state_dict())
    task = skd.task
    labels = task.seen_ids[:4]
    losses = []
    for loss in (alone.model.loss, skd.model.terms.teacher_loss):
        losses.append(loss(Step(task.seen_means[:4], task.semantics[labels], labels, 0.0, Streams(9))))
    ours, theirs = losses
    assert list(ours) == list(theirs) == ["class"]
    assert torch.equal(ours["class"], theirs["class"])
    features = torch.tensor(skd.feature_space.transform(toy_dataset.test().features))
    projected = torch.nn.functional.normalize(skd.model.terms.teacher(features))
    expected = projected @ torch.nn.functional.normalize(task.semantics).T / 0.05
    np.testing.assert_allclose(*arrays(alone.model.semantic_scores(features, task.semantics), expected), rtol=1e-5)
