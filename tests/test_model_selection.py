import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from zslearn import (
    ClassKFold,
    GenerativeZSL,
    SeenUnseenSplit,
    ausuc_score,
    h_score,
    s_score,
    t1_score,
    u_score,
)
from zslearn.errors import ConfigError, DataError, UnknownNameError
from zslearn.evaluation.metrics import evaluate_scores

SHORT = {"n_updates": 5, "teacher_updates": 5}


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def quick(**parameters):
    return GenerativeZSL(settings=SHORT, rehearse=False, **parameters)


@pytest.mark.parametrize("splitter", [ClassKFold(4), SeenUnseenSplit(6), SeenUnseenSplit(2, unseen_share=0.5)])
def test_classes_that_play_unseen_have_no_row_to_train_on(table, splitter):
    _, y, _ = table
    splits = list(splitter.split(None, y))
    assert len(splits) == splitter.get_n_splits()
    for train, test in splits:
        assert np.array_equal(np.sort(np.r_[train, test]), np.arange(len(y)))
        seen = np.unique(y[train])
        unseen = np.setdiff1d(y, seen)
        assert len(unseen) >= 4
        kept, held_out = (np.array([np.sum(y[rows] == name) for name in seen]) for rows in (train, test))
        np.testing.assert_array_equal(held_out, np.round(0.2 * (kept + held_out)))


def test_every_class_plays_unseen_once_in_folds(table):
    _, y, _ = table
    unseen = [name for train, _ in ClassKFold(5).split(None, y) for name in np.setdiff1d(y, y[train])]
    assert sorted(unseen) == np.unique(y).tolist()


def test_same_seed_same_splits(table):
    _, y, _ = table
    for make in (ClassKFold, SeenUnseenSplit):
        one, again, other = (list(make(3, seed=seed).split(None, y)) for seed in (1, 1, 2))
        assert all(np.array_equal(a[1], b[1]) for a, b in zip(one, again, strict=True))
        assert not all(np.array_equal(a[1], b[1]) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    "splitter", [ClassKFold(1), ClassKFold(9), SeenUnseenSplit(0), SeenUnseenSplit(unseen_share=1)]
)
def test_splits_that_cannot_be_are_refused(splitter):
    with pytest.raises(ConfigError, match="cannot split these classes"):
        next(splitter.split(None, np.repeat(["a", "b", "c"], 4)))


def test_scores_are_those_of_the_metrics(table, toy_dataset):
    X, y, semantics = table
    estimator = GenerativeZSL(settings=SHORT).fit(X, y, semantics=semantics)
    test = toy_dataset.test()
    names = np.array(toy_dataset.class_names)[test.labels]
    metrics = evaluate_scores(
        estimator.decision_scores(test.features, corrected=False),
        test.labels,
        seen_ids=test.seen_ids,
        unseen_ids=test.unseen_ids,
        offset=estimator.offset_,
    )
    scored = [score(estimator, test.features, names) for score in (t1_score, u_score, s_score, h_score, ausuc_score)]
    np.testing.assert_allclose(scored, list(metrics.as_dict().values()), atol=1e-12)


def test_torch_features_score_as_arrays_do(table, toy_dataset):
    X, y, semantics = table
    test, names = toy_dataset.test(), list(semantics)
    by_number = dict(enumerate(semantics.values()))
    labels = np.array([names.index(name) for name in y.tolist()])
    estimator = quick().fit(X, labels, semantics=by_number)
    features, truth = torch.tensor(test.features), torch.tensor(test.labels)
    for score in (t1_score, u_score, s_score, h_score, ausuc_score):
        assert score(estimator, features, truth) == score(estimator, test.features, test.labels)
    assert estimator.score(features, truth) == estimator.score(test.features, test.labels)
    for ours, expected in zip(estimator.predict_top(features, 3), estimator.predict_top(test.features, 3), strict=True):
        assert isinstance(ours, torch.Tensor)
        np.testing.assert_array_equal(ours.numpy(), expected)
    named = quick().fit(X, y, semantics=semantics)
    assert named.score(features, np.array(names)[test.labels]) == named.score(
        test.features, np.array(names)[test.labels]
    )
    assert named.predict_top(features, 3)[0].tolist() == named.predict_top(test.features, 3)[0].tolist()


def test_scores_need_the_rows_that_they_measure(table):
    X, y, semantics = table
    estimator = quick().fit(X, y, semantics=semantics)
    with pytest.raises(DataError, match="T1 cannot be measured .*all of seen classes.* Split by class"):
        t1_score(estimator, X, y)
    with pytest.raises(DataError, match="cannot both be measured"):
        h_score(estimator, X, y)
    with pytest.raises(UnknownNameError, match="no class called 'kind x'"):
        h_score(estimator, X[:1], ["kind x"])


def test_a_search_chooses_on_classes_that_play_unseen(table, routing):
    X, y, semantics = table
    search = GridSearchCV(
        quick().set_fit_request(semantics=True),
        {"settings": [SHORT, {**SHORT, "gaussian_variance": 1e-6}], "model": ["skd"]},
        scoring={"h": h_score, "t1": t1_score},
        refit="h",
        cv=ClassKFold(2),
    )
    search.fit(X, y, semantics=semantics)
    results = search.cv_results_
    assert results["mean_test_h"].max() == results["mean_test_h"][search.best_index_]
    assert (results["mean_test_t1"] > 0.2).all()
    assert len(search.best_estimator_.unseen_classes_) == 4
    assert search.predict(X[:3]).shape == (3,)


def test_a_pipeline_passes_semantics_on(table, toy_dataset, routing):
    X, y, semantics = table
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("pca", PCA(15)), ("zsl", quick().set_fit_request(semantics=True))]
    )
    pipeline.fit(X, y, semantics=semantics)
    test = toy_dataset.test()
    names = np.array(toy_dataset.class_names)[test.labels]
    assert t1_score(pipeline, test.features, names) > 0.5
    assert pipeline.decision_function(X[:4]).shape == (4, 20)
    scores = cross_val_score(
        clone(pipeline), X, y, cv=SeenUnseenSplit(2), scoring=ausuc_score, params={"semantics": semantics}
    )
    assert scores.shape == (2,)
    assert (scores > 0.1).all()


def test_without_routing_a_step_gets_semantics_by_its_name(table):
    X, y, semantics = table
    pipeline = Pipeline([("scale", StandardScaler()), ("zsl", quick())]).fit(X, y, zsl__semantics=semantics)
    assert pipeline.predict(X[:2]).shape == (2,)
    search = GridSearchCV(quick(), {"seed": [0]}, scoring=t1_score, cv=ClassKFold(2)).fit(X, y, semantics=semantics)
    assert search.best_score_ > 0.2
