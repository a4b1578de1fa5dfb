"""What every model of the zoo must keep."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch.utils._python_dispatch import TorchDispatchMode

from zslearn.configuration import build, field_facts
from zslearn.errors import ConfigError, DataError, UnknownNameError
from zslearn.estimator import GenerativeZSL
from zslearn.evaluation.metrics import evaluate_scores
from zslearn.exporting import TOLERANCE, export_onnx
from zslearn.models import MODELS, model_entry
from zslearn.nets import multiplied_in
from zslearn.recogniser import fit_recogniser, restore_recogniser
from zslearn.spaces import unit_rows
from zslearn.training.loop import Loop, Rows
from zslearn.training.streams import Streams


def models(*families):
    """The models of these families, one after the other."""
    names = [name for name, entry in MODELS.items() if entry.family in families]
    return pytest.mark.parametrize("name", names, scope="module")


every = models("generative", "embedding", "closed form")
trained = models("generative", "embedding")
CPU = torch.device("cpu")
NEEDS_ONE_SPACE = {"cosine"}
"""Models for features and semantics of one space: their semantics are the toy's class means, without its noise."""
SHORT = {
    "n_updates": 20,
    "teacher_updates": 20,
    "batch_size": 64,
    "classifier_epochs": 10,
    **dict.fromkeys(("hidden_dim", "decoder_dim", "embedding_dim", "scorer_dim", "projection_dim"), 64),
    **dict.fromkeys(("semantic_hidden_dim", "semantic_decoder_dim"), 64),
}
GAN = {
    "n_updates": 500,
    "learning_rate": 1e-3,
    "critic_updates": 2,
    "hidden_dim": 128,
    "latent_dim": 4,
    "semantic_centring": True,
}
VAEGAN = {"n_updates": 200, "learning_rate": 2e-3, "critic_updates": 1, "adversarial_weight": 1.0}
ENOUGH = {
    "skd": {"n_updates": 300, "teacher_updates": 60},
    "f-clswgan": GAN,
    "cada-vae": {"n_updates": 500, "learning_rate": 2e-3, "hidden_dim": 128, "decoder_dim": 128},
    "f-vaegan": VAEGAN,
    "lsrgan": {**GAN, "n_updates": 300},
    "tf-vaegan": VAEGAN,
    "ce-gzsl": {**GAN, "n_updates": 300},
    "free": VAEGAN,
    "re-gzsl": {**GAN, "n_updates": 300, "batch_size": 32},
    "flow": {"n_updates": 300},
    **{name: {"n_updates": 1000, "hidden_dim": 512} for name, entry in MODELS.items() if entry.family == "embedding"},
}
"""Settings with which a model should have learned the toy data, where the defaults do not suffice."""


@pytest.fixture(scope="module")
def dataset(toy_dataset, name):
    if name not in NEEDS_ONE_SPACE:
        return toy_dataset
    means = [toy_dataset.features[toy_dataset.labels == c].mean(axis=0) for c in range(toy_dataset.n_classes)]
    return replace(toy_dataset, semantics=np.stack(means).astype(np.float64))


def short(name, **settings):
    """Settings for little training, as far as a model has them."""
    known = field_facts(model_entry(name).load().Config)
    return {field: value for field, value in {**SHORT, **settings}.items() if field in known}


def fit(dataset, name, seed=0, **settings):
    return fit_recogniser(dataset.training(), name, short(name, **settings), seed=seed, device=CPU)


@pytest.fixture(scope="module")
def fitted(dataset, name):
    return fit(dataset, name)


@every
def test_every_field_is_documented_and_its_default_allowed(name):
    configuration = model_entry(name).load().Config
    facts = field_facts(configuration)
    assert all(fact.text.endswith(".") for fact in facts.values())
    assert build(configuration, {field: fact.default for field, fact in facts.items()}) == configuration()


def make_loop(dataset, name, fitted):
    """A new model of the default settings in the loop, with the terms on unseen classes from the first step on."""
    view = dataset.training()
    features = torch.tensor(fitted.feature_space.transform(view.features))
    known_ids = np.arange(dataset.n_classes) if fitted.config.unseen_semantics else view.seen_ids
    labels = torch.tensor(np.searchsorted(known_ids, view.labels))
    model_class = model_entry(name).load()
    at_once = {"warm_up": 0.0} if "warm_up" in field_facts(model_class.Config) else {}
    model = model_class(fitted.task, build(model_class.Config, at_once), Streams(0))
    return Loop(model, model.plan(), Rows(features, labels, fitted.task.semantics), Streams(0))


def at_each_stage(loop):
    """Bring the loop to the first step of each stage."""
    for stage in loop.plan.stages:
        while loop.plan.stages[loop.cursor.stage].name != stage.name:
            loop.step()
        yield stage


