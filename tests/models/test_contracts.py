"""What every generative model of the zoo must keep."""

import numpy as np
import pytest
import torch

from zslearn.configuration import build, field_facts
from zslearn.errors import UnknownNameError
from zslearn.evaluation.metrics import evaluate_scores
from zslearn.models import MODELS, model_entry
from zslearn.recogniser import Recogniser, fit_recogniser
from zslearn.training.loop import Loop, Rows
from zslearn.training.streams import Streams

GENERATIVE = [name for name, entry in MODELS.items() if entry.family == "generative"]
CPU = torch.device("cpu")
SHORT = {"n_updates": 20, "teacher_updates": 20, "hidden_dim": 64, "classifier_epochs": 10}
ENOUGH = {
    "skd": {"n_updates": 300, "teacher_updates": 60},
    "f-clswgan": {"n_updates": 1000, "learning_rate": 5e-4, "hidden_dim": 128},
    "cada-vae": {"n_updates": 500, "learning_rate": 2e-3, "hidden_dim": 128, "decoder_dim": 128},
    "f-vaegan": {"n_updates": 200, "learning_rate": 2e-3, "critic_updates": 1, "adversarial_weight": 1.0},
}
"""Settings with which a model should have learned the toy data, where the defaults do not suffice."""


@pytest.fixture(scope="module", params=GENERATIVE)
def name(request):
    return request.param


def fit(toy_dataset, name, seed=0, **settings):
    return fit_recogniser(toy_dataset.training(), name, {**SHORT, **settings}, seed=seed, device=CPU)


@pytest.fixture(scope="module")
def fitted(toy_dataset, name):
    return fit(toy_dataset, name)


def test_every_field_is_documented_and_its_default_allowed(name):
    configuration = model_entry(name).load().Config
    facts = field_facts(configuration)
    assert all(fact.text.endswith(".") for fact in facts.values())
    assert build(configuration, {field: fact.default for field, fact in facts.items()}) == configuration()


def test_each_phase_trains_every_parameter_it_names_and_no_other(toy_dataset, name, fitted):
    view = toy_dataset.training()
    features = torch.tensor(fitted.feature_space.transform(view.features))
    known_ids = np.arange(toy_dataset.n_classes) if fitted.config.unseen_semantics else view.seen_ids
    labels = torch.tensor(np.searchsorted(known_ids, view.labels))
    model_class = model_entry(name).load()
    at_once = {"warm_up": 0.0} if "warm_up" in field_facts(model_class.Config) else {}
    model = model_class(fitted.task, build(model_class.Config, at_once), Streams(0))
    loop = Loop(model, model.plan(), Rows(features, labels, fitted.task.semantics), Streams(0))
    for stage in model.plan().stages:
        while loop.plan.stages[loop.cursor.stage].name != stage.name:
            loop.step()
        for phase in stage.phases:
            before = {key: value.clone() for key, value in model.named_parameters()}
            loop.step_phase()
            changed = {key for key, value in model.named_parameters() if not torch.equal(before[key], value)}
            named = {key for key in before if any(key.startswith(f"{part}.") for part in phase.trains)}
            assert changed == named


def test_same_seed_same_bits_and_another_seed_others(toy_dataset, name, fitted):
    again, other = fit(toy_dataset, name), fit(toy_dataset, name, seed=1)
    features = toy_dataset.test().features
    assert (fitted.scores(features) == again.scores(features)).all()
    assert not (fitted.scores(features) == other.scores(features)).all()
    semantics = toy_dataset.semantics[toy_dataset.unseen_ids]
    drawn = fitted.synthesize(semantics, 5, seed=7)
    assert (drawn == again.synthesize(semantics, 5, seed=7)).all()
    assert not (drawn == fitted.synthesize(semantics, 5, seed=8)).any()


def test_a_restored_recogniser_gives_the_same_bits(toy_dataset, name, fitted):
    settings = {field: getattr(fitted.config, field) for field in field_facts(type(fitted.config))}
    restored = Recogniser.restore(name, settings, fitted.feature_space.kind, fitted.arrays(), CPU)
    features = toy_dataset.test().features
    assert (restored.scores(features) == fitted.scores(features)).all()
    semantics = toy_dataset.semantics[toy_dataset.unseen_ids]
    assert (restored.synthesize(semantics, 3, seed=0) == fitted.synthesize(semantics, 3, seed=0)).all()


def test_scores_of_rows_do_not_depend_on_other_rows(toy_dataset, fitted):
    features = toy_dataset.test().features
    np.testing.assert_allclose(fitted.scores(features)[:3], fitted.scores(features[:3]), rtol=1e-4, atol=1e-4)


def test_it_beats_the_nearest_semantics(toy_dataset, name):
    test = toy_dataset.test()
    scores = fit(toy_dataset, name, **ENOUGH.get(name, {})).scores(test.features)
    sides = {"seen_ids": test.seen_ids, "unseen_ids": test.unseen_ids}
    ours = evaluate_scores(scores, test.labels, **sides)
    view = toy_dataset.training()
    means = np.stack([view.features[view.labels == c].mean(axis=0) for c in view.seen_ids])
    centred = toy_dataset.semantics - toy_dataset.semantics.mean(axis=0)
    nearest = (centred @ centred[view.seen_ids].T).argmax(axis=1)
    prototypes = means[nearest]
    prototypes[view.seen_ids] = means
    distances = ((test.features[:, None] - prototypes[None]) ** 2).sum(axis=2)
    baseline = evaluate_scores(-distances, test.labels, **sides)
    assert ours.t1 > baseline.t1 + 0.1
    assert ours.ausuc > baseline.ausuc + 0.1


def test_unknown_models_meet_the_nearest_known_one():
    with pytest.raises(UnknownNameError, match="no model called 'sdk'. Did you mean skd"):
        model_entry("sdk")
