"""Classes that come and go after the fit: what they are told apart by, and what must not change meanwhile."""

import numpy as np
import pytest

from zslearn import GenerativeZSL
from zslearn.errors import DataError, UnknownNameError

SHORT = {"n_updates": 40, "teacher_updates": 40}
CLASSIFIERS = ("gaussian", "softmax")


@pytest.fixture(scope="module", params=CLASSIFIERS)
def fitted(request, toy_dataset):
    """An estimator that knows all classes but the last two unseen ones, the features of all, and those two."""
    view = toy_dataset.training()
    names = np.array(view.class_names)
    new = {toy_dataset.class_names[i]: toy_dataset.semantics[i] for i in toy_dataset.unseen_ids[-2:]}
    known = {name: row for name, row in zip(names.tolist(), view.semantics, strict=True) if name not in new}
    estimator = GenerativeZSL(settings={**SHORT, "classifier": request.param})
    return estimator.fit(view.features, names[view.labels], semantics=known), toy_dataset.test(), new


@pytest.fixture
def known(fitted, tmp_path):
    """A copy of that estimator of one's own, with the rest."""
    estimator, test, new = fitted
    estimator.save(tmp_path / "known")
    return GenerativeZSL.load(tmp_path / "known"), test, new


def test_old_scores_keep_their_bits(known):
    estimator, test, new = known
    before = estimator.decision_scores(test.features, corrected=False)
    corrected = estimator.decision_scores(test.features)
    centre = estimator.recogniser_.semantic_space.centre.copy()
    weights = {name: tensor.clone() for name, tensor in estimator.recogniser_.model.state_dict().items()}
    assert estimator.add_classes(new) is estimator
    after = estimator.decision_scores(test.features, corrected=False)
    assert after.shape == (len(test.features), before.shape[1] + 2)
    np.testing.assert_array_equal(after[:, :-2], before)
    np.testing.assert_array_equal(estimator.decision_scores(test.features)[:, :-2], corrected)
    np.testing.assert_array_equal(estimator.recogniser_.semantic_space.centre, centre)
    assert all((weights[name] == tensor).all() for name, tensor in estimator.recogniser_.model.state_dict().items())


def test_scores_keep_their_bits_through_many_changes(known):
    estimator, test, new = known
    before = estimator.decision_scores(test.features, corrected=False)
    rng = np.random.default_rng(3)
    crowd = {f"crowd {i}": rng.uniform(size=12) for i in range(40)}
    estimator.add_classes(crowd)
    one = estimator.decision_scores(test.features, corrected=False)[:, -1]
    dropped = [estimator.classes_[4], "crowd 3", "crowd 38"]
    estimator.drop_classes(dropped)
    estimator.add_classes(new)
    after = estimator.decision_scores(test.features, corrected=False)
    assert estimator.classes_[-3:].tolist() == ["crowd 39", *new]
    np.testing.assert_array_equal(after[:, : before.shape[1] - 1], np.delete(before, 4, axis=1))
    np.testing.assert_array_equal(after[:, -3], one)


def test_added_classes_are_recognised_as_well_as_fitted_ones(known, toy_dataset):
    estimator, test, new = known
    rows = np.isin(test.labels, test.unseen_ids[-2:])
    truth = np.array(toy_dataset.class_names)[test.labels[rows]]
    estimator.add_classes(new)
    among_unseen = (estimator.predict(test.features[rows], "unseen") == truth).mean()
    among_all = (estimator.predict(test.features[rows]) == truth).mean()
    assert among_unseen > 0.8
    assert among_all > 0.5
    others = test.labels[~rows]
    right = estimator.predict(test.features[~rows]) == np.array(toy_dataset.class_names)[others]
    assert right.mean() > 0.5


def test_added_classes_are_unseen_and_marked(known):
    estimator, _, new = known
    n_seen, n_unseen = len(estimator.seen_classes_), len(estimator.unseen_classes_)
    assert estimator.added_classes_.size == 0
    estimator.add_classes(new)
    assert estimator.added_classes_.tolist() == list(new)
    assert len(estimator.seen_classes_) == n_seen
    assert estimator.unseen_classes_.tolist()[n_unseen:] == list(new)
    assert estimator.synthesize(list(new), 3).shape == (2, 3, 20)


def test_dropped_classes_are_no_candidates(known):
    estimator, test, _ = known
    seen, unseen = estimator.seen_classes_[2], estimator.unseen_classes_[0]
    estimator.drop_classes([seen, unseen])
    assert {seen, unseen}.isdisjoint(estimator.predict(test.features))
    assert {seen, unseen}.isdisjoint(estimator.classes_)
    assert seen not in estimator.seen_classes_
    assert estimator.predict_proba(test.features).shape[1] == len(estimator.classes_)
    estimator.drop_classes(estimator.unseen_classes_)
    with pytest.raises(DataError, match="no candidate to choose"):
        estimator.predict(test.features, "unseen")


