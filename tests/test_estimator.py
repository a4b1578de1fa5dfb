import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from zslearn import GenerativeZSL
from zslearn.data.splits import class_split
from zslearn.errors import ConfigError, DataError, RunFolderError, UnknownNameError
from zslearn.evaluation.protocol import run_protocol

SHORT = {"n_updates": 20, "teacher_updates": 20}


@pytest.fixture(scope="module")
def fitted(table):
    features, labels, semantics = table
    return GenerativeZSL(settings=SHORT).fit(features, labels, semantics=semantics)


def unfitted():
    return GenerativeZSL(settings=SHORT, rehearse=False)


def test_classes_are_split_by_who_has_labels(toy_dataset, fitted):
    names = np.array(toy_dataset.class_names)
    assert fitted.classes_.tolist() == names.tolist()
    assert fitted.seen_classes_.tolist() == names[toy_dataset.seen_ids].tolist()
    assert fitted.unseen_classes_.tolist() == names[toy_dataset.unseen_ids].tolist()


class Frame:
    """As much of a data frame as the estimator asks for."""

    def __init__(self, columns, **index):
        self._columns = columns
        vars(self).update(index)

    @property
    def columns(self):
        return list(self._columns)

    def __getitem__(self, wanted):
        if isinstance(wanted, str):
            return self._columns[wanted]
        return Frame({name: self._columns[name] for name in wanted})

    def to_numpy(self):
        return np.stack(list(self._columns.values()), axis=1)


def test_mapping_frame_and_array_mean_the_same(table):
    features, labels, semantics = table
    names, array = list(semantics), np.stack(list(semantics.values()))
    by_mapping = unfitted().fit(features, labels, semantics=semantics)
    columns = {f"a{i}": column for i, column in enumerate(array.T)}
    by_frame = unfitted().fit(features, labels, semantics=Frame(columns, index=names))
    by_column = unfitted().fit(features, labels, semantics=Frame({"name": names, **columns}))
    by_array = unfitted().fit(features, labels, semantics=array, classes=names)
    expected = by_mapping.decision_scores(features)
    assert (by_frame.decision_scores(features) == expected).all()
    assert (by_column.decision_scores(features) == expected).all()
    assert by_column.attribute_names_ == tuple(columns)
    assert (by_array.decision_scores(features) == expected).all()


def test_named_unseen_classes_leave_the_others_out(table, toy_dataset):
    features, labels, semantics = table
    wanted = [toy_dataset.class_names[i] for i in toy_dataset.unseen_ids[:2]]
    estimator = unfitted().fit(features, labels, semantics=semantics, unseen_classes=wanted)
    assert estimator.unseen_classes_.tolist() == wanted
    assert len(estimator.classes_) == len(semantics) - 2


def test_data_that_do_not_fit_are_refused(table, toy_dataset):
    features, labels, semantics = table
    seen = str(labels[0])
    with pytest.raises(DataError, match=f"unseen classes have labels: {seen}"):
        unfitted().fit(features, labels, semantics=semantics, unseen_classes=[seen])
    with pytest.raises(DataError, match=f"have labels but no semantics: {seen}"):
        unfitted().fit(features, labels, semantics={k: v for k, v in semantics.items() if k != seen})
    with pytest.raises(UnknownNameError, match="no class called 'kind 99'"):
        unfitted().fit(features, labels, semantics=semantics, unseen_classes=["kind 99"])
    with pytest.raises(DataError, match="no unseen class"):
        unfitted().fit(features, labels, semantics={k: semantics[k] for k in set(labels.tolist())})
    with pytest.raises(DataError, match="name no classes"):
        unfitted().fit(features, labels, semantics=np.stack(list(semantics.values())))
    with pytest.raises(DataError, match="not one vector of the same length"):
        unfitted().fit(features, labels, semantics={**semantics, seen: np.zeros(3)})
    with pytest.raises(DataError, match="not a table of numbers"):
        unfitted().fit(features[0], labels, semantics=semantics)
    broken = features.copy()
    broken[3, 2] = np.nan
    with pytest.raises(DataError, match="finite"):
        unfitted().fit(broken, labels, semantics=semantics)


def test_wrong_settings_are_refused(table):
    features, labels, semantics = table
    for settings, error in (({"sp_wieght": 1}, UnknownNameError), ({"sp_weight": -1}, ConfigError)):
        with pytest.raises(error):
            GenerativeZSL(settings=settings, rehearse=False).fit(features, labels, semantics=semantics)
    with pytest.raises(UnknownNameError, match="no device called 'gpu'"):
        GenerativeZSL(device="gpu").fit(features, labels, semantics=semantics)


