"""Metrics against loops written from their definitions, and what must never change them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zslearn.errors import DataError
from zslearn.evaluation.metrics import (
    METRIC_TITLES,
    Metrics,
    best_among,
    confusion,
    evaluate_scores,
    harmonic_mean,
    one_sided_metrics,
    per_class_accuracy,
    predict,
    seen_unseen_confusion,
    seen_unseen_curve,
)


@dataclass
class Case:
    scores: np.ndarray
    labels: np.ndarray
    seen_ids: np.ndarray
    unseen_ids: np.ndarray

    def measure(self, offset=0.0):
        return evaluate_scores(
            self.scores, self.labels, seen_ids=self.seen_ids, unseen_ids=self.unseen_ids, offset=offset
        )

    def curve(self):
        return seen_unseen_curve(self.scores, self.labels, seen_ids=self.seen_ids, unseen_ids=self.unseen_ids)


@st.composite
def cases(draw):
    """Small problems; coarse scores make many ties."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_classes = draw(st.integers(2, 7))
    n_seen = draw(st.integers(1, n_classes - 1))
    ids = rng.permutation(n_classes)
    seen_ids, unseen_ids = np.sort(ids[:n_seen]), np.sort(ids[n_seen:])
    labels = rng.integers(0, n_classes, draw(st.integers(0, 25)))
    labels = np.concatenate([labels, seen_ids[:1], unseen_ids[:1]])
    scores = rng.normal(size=(len(labels), n_classes))
    if draw(st.booleans()):
        scores = np.round(scores * 2)
    return Case(scores, labels, seen_ids, unseen_ids)


def loop_answer(row, seen_ids, unseen_ids, offset):
    best_seen = max(seen_ids, key=lambda c: (row[c], -c))
    best_unseen = max(unseen_ids, key=lambda c: (row[c], -c))
    return best_seen if row[best_seen] - row[best_unseen] >= offset else best_unseen


def loop_mean_accuracy(answers, labels, class_ids):
    accuracies = []
    for c in class_ids:
        hits = [a == c for a, y in zip(answers, labels, strict=True) if y == c]
        if hits:
            accuracies.append(sum(hits) / len(hits))
    return sum(accuracies) / len(accuracies)


def loop_point(case, offset):
    answers = [loop_answer(row, case.seen_ids, case.unseen_ids, offset) for row in case.scores]
    return (
        loop_mean_accuracy(answers, case.labels, case.unseen_ids),
        loop_mean_accuracy(answers, case.labels, case.seen_ids),
    )


@given(cases(), st.sampled_from([0.0, 0.5, -1.0, 2.0, np.inf, -np.inf]))
def test_measures_equal_the_loops(case, offset):
    measured = case.measure(offset)
    u, s = loop_point(case, offset)
    among_unseen = [max(case.unseen_ids, key=lambda c: (row[c], -c)) for row in case.scores]
    assert measured.u == pytest.approx(u, abs=1e-12)
    assert measured.s == pytest.approx(s, abs=1e-12)
    assert measured.t1 == pytest.approx(loop_mean_accuracy(among_unseen, case.labels, case.unseen_ids), abs=1e-12)
    assert measured.h == pytest.approx(2 * u * s / (u + s) if u + s else 0.0, abs=1e-12)


@given(cases())
def test_area_equals_predicting_anew_at_every_offset(case):
    gaps = case.scores[:, case.seen_ids].max(axis=1) - case.scores[:, case.unseen_ids].max(axis=1)
    # Below, at and between all gaps, and above: more offsets than there are points.
    offsets = np.unique(np.concatenate([gaps, (np.sort(gaps)[1:] + np.sort(gaps)[:-1]) / 2, [-99.0, 99.0]]))
    points = np.array([loop_point(case, offset) for offset in offsets])
    area = sum((points[1:, 0] - points[:-1, 0]) * (points[1:, 1] + points[:-1, 1]) / 2)
    assert case.curve().area == pytest.approx(area, abs=1e-12)


@given(cases())
def test_every_point_of_the_curve_is_what_measuring_there_gives(case):
    curve = case.curve()
    assert (np.diff(curve.offsets) > 0).all()
    for offset, unseen, seen, h in zip(curve.offsets, curve.unseen, curve.seen, curve.harmonic_means, strict=True):
        u, s = loop_point(case, offset)
        assert (unseen, seen) == (pytest.approx(u, abs=1e-12), pytest.approx(s, abs=1e-12))
        assert h == pytest.approx(harmonic_mean(u, s), abs=1e-12)


@given(cases())
def test_curve_runs_from_everything_seen_to_everything_unseen(case):
    curve, measured = case.curve(), case.measure()
    among_seen, _ = best_among(case.scores, case.seen_ids)
    assert (curve.unseen[0], curve.seen[-1]) == (0.0, 0.0)
    assert curve.unseen[-1] == measured.t1
    assert curve.seen[0] == pytest.approx(np.nanmean(per_class_accuracy(case.labels, among_seen, case.seen_ids)))
    assert (np.diff(curve.unseen) >= 0).all()
    assert (np.diff(curve.seen) <= 0).all()