def test_one_name_can_be_dropped_without_a_list(known):
    estimator, _, _ = known
    gone = str(estimator.unseen_classes_[0])
    assert gone not in estimator.drop_classes(gone).classes_


def test_a_dropped_class_comes_back_with_the_same_scores(known):
    estimator, test, new = known
    first = estimator.add_classes(new).decision_scores(test.features, corrected=False)
    again = estimator.drop_classes(list(new)).add_classes(new).decision_scores(test.features, corrected=False)
    np.testing.assert_array_equal(again, first)


def test_saved_and_loaded_they_are_the_same(known, tmp_path):
    estimator, test, new = known
    estimator.add_classes(new).drop_classes([estimator.classes_[0]])
    estimator.save(tmp_path / "m")
    loaded = GenerativeZSL.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.decision_scores(test.features), estimator.decision_scores(test.features))
    assert loaded.added_classes_.tolist() == list(new)
    assert loaded.classes_.tolist() == estimator.classes_.tolist()
    assert loaded.seen_classes_.tolist() == estimator.seen_classes_.tolist()


def test_what_is_left_after_many_were_dropped_can_be_saved(known, tmp_path):
    estimator, test, _ = known
    n_unseen = len(estimator.unseen_classes_)
    estimator.drop_classes(estimator.seen_classes_)
    for n_left in (n_unseen, 1):
        estimator.drop_classes(estimator.classes_[n_left:])
        estimator.save(tmp_path / "m")
        loaded = GenerativeZSL.load(tmp_path / "m")
        assert loaded.classes_.tolist() == estimator.classes_.tolist()
        assert loaded.seen_classes_.size == 0
        np.testing.assert_array_equal(loaded.predict(test.features), estimator.predict(test.features))
    assert set(loaded.predict(test.features)) == set(loaded.classes_)


@pytest.mark.parametrize(
    ("semantics", "message"),
    [
        ({}, "not one vector of the same length per class"),
        ({"kind 0": np.ones(12)}, "there is a class called 'kind 0' already"),
        ({" Kind  0": np.ones(12)}, "' Kind  0' differs from the class 'kind 0' by case or blanks only"),
        ({"new": np.ones(12), "NEW": np.ones(12)}, "'NEW' differs from the class 'new'"),
        ({"new": np.ones(11)}, "expected 12 numbers for a class; received 11"),
        ({"new": np.full(12, np.nan)}, "NaN, infinite or all-zero semantics for new"),
        ({"new": np.zeros(12)}, "NaN, infinite or all-zero semantics for new"),
        ({"new": ["round"] * 12}, "semantics are not numbers"),
        ({"new": np.ones(12), "short": np.ones(3)}, "not one vector of the same length"),
        ({" ": np.ones(12)}, "cannot name a class"),
        ({"red\u00a0panda": np.ones(12)}, "a class name cannot be shown .*'red.xa0panda'"),
        ({"x" * 501: np.ones(12)}, "a class name cannot be shown .expected at most 500 printable characters"),
        ({7: np.ones(12)}, "7 cannot name a class of this model .expected a text"),
    ],
)
def test_classes_that_do_not_fit_are_refused(known, semantics, message):
    estimator, test, _ = known
    before = estimator.decision_scores(test.features)
    with pytest.raises(DataError, match=message):
        estimator.add_classes(semantics)
    np.testing.assert_array_equal(estimator.decision_scores(test.features), before)


def test_numbered_classes_take_numbers_only(toy_dataset):
    view = toy_dataset.training()
    estimator = GenerativeZSL(settings=SHORT, rehearse=False)
    estimator.fit(view.features, view.labels, semantics=dict(enumerate(view.semantics)))
    with pytest.raises(DataError, match="expected a whole number"):
        estimator.add_classes({"new": view.semantics[0]})
    estimator.add_classes({20: view.semantics[0]})
    assert estimator.classes_.tolist() == [*range(21)]


def test_what_cannot_be_dropped_is_refused(known):
    estimator, _, _ = known
    with pytest.raises(UnknownNameError, match="Did you mean kind 1"):
        estimator.drop_classes(["kind 1x"])
    with pytest.raises(DataError, match="no class would be left"):
        estimator.drop_classes(estimator.classes_)


def test_a_new_fit_forgets_what_was_added(known, toy_dataset):
    estimator, _, new = known
    estimator.add_classes(new)
    view = toy_dataset.training()
    names = np.array(view.class_names)
    estimator.set_params(rehearse=False).fit(
        view.features, names[view.labels], semantics=dict(zip(names, view.semantics, strict=True))
    )
    assert estimator.added_classes_.size == 0


def test_samples_of_a_new_class_do_not_depend_on_its_company(known):
    estimator, test, new = known
    if estimator.recogniser_.config.classifier == "softmax":
        pytest.skip("columns that are trained together are told apart from each other")
    one, other = new
    together = estimator.add_classes(new).decision_scores(test.features)[:, -1]
    alone = estimator.drop_classes([one, other]).add_classes({other: new[other]}).decision_scores(test.features)[:, -1]
    np.testing.assert_allclose(together, alone, rtol=1e-6)