def test_predictions_are_the_best_candidates(toy_dataset, fitted):
    features = toy_dataset.test().features
    scores = fitted.decision_scores(features)
    assert (fitted.predict(features) == fitted.classes_[scores.argmax(axis=1)]).all()
    unseen = toy_dataset.unseen_ids
    assert (fitted.predict(features, "unseen") == fitted.classes_[unseen[scores[:, unseen].argmax(axis=1)]]).all()
    two = fitted.classes_[[5, 2]].tolist()
    assert set(fitted.predict(features, two)) <= set(two)
    with pytest.raises(UnknownNameError, match="Did you mean unseen"):
        fitted.predict(features, "unsen")


def test_correction_subtracts_the_offset_from_seen_classes_only(toy_dataset, fitted):
    features = toy_dataset.test().features
    difference = fitted.decision_scores(features, corrected=False) - fitted.decision_scores(features)
    np.testing.assert_allclose(difference[:, toy_dataset.seen_ids], fitted.offset_, rtol=1e-9)
    assert (difference[:, toy_dataset.unseen_ids] == 0).all()
    assert fitted.offset_ != 0


def test_probabilities_are_a_softmax_at_the_rehearsed_temperature(toy_dataset, fitted):
    features = toy_dataset.test().features[:20]
    scores = fitted.decision_scores(features) / fitted.rehearsal_.temperature
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    expected = shares / shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_proba(features), expected, rtol=1e-9)
    np.testing.assert_allclose(fitted.predict_proba(features, "unseen").sum(axis=1), 1)


def test_score_is_the_mean_per_class_accuracy(toy_dataset, fitted):
    test = toy_dataset.test()
    names = fitted.classes_[test.labels]
    right = fitted.predict(test.features) == names
    expected = np.mean([right[names == name].mean() for name in np.unique(names)])
    assert fitted.score(test.features, names) == pytest.approx(expected)


def test_torch_in_torch_out(table):
    features, labels, semantics = table
    numbers = {name: number for number, name in enumerate(semantics)}
    by_number = {numbers[name]: vector for name, vector in semantics.items()}
    y = torch.tensor([numbers[name] for name in labels.tolist()])
    estimator = unfitted().fit(torch.tensor(features), y, semantics=by_number)
    assert isinstance(estimator.predict(torch.tensor(features[:5])), torch.Tensor)
    assert isinstance(estimator.predict_proba(torch.tensor(features[:5])), torch.Tensor)
    assert isinstance(estimator.synthesize([0, 1], 3), torch.Tensor)
    named = unfitted().fit(features, labels, semantics=semantics)
    assert isinstance(named.synthesize(named.unseen_classes_[:1], 3), np.ndarray)
    np.testing.assert_array_equal(estimator.decision_scores(torch.tensor(features)), named.decision_scores(features))


def test_same_seed_same_bits(table, fitted):
    features, labels, semantics = table
    again = GenerativeZSL(settings=SHORT).fit(features, labels, semantics=semantics)
    assert (again.decision_scores(features) == fitted.decision_scores(features)).all()
    assert again.rehearsal_ == fitted.rehearsal_


def test_a_whole_number_of_numpy_is_a_seed_like_any_other(tmp_path, table):
    features, labels, semantics = table
    plain, numpys = (
        GenerativeZSL(settings=SHORT, rehearse=False, seed=seed).fit(features, labels, semantics=semantics)
        for seed in (3, np.int64(3))
    )
    assert type(numpys.seed) is np.int64
    assert (numpys.decision_scores(features) == plain.decision_scores(features)).all()
    numpys.save(tmp_path / "m")
    assert GenerativeZSL.load(tmp_path / "m").seed == 3


@pytest.mark.parametrize("seed", [1.0, None, "3"])
def test_a_seed_that_is_no_whole_number_is_refused_before_anything_is_trained(toy_dataset, seed):
    reports = []
    estimator = GenerativeZSL(settings=SHORT, seed=seed)
    with pytest.raises(ConfigError, match=f"the seed is not a whole number .*received {seed!r}"):
        estimator.fit_view(toy_dataset.training(), reports.append)
    assert not reports


def test_a_fit_that_fails_leaves_what_was_fitted_before(table, toy_dataset):
    features, labels, semantics = table
    estimator = GenerativeZSL(settings=SHORT, rehearse=False).fit(features, labels, semantics=semantics)
    before = dict(vars(estimator))

    def unchanged():
        fitted = {name: value for name, value in vars(estimator).items() if name.endswith("_")}
        return fitted.keys() <= before.keys() and all(value is before[name] for name, value in fitted.items())

    estimator.set_params(settings={**SHORT, "batch_size": 10_000})
    with pytest.raises(ConfigError, match="the batch is larger than the data"):
        estimator.fit(torch.tensor(features[:, :-1]), labels, semantics=semantics)
    assert unchanged()

    def ends_in_the_last_part(progress):
        if progress.part == progress.n_parts - 1:
            raise KeyboardInterrupt

    estimator.set_params(settings=SHORT, rehearse=True)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit_view(class_split(toy_dataset, 0).training(), ends_in_the_last_part)
    assert unchanged()


