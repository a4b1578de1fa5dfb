"""Diagnostics against independent formulas, and what must never change them."""

import numpy as np
import pytest
import scipy.linalg

from zslearn.data.dataset import TestView
from zslearn.evaluation.diagnostics import (
    DiagnosticSpace,
    answers_of_unseen,
    compare_generated,
    frechet_distance,
    mmd_squared,
    nearest_distances,
    semantic_neighbours,
    shrunk_moments,
)


def rows(seed, n=60, dim=5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dim)) @ rng.normal(size=(dim, dim)) + rng.normal(size=dim)


def test_frechet_distance_equals_the_formula_with_a_matrix_root():
    for seed in range(5):
        first, second = shrunk_moments(rows(seed)), shrunk_moments(rows(seed + 100, n=40))
        root = scipy.linalg.sqrtm(first[1] @ second[1]).real
        expected = np.sum((first[0] - second[0]) ** 2) + np.trace(first[1] + second[1] - 2 * root)
        assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)
        assert frechet_distance(second, first) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_equals_is_zero_and_of_a_shift_its_square():
    mean, covariance = shrunk_moments(rows(0))
    assert frechet_distance((mean, covariance), (mean, covariance)) == pytest.approx(0, abs=1e-8)
    shift = np.array([1.0, 2.0, 0.0, 0.0, 2.0])
    assert frechet_distance((mean, covariance), (mean + shift, covariance)) == pytest.approx(9.0)


def test_one_row_has_moments_with_no_spread():
    mean, covariance = shrunk_moments(rows(0, n=1))
    np.testing.assert_array_equal(mean, rows(0, n=1)[0])
    assert not covariance.any()


def test_shrinkage_keeps_the_trace_and_makes_the_covariance_regular():
    few = rows(1, n=3)
    plain = np.cov(few.T)
    shrunk = shrunk_moments(few, 0.1)[1]
    assert np.trace(shrunk) == pytest.approx(np.trace(plain))
    assert np.linalg.matrix_rank(plain) == 2
    assert np.linalg.eigvalsh(shrunk)[0] == pytest.approx(0.1 * np.trace(plain) / 5)


def test_mmd_equals_the_sums_written_out():
    first, second, bandwidth = rows(2, n=7), rows(3, n=9), 1.7

    def kernel(x, y):
        return np.exp(-np.sum((x - y) ** 2) / (2 * bandwidth**2))

    within = [
        np.mean([kernel(x, y) for i, x in enumerate(part) for j, y in enumerate(part) if i != j])
        for part in (first, second)
    ]
    across = np.mean([kernel(x, y) for x in first for y in second])
    assert mmd_squared(first, second, bandwidth) == pytest.approx(sum(within) - 2 * across)


def test_mmd_is_zero_on_average_where_nothing_differs_and_grows_with_a_shift():
    rng = np.random.default_rng(4)
    same = [mmd_squared(rng.normal(size=(30, 4)), rng.normal(size=(30, 4)), 2.0) for _ in range(200)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(200)
    fixed = rng.normal(size=(2, 60, 4))
    distances = [mmd_squared(fixed[0], fixed[1] + shift, 2.0) for shift in (0, 1, 2)]
    assert distances[0] < distances[1] < distances[2]


def test_nearest_distances_equal_a_loop_over_all_pairs():
    some, others = rows(5, n=1203, dim=3), rows(6, n=20, dim=3)
    expected = [min(np.linalg.norm(row - other) for other in others) for row in some[::100]]
    np.testing.assert_allclose(nearest_distances(some, others)[::100], expected)


def labelled(n_classes=6, n=30, dim=40, seed=7):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_classes), n)
    features = 4 * rng.normal(size=(n_classes, dim))[labels] + rng.normal(size=(len(labels), dim))
    return features.astype(np.float32), labels


@pytest.mark.parametrize("dim", [20, 400])
def test_the_space_holds_principal_components_in_units_of_the_spread_within_classes(dim):
    features, labels = labelled(dim=dim)
    space = DiagnosticSpace.fit(features, labels, n_components=3)
    placed = space.transform(features)
    centred = features.astype(np.float64) - features.mean(axis=0)
    strengths = np.linalg.svd(centred, compute_uv=False)
    assert space.explained == pytest.approx(np.sum(strengths[:3] ** 2) / np.sum(strengths**2), rel=1e-5)
    ratios = np.linalg.svd(placed, compute_uv=False) / strengths[:3]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-4)
    within = np.concatenate([placed[labels == c] - placed[labels == c].mean(axis=0) for c in range(6)])
    assert np.sqrt(np.mean(within**2)) == pytest.approx(1.0)


def test_rows_without_any_spread_get_a_space_of_their_own_size():
    space = DiagnosticSpace.fit(np.ones((5, 3), dtype=np.float32), np.array([0, 0, 1, 1, 1]))
    assert np.isfinite(space.transform(np.ones((2, 3)))).all()