@given(cases(), st.floats(-5, 5))
def test_t1_and_ausuc_do_not_depend_on_the_offset(case, offset):
    assert (case.measure(offset).t1, case.measure(offset).ausuc) == (case.measure().t1, case.measure().ausuc)


@given(cases(), st.integers(-8, 8))
def test_subtracting_the_offset_by_hand_changes_nothing(case, quarter):
    case.scores = np.round(case.scores * 4) / 4
    by_hand = case.scores.copy()
    by_hand[:, case.seen_ids] -= quarter / 4
    assert Case(by_hand, case.labels, case.seen_ids, case.unseen_ids).measure() == case.measure(quarter / 4)


@given(cases(), st.integers(0, 2**32 - 1))
def test_order_of_rows_and_names_of_classes_do_not_matter(case, seed):
    rng = np.random.default_rng(seed)
    case.scores = rng.normal(size=case.scores.shape)  # renaming decides ties differently, so none here
    rows, names = rng.permutation(len(case.labels)), rng.permutation(case.scores.shape[1])
    renamed_scores = np.empty_like(case.scores)
    renamed_scores[:, names] = case.scores
    renamed = Case(renamed_scores[rows], names[case.labels][rows], names[case.seen_ids], names[case.unseen_ids])
    for name, value in case.measure(0.3).as_dict().items():
        assert renamed.measure(0.3).as_dict()[name] == pytest.approx(value, abs=1e-12)


@given(cases())
def test_scores_of_seen_classes_leave_t1_alone(case):
    t1 = case.measure().t1
    case.scores[:, case.seen_ids] = np.random.default_rng(0).normal(size=(len(case.labels), len(case.seen_ids)))
    assert case.measure().t1 == pytest.approx(t1, abs=1e-12)


def test_small_blocks_give_the_same_as_one(monkeypatch):
    rng = np.random.default_rng(0)
    case = Case(rng.normal(size=(50, 9)), np.arange(50) % 9, np.arange(6), np.arange(6, 9))
    whole = case.measure()
    monkeypatch.setattr("zslearn.evaluation.metrics._BLOCK_CELLS", 20)
    assert case.measure() == whole


def test_ties_go_to_the_smallest_id_and_to_the_seen_side():
    scores = np.zeros((1, 4))
    seen_ids, unseen_ids = np.array([1, 3]), np.array([0, 2])
    assert predict(scores, seen_ids=seen_ids, unseen_ids=unseen_ids)[0] == 1
    just_above = np.nextafter(0.0, 1.0)
    assert predict(scores, seen_ids=seen_ids, unseen_ids=unseen_ids, offset=just_above)[0] == 0


def test_perfect_scores_reach_one_everywhere():
    labels = np.repeat(np.arange(7), 3)
    case = Case(np.eye(7)[labels], labels, np.arange(4), np.arange(4, 7))
    assert case.measure().as_dict() == pytest.approx(dict.fromkeys(("t1", "u", "s", "h", "ausuc"), 1.0))
    assert max(case.measure().as_dict().values()) <= 1.0


@pytest.mark.parametrize(("u", "s", "h"), [(0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.5, 0.5, 0.5), (0.25, 0.75, 0.375)])
def test_harmonic_mean(u, s, h):
    assert harmonic_mean(u, s) == h


def test_per_class_accuracy_has_nan_for_a_class_without_rows():
    found = per_class_accuracy(np.array([0, 0, 2]), np.array([0, 1, 2]), np.array([2, 0, 5]))
    np.testing.assert_array_equal(found, [1.0, 0.5, np.nan])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1))
def test_confusion_counts_pairs(pairs):
    labels, answers = np.array(pairs, dtype=np.int64).T
    counts = confusion(labels, answers, 5)
    assert counts.shape == (5, 5)
    assert all(counts[t, a] == pairs.count((t, a)) for t in range(5) for a in range(5))


def test_seen_unseen_confusion_is_a_share_of_rows():
    found = seen_unseen_confusion(
        np.array([0, 0, 1, 2, 3]),
        np.array([0, 2, 1, 1, 3]),
        seen_ids=np.array([0, 1]),
        unseen_ids=np.array([2, 3]),
    )
    assert (found.unseen_as_seen, found.seen_as_unseen) == (0.5, pytest.approx(1 / 3))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused_with_their_row(bad):
    scores = np.zeros((3, 4))
    scores[2, 1] = bad
    with pytest.raises(DataError, match=r"scores are not usable .*received (nan|inf) in row 2"):
        evaluate_scores(scores, np.array([0, 1, 2]), seen_ids=np.array([0, 1]), unseen_ids=np.array([2, 3]))