def test_saved_and_loaded_it_is_the_same(tmp_path, table, fitted):
    features = table[0]
    fitted.save(tmp_path / "m")
    loaded = GenerativeZSL.load(tmp_path / "m")
    assert (loaded.decision_scores(features) == fitted.decision_scores(features)).all()
    assert (loaded.predict_proba(features) == fitted.predict_proba(features)).all()
    assert (loaded.predict(features, "unseen") == fitted.predict(features, "unseen")).all()
    names = fitted.unseen_classes_
    assert (loaded.synthesize(names, 4, seed=3) == fitted.synthesize(names, 4, seed=3)).all()
    assert loaded.rehearsal_ == fitted.rehearsal_


@pytest.mark.slow
def test_loading_does_not_wait_for_the_compiler_of_torch(tmp_path, fitted):
    fitted.save(tmp_path / "m")
    program = "import sys, zslearn; zslearn.GenerativeZSL.load(sys.argv[1]); print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "m"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_is_saved_is_the_recogniser_and_the_semantics(tmp_path, fitted):
    fitted.save(tmp_path / "m")
    kept = {**fitted.recogniser_.arrays(), "classes.semantics": torch.tensor(fitted.semantics_)}
    saved = load_file(tmp_path / "m" / "model.safetensors")
    assert saved.keys() == kept.keys()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in saved.items())
    assert {path.name for path in (tmp_path / "m").iterdir()} == {"model.json", "model.safetensors"}


def test_incomplete_models_are_refused(tmp_path, fitted):
    fitted.save(tmp_path / "m")
    facts = (tmp_path / "m" / "model.json").read_text()
    (tmp_path / "m" / "model.json").write_text(facts.replace('"seen":', '"sene":'))
    with pytest.raises(RunFolderError, match="are not those of a model"):
        GenerativeZSL.load(tmp_path / "m")
    with pytest.raises(RunFolderError, match="no model"):
        GenerativeZSL.load(tmp_path)


def test_scikit_learn_can_clone_it():
    estimator = GenerativeZSL(settings={"sp_weight": 0.5}, seed=3)
    copy = clone(estimator)
    assert copy.get_params() == estimator.get_params()
    with pytest.raises(NotFittedError, match="Call fit first"):
        copy.predict(np.zeros((1, 2)))


def test_rows_of_another_size_are_refused(fitted):
    with pytest.raises(DataError, match="do not fit the model .expected 20 columns; received 19"):
        fitted.predict(np.zeros((2, 19), dtype=np.float32))


def test_a_single_seen_class_is_enough(table):
    features, labels, semantics = table
    only = labels == labels[0]
    estimator = GenerativeZSL(settings=SHORT).fit(features[only], labels[only], semantics=semantics)
    assert estimator.seen_classes_.tolist() == [labels[0]]
    assert np.isfinite(estimator.predict_proba(features)).all()


@pytest.mark.parametrize("model", ["skd", "ridge-cosine"])
def test_a_single_seen_class_is_too_little_without_the_semantics_of_others(table, model):
    features, labels, semantics = table
    only = labels == labels[0]
    estimator = GenerativeZSL(model, settings={"unseen_semantics": False})
    with pytest.raises(DataError, match="all point the same way .*let training know .*unseen_semantics"):
        estimator.fit(features[only], labels[only], semantics=semantics)


def test_few_seen_classes_are_not_rehearsed(table, toy_dataset):
    features, labels, semantics = table
    kept = {toy_dataset.class_names[i] for i in toy_dataset.seen_ids[:11]}
    unseen = {toy_dataset.class_names[i] for i in toy_dataset.unseen_ids}
    rows = np.isin(labels, sorted(kept))
    few = GenerativeZSL(settings=SHORT).fit(
        features[rows], labels[rows], semantics={k: v for k, v in semantics.items() if k in kept | unseen}
    )
    assert few.rehearsal_ is None
    assert few.offset_ == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_refused(table, fitted, bad):
    features = table[0][:3].copy()
    features[1, 2] = bad
    for ask in (fitted.predict, fitted.predict_proba, fitted.decision_scores):
        with pytest.raises(DataError, match="finite"):
            ask(features)