@trained
def test_each_phase_trains_every_parameter_it_names_and_no_other(dataset, name, fitted):
    loop = make_loop(dataset, name, fitted)
    model = loop.model
    for stage in at_each_stage(loop):
        for phase in stage.phases:
            before = {key: value.clone() for key, value in model.named_parameters()}
            loop.step_phase()
            changed = {key for key, value in model.named_parameters() if not torch.equal(before[key], value)}
            named = {key for key in before if any(key.startswith(f"{part}.") for part in phase.trains)}
            assert changed == named


class Waits(TorchDispatchMode):
    """Notes the operations for which a host must wait for its GPU, as their outcome or its shape goes to Python."""

    OPERATIONS = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal")

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, operation, types, arguments=(), keywords=None):
        name = operation.overloadpacket.__name__
        masks = name.startswith("index") and any(part.dtype == torch.bool for part in arguments[1] if part is not None)
        if masks or name in self.OPERATIONS:
            self.seen.append(name)
        return operation(*arguments, **(keywords or {}))


@trained
def test_no_step_makes_the_host_wait(dataset, name, fitted):
    loop = make_loop(dataset, name, fitted)
    with Waits() as waits:
        torch.ones(2)[torch.tensor([True, False])].sum().item()
    assert waits.seen == ["index", "_local_scalar_dense"]
    for _ in at_each_stage(loop):
        with Waits() as waits:
            loop.step()
        assert not waits.seen


@trained
def test_layers_may_round_to_bf16_in_every_phase(dataset, name, fitted):
    exact, rounded = make_loop(dataset, name, fitted), make_loop(dataset, name, fitted)
    for loop in (exact, rounded):
        with multiplied_in(torch.bfloat16 if loop is rounded else torch.float32, loop.model):
            for _ in at_each_stage(loop):
                loop.step()
    pairs = zip(exact.model.named_parameters(), rounded.model.named_parameters(), strict=True)
    changes = []
    for (_, mine), (_, theirs) in pairs:
        assert theirs.dtype == torch.float32
        torch.testing.assert_close(mine, theirs, rtol=0.1, atol=0.1)
        changes.append(not torch.equal(mine, theirs))
    assert any(changes) == bool(changes)


@every
def test_same_seed_same_bits(dataset, name, fitted):
    again = fit(dataset, name)
    features = dataset.test().features
    assert (fitted.scores(features) == again.scores(features)).all()


@trained
def test_another_seed_gives_others(dataset, name, fitted):
    features = dataset.test().features
    assert not (fitted.scores(features) == fit(dataset, name, seed=1).scores(features)).all()


@every
def test_generative_models_synthesise_and_others_say_that_they_cannot(dataset, name, fitted):
    semantics = dataset.semantics[dataset.unseen_ids]
    assert fitted.generates == (model_entry(name).family == "generative")
    if fitted.generates:
        drawn = fitted.synthesize(semantics, 5, seed=7)
        assert drawn.shape == (len(semantics), 5, dataset.features.shape[1])
        assert (drawn == fit(dataset, name).synthesize(semantics, 5, seed=7)).all()
        assert not (drawn == fitted.synthesize(semantics, 5, seed=8)).any()
    else:
        with pytest.raises(ConfigError, match=f"the model '{name}' has no generator"):
            fitted.synthesize(semantics, 5, seed=7)


@every
def test_a_restored_recogniser_gives_the_same_bits(dataset, name, fitted):
    settings = {field: getattr(fitted.config, field) for field in field_facts(type(fitted.config))}
    arrays = load(save(fitted.arrays()))
    restored = restore_recogniser(name, settings, fitted.feature_space_kind, arrays, CPU)
    features = dataset.test().features
    assert (restored.scores(features) == fitted.scores(features)).all()
    if fitted.generates:
        semantics = dataset.semantics[dataset.unseen_ids]
        assert (restored.synthesize(semantics, 3, seed=0) == fitted.synthesize(semantics, 3, seed=0)).all()


@every
def test_it_keeps_no_training_row(dataset, name):
    view = replace(dataset, train_rows=dataset.train_rows[:397]).training()
    least = short(name, n_updates=2, teacher_updates=2, classifier_epochs=1)
    fitted = fit_recogniser(view, name, least, seed=0, device=CPU)
    forms = [view.features, unit_rows(view.features.astype(np.float64))]
    if fitted.feature_space_kind is not None:
        forms.append(fitted.feature_space.transform(view.features))
    for tensor in fitted.arrays().values():
        # A prime number of rows is a factor of no other size: something about each of them shows, however it is laid.
        assert tensor.numel() == 0 or tensor.numel() % len(view.features)
        for rows in forms:
            assert not np.isin(rows, tensor).all(axis=1).any()


@every
def test_foreign_tensors_are_refused(name, fitted):
    arrays = fitted.arrays()
    arrays.pop(sorted(arrays)[-1])
    with pytest.raises(DataError, match="do not belong to this model"):
        restore_recogniser(name, {}, fitted.feature_space_kind, arrays, CPU)


@every
def test_scores_of_rows_do_not_depend_on_other_rows(dataset, fitted):
    features = dataset.test().features
    np.testing.assert_allclose(fitted.scores(features)[:3], fitted.scores(features[:3]), rtol=1e-4, atol=1e-4)
    assert fitted.scores(features[:0]).shape == (0, dataset.n_classes)