def test_the_nearest_seen_class_is_the_one_of_the_largest_centred_cosine():
    semantics = np.random.default_rng(8).uniform(size=(7, 5))
    seen_ids, unseen_ids = np.array([0, 2, 3, 6]), np.array([1, 4, 5])
    units = semantics / np.linalg.norm(semantics, axis=1, keepdims=True)
    centred = units - units.mean(axis=0)
    cosine = (centred @ centred.T) / np.outer(*2 * [np.linalg.norm(centred, axis=1)])
    nearest, distances = semantic_neighbours(semantics, seen_ids, unseen_ids)
    np.testing.assert_array_equal(nearest, seen_ids[cosine[np.ix_(unseen_ids, seen_ids)].argmax(axis=1)])
    np.testing.assert_allclose(distances, 1 - cosine[np.ix_(unseen_ids, seen_ids)].max(axis=1))


def test_answers_are_counted_over_rows_of_unseen_classes_alone():
    labels, answers = np.array([0, 0, 2, 2, 2, 3]), np.array([0, 3, 0, 0, 2, 1])
    test = TestView(
        features=np.zeros((6, 2), dtype=np.float32), labels=labels, seen_ids=np.arange(2), unseen_ids=np.arange(2, 4)
    )
    told = answers_of_unseen(answers, test, ["a", "b", "c", "d"])
    assert told == {"n_rows": 4, "as_seen": 0.75, "counts": {"a": 2, "b": 1, "c": 1}, "others": 0}
    assert list(told["counts"]) == ["a", "b", "c"]


def test_of_many_answers_the_most_frequent_are_told_and_the_others_counted():
    labels = np.repeat(np.arange(60), 2)
    test = TestView(
        features=np.zeros((120, 1), dtype=np.float32), labels=labels, seen_ids=np.arange(1), unseen_ids=np.arange(1, 60)
    )
    told = answers_of_unseen(labels, test, [f"class {i}" for i in range(60)])
    assert len(told["counts"]) == 40
    assert sum(told["counts"].values()) + told["others"] == told["n_rows"] == 118


def comparison(dataset, unseen, seen, seen_ids):
    return compare_generated(dataset.training(), dataset.test(), unseen, dataset.unseen_ids, seen, seen_ids)


def real(dataset, class_ids, n=20):
    return np.stack([dataset.features[dataset.labels == class_id][:n] for class_id in class_ids])


def test_real_rows_are_nearer_than_shifted_ones_by_every_measure(toy_dataset):
    seen_ids = toy_dataset.seen_ids[:4]
    samples, seen = real(toy_dataset, toy_dataset.unseen_ids), real(toy_dataset, seen_ids)
    near = comparison(toy_dataset, samples, seen, seen_ids)["classes"]
    far = comparison(toy_dataset, samples + 5, seen, seen_ids)["classes"]
    for one, other in zip(near, far, strict=True):
        for measure in ("frechet", "mmd_squared", "mean_error"):
            assert one[measure] < other[measure]
        assert one["frechet_between_halves"] == other["frechet_between_halves"]


def test_copies_of_training_rows_are_caught(toy_dataset):
    view, seen_ids = toy_dataset.training(), toy_dataset.seen_ids[:4]
    unseen = real(toy_dataset, toy_dataset.unseen_ids)
    copied = np.stack([view.features[view.labels == class_id][:10] for class_id in seen_ids])
    caught = comparison(toy_dataset, unseen, copied, seen_ids)["nearest_training_row"]["seen"]
    assert caught["ratio"] == pytest.approx(0, abs=1e-4)
    held_out = toy_dataset.test()
    fresh = np.stack([held_out.features[held_out.labels == class_id][:10] for class_id in seen_ids])
    honest = comparison(toy_dataset, unseen, fresh, seen_ids)["nearest_training_row"]["seen"]
    assert honest["ratio"] == pytest.approx(1)


def test_unseen_samples_taken_from_seen_classes_lie_nearer_to_training_rows_than_real_ones(toy_dataset):
    seen_ids = toy_dataset.seen_ids[:4]
    drifted = real(toy_dataset, seen_ids)
    told = comparison(toy_dataset, drifted, drifted, seen_ids)["nearest_training_row"]["unseen"]
    assert told["ratio"] < 0.5


def test_comparison_needs_no_more_than_one_row_of_a_class(toy_dataset):
    seen_ids = toy_dataset.seen_ids[:1]
    one = real(toy_dataset, toy_dataset.unseen_ids, n=1)
    facts = comparison(toy_dataset, one, real(toy_dataset, seen_ids, n=1), seen_ids)
    assert all(each["mmd_squared"] is None for each in facts["classes"])
    assert all(each["frechet"] >= 0 for each in facts["classes"])