def test_a_log_probability_of_zero_is_allowed():
    scores = np.array([[0.0, -np.inf, -1.0], [-np.inf, -1.0, 0.0]])
    measured = evaluate_scores(scores, np.array([0, 2]), seen_ids=np.array([0, 1]), unseen_ids=np.array([2]))
    assert measured.h == 1.0


@pytest.mark.parametrize(
    ("labels", "seen_ids", "unseen_ids", "message"),
    [
        ([0, 2], [0], [1], "a label is neither seen nor unseen"),
        ([0, 0], [0], [1, 2], "received 2 of seen and 0 of unseen"),
        ([1, 2], [0], [1, 2], "received 0 of seen and 2 of unseen"),
        ([0, 1], [], [0, 1], "no class to choose from"),
        ([0, 1], [0, 3], [1], r"a class has no column of scores .*\[0, 3\)"),
    ],
)
def test_impossible_measurements_say_why(labels, seen_ids, unseen_ids, message):
    seen_ids, unseen_ids = np.array(seen_ids, dtype=np.int64), np.array(unseen_ids, dtype=np.int64)
    with pytest.raises(DataError, match=message):
        evaluate_scores(np.zeros((2, 3)), np.array(labels), seen_ids=seen_ids, unseen_ids=unseen_ids)


def test_an_offset_that_is_not_a_number_is_refused():
    with pytest.raises(DataError, match="the offset is not a number"):
        Case(np.zeros((2, 2)), np.array([0, 1]), np.array([0]), np.array([1])).measure(float("nan"))


@given(cases(), st.integers(2, 12))
def test_a_thinned_curve_keeps_both_ends_and_only_points_of_the_whole(case, n_points):
    whole = case.curve()
    thin = whole.thinned(n_points)
    assert len(thin.offsets) <= n_points
    kept = np.searchsorted(whole.offsets, thin.offsets)
    assert kept[0] == 0 or len(whole.offsets) <= n_points
    assert kept[-1] == len(whole.offsets) - 1
    for name in ("offsets", "unseen", "seen"):
        np.testing.assert_array_equal(getattr(thin, name), getattr(whole, name)[kept])


def test_a_thinned_curve_has_nearly_the_same_area():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 300)
    scores = rng.normal(size=(3000, 10)) + 2 * np.eye(10)[labels]
    whole = seen_unseen_curve(scores, labels, seen_ids=np.arange(7), unseen_ids=np.arange(7, 10))
    assert len(whole.offsets) > 2500
    assert whole.thinned(200).area == pytest.approx(whole.area, abs=1e-3)


def test_one_side_alone_is_measured_as_far_as_it_goes():
    scores = np.array([[3.0, 1.0, 2.0, 0.0], [0.0, 3.0, 0.0, 2.5], [1.0, 0.0, 2.0, 3.0], [2.0, 0.0, 1.0, 0.5]])
    sides = {"seen_ids": np.array([0, 1]), "unseen_ids": np.array([2, 3])}
    seen = one_sided_metrics(scores[:2], np.array([0, 1]), **sides, offset=1.0)
    assert seen.s == 0.5
    assert all(np.isnan(value) for value in (seen.t1, seen.u, seen.h, seen.ausuc))
    unseen = one_sided_metrics(scores[2:], np.array([3, 2]), **sides)
    assert (unseen.t1, unseen.u) == (1.0, 0.5)
    assert unseen.as_dict() == {"t1": 1.0, "u": 0.5, "s": None, "h": None, "ausuc": None}
    nothing = one_sided_metrics(scores[:0], np.zeros(0, dtype=np.int64), **sides)
    assert set(nothing.as_dict().values()) == {None}


@given(cases())
def test_one_side_agrees_with_the_curve_of_both(case):
    whole = case.measure(offset=0.25)
    sides = {"seen_ids": case.seen_ids, "unseen_ids": case.unseen_ids, "offset": 0.25}
    is_seen = np.isin(case.labels, case.seen_ids)
    seen = one_sided_metrics(case.scores[is_seen], case.labels[is_seen], **sides)
    unseen = one_sided_metrics(case.scores[~is_seen], case.labels[~is_seen], **sides)
    assert seen.s == pytest.approx(whole.s)
    assert (unseen.u, unseen.t1) == pytest.approx((whole.u, whole.t1))


def test_confusion_of_a_side_without_rows_is_unknown():
    found = seen_unseen_confusion(
        np.array([0, 0]), np.array([0, 2]), seen_ids=np.array([0, 1]), unseen_ids=np.array([2])
    )
    assert found.as_dict() == {"unseen_as_seen": None, "seen_as_unseen": 0.5}


def test_every_metric_has_its_title():
    assert list(METRIC_TITLES) == [field.name for field in fields(Metrics)]