@pytest.mark.slow
@every
def test_the_exported_predictor_answers_as_the_library_does(dataset, name, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    estimator = GenerativeZSL(name, settings=short(name), rehearse=False).fit_view(dataset.training())
    export_onnx(estimator, tmp_path / "x.onnx")
    session = runtime.InferenceSession(tmp_path / "x.onnx", providers=["CPUExecutionProvider"])
    rows = dataset.test().features
    scores, probabilities = session.run(["scores", "probabilities"], {"features": rows})
    np.testing.assert_allclose(scores, estimator.decision_scores(rows), atol=TOLERANCE, rtol=TOLERANCE)
    np.testing.assert_allclose(probabilities, estimator.predict_proba(rows), atol=TOLERANCE)


@every
@pytest.mark.parametrize(
    "settings",
    # Centring has a use for them in every model.
    [{}, {"unseen_semantics": True, "semantic_centring": True}, {"unseen_semantics": False}],
    ids=["default", "allowed", "not allowed"],
)
def test_it_says_truly_whether_the_fit_reads_unseen_semantics(dataset, name, settings):
    changed = dataset.unseen_ids[0]
    semantics = dataset.semantics.copy()
    semantics[changed] = np.random.default_rng(3).uniform(size=semantics.shape[1])
    least = {"n_updates": 3, "teacher_updates": 3, "classifier_epochs": 1, **settings}
    one, other = (fit(each, name, **least) for each in (dataset, replace(dataset, semantics=semantics)))
    assert one.reads_unseen_semantics == (not _same_fit(one, other, dataset, changed))
    if "unseen_semantics" in short(name, **settings):
        assert one.reads_unseen_semantics == settings["unseen_semantics"]


def _same_fit(one, other, dataset, changed):
    """Whether two fits came to the same networks; what is solved shows in the scores of the other classes."""
    networks = {key: tensor for key, tensor in one.arrays().items() if key.startswith("model.")}
    if networks:
        return all(torch.equal(tensor, other.arrays()[key]) for key, tensor in networks.items())
    features = dataset.test().features
    scores, other_scores = (np.delete(each.scores(features), changed, axis=1) for each in (one, other))
    return np.array_equal(scores, other_scores)


@every
def test_classes_come_and_go_without_changing_a_bit_of_the_others(dataset, name, fitted):
    features, n_classes = dataset.test().features, dataset.n_classes
    new = np.random.default_rng(5).uniform(size=(2, dataset.semantics.shape[1]))
    before, grown = fitted.scores(features), fitted.with_classes(new, [1, 2])
    scores = grown.scores(features)
    assert scores.shape == (len(features), n_classes + 2)
    assert (scores[:, :-2] == before).all()
    assert np.isfinite(scores).all()
    fewer = grown.without_classes(np.array([0, n_classes]))
    assert (fewer.scores(features) == scores[:, [*range(1, n_classes), n_classes + 1]]).all()
    settings = {field: getattr(fitted.config, field) for field in field_facts(type(fitted.config))}
    restored = restore_recogniser(name, settings, fitted.feature_space_kind, load(save(fewer.arrays())), CPU)
    assert (restored.scores(features) == fewer.scores(features)).all()


@every
def test_updates_are_told_and_end_with_the_time(dataset, name, fitted):
    stages = fitted.updates.values()
    assert all(stage["done"] == stage["planned"] for stage in stages)
    assert bool(stages) == any(True for _ in getattr(fitted, "model", torch.nn.Identity()).parameters())
    if stages:
        hurried = fit(dataset, name, max_seconds=1e-6)
        assert [stage["done"] for stage in hurried.updates.values()] == [1, *[0] * (len(stages) - 1)]
        assert np.isfinite(hurried.scores(dataset.test().features)).all()


@every
@pytest.mark.parametrize("value", [-1.0, "much", None])
def test_bad_settings_are_refused(dataset, name, value):
    fields = field_facts(model_entry(name).load().Config)
    numbers = [field for field, facts in fields.items() if facts.type in (int, float) and facts.range is not None]
    for field in numbers:
        with pytest.raises(ConfigError, match=f"the setting '{field}' has a wrong value"):
            fit_recogniser(dataset.training(), name, {field: value}, seed=0, device=CPU)
    with pytest.raises(UnknownNameError, match="no setting called 'rigde'"):
        fit_recogniser(dataset.training(), name, {"rigde": 1.0}, seed=0, device=CPU)


@every
def test_it_beats_the_nearest_semantics(dataset, name):
    test = dataset.test()
    scores = fit(dataset, name, **ENOUGH.get(name, {})).scores(test.features)
    sides = {"seen_ids": test.seen_ids, "unseen_ids": test.unseen_ids}
    ours = evaluate_scores(scores, test.labels, **sides)
    view = dataset.training()
    means = np.stack([view.features[view.labels == c].mean(axis=0) for c in view.seen_ids])
    centred = dataset.semantics - dataset.semantics.mean(axis=0)
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