def test_rows_that_are_too_large_to_score_are_refused(table, fitted):
    features = table[0][:4].copy()
    features[2] = 3e38
    for ask in (fitted.predict, fitted.predict_proba, fitted.decision_function):
        refused = pytest.raises(DataError, match=r"no finite scores for a row .*up to 3e\+38 in row 2 of these 4")
        with refused, np.errstate(over="ignore", invalid="ignore"):
            ask(features)


def test_a_matrix_of_numpy_is_a_table_like_any_other(table, fitted):
    features, labels, semantics = table
    assert (fitted.predict(features.view(np.matrix)) == fitted.predict(features)).all()
    # Of features without a sign the square root is taken: of a matrix that is another thing.
    features = np.abs(features)
    matrix = features.view(np.matrix)
    by_array = unfitted().fit(features, labels, semantics=semantics)
    by_matrix = unfitted().fit(matrix, labels, semantics=semantics)
    assert (by_matrix.decision_scores(matrix) == by_array.decision_scores(features)).all()


def test_labels_that_fit_no_rows_are_refused(table, fitted):
    features, labels, semantics = table
    with pytest.raises(DataError, match=r"one name per row .*shape \(400, 1\)"):
        unfitted().fit(features, labels[:, None], semantics=semantics)
    with pytest.raises(DataError, match="1 labels and 3 rows"):
        fitted.score(features[:3], labels[:1])
    with pytest.raises(DataError, match="nothing to score"):
        fitted.score(features[:0], [])


def test_semantics_that_are_texts_are_refused(table):
    features, labels, semantics = table
    with pytest.raises(DataError, match="semantics are not numbers"):
        unfitted().fit(features, labels, semantics={name: ["round"] * 3 for name in semantics})


def test_synthesis_of_nothing_is_refused(fitted):
    for classes, n_samples in [([], 3), (["kind 1"], 0), (["kind 1"], -1)]:
        with pytest.raises(DataError, match="nothing to synthesise"):
            fitted.synthesize(classes, n_samples)


def test_names_that_are_numbers_stay_numbers(table, toy_dataset):
    view = toy_dataset.training()
    estimator = unfitted().fit(view.features, view.labels, semantics=dict(enumerate(view.semantics)))
    assert estimator.unseen_classes_.tolist() == toy_dataset.unseen_ids.tolist()
    assert estimator.predict(view.features[:5]).dtype.kind == "i"
    assert estimator.score(view.features, view.labels) > 0.5


def test_whole_numbers_may_come_as_floats(tmp_path, toy_dataset):
    view = toy_dataset.training()
    labels = view.labels.astype(float)
    semantics = dict(zip(np.arange(20.0), view.semantics, strict=True))
    estimator = GenerativeZSL("gfzsl", rehearse=False).fit(view.features, labels, semantics=semantics)
    estimator.save(tmp_path)
    loaded = GenerativeZSL.load(tmp_path)
    assert loaded.predict(view.features).tolist() == estimator.predict(view.features).tolist()
    assert loaded.score(view.features, labels) > 0.5


@pytest.mark.parametrize("name", [0.5, float("nan"), None, ("a", "b")])
def test_names_that_are_neither_texts_nor_whole_numbers_are_refused(table, name):
    features, labels, semantics = table
    with pytest.raises(DataError, match="cannot name a class .expected texts or whole numbers"):
        unfitted().fit(features, labels, semantics={**semantics, name: np.ones(12)})


def test_a_closed_form_is_rehearsed_saved_and_loaded_like_any_model(tmp_path, table):
    features, labels, semantics = table
    solved = GenerativeZSL("kernel-ridge-cosine", settings={"kernel": "linear", "width": 1.0}).fit(
        features, labels, semantics=semantics
    )
    assert len(solved.alternatives_) == len(solved.rehearsal_.ausuc) == 9
    assert asdict(solved.recogniser_.config) == solved.alternatives_[solved.rehearsal_.chosen]
    solved.save(tmp_path / "m")
    loaded = GenerativeZSL.load(tmp_path / "m")
    assert (loaded.predict_proba(features) == solved.predict_proba(features)).all()
    with pytest.raises(ConfigError, match="'kernel-ridge-cosine' has no generator .*Train a generative model"):
        loaded.synthesize(solved.unseen_classes_)


def test_a_closed_form_as_model_equals_itself_as_reference(toy_dataset):
    outcome = run_protocol(toy_dataset, model="eszsl")
    reference = outcome.references["eszsl"]
    assert asdict(outcome.estimator.recogniser_.config) == asdict(reference.settings)
    assert outcome.estimator.offset_ == pytest.approx(reference.offset, abs=1e-9)
    assert outcome.measurement.corrected == outcome.reference_measurements["eszsl"].corrected
