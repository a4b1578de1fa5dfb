"""The label-shift correction is the exact maximiser, and the temperature the right one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zslearn.classifiers.calibration import FoldScores, choose_candidate, choose_offset, correct, fit_temperature
from zslearn.errors import DataError
from zslearn.evaluation.metrics import evaluate_scores


def fold(seed, *, bias=1.0, n_rows=30, n_classes=6, grain=None):
    """Make scores that know the label a little and favour seen classes by `bias`."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n_rows) % n_classes
    scores = rng.normal(size=(n_rows, n_classes)) + 1.5 * np.eye(n_classes)[labels]
    scores[:, : n_classes - 2] += bias
    if grain:
        scores = np.round(scores / grain) * grain
    return FoldScores(
        scores=scores,
        labels=labels,
        seen_ids=np.arange(n_classes - 2),
        unseen_ids=np.arange(n_classes - 2, n_classes),
    )


def offset_of(folds):
    return choose_offset([f.curve() for f in folds])


def mean_h(folds, offset):
    return np.mean(
        [
            evaluate_scores(f.scores, f.labels, seen_ids=f.seen_ids, unseen_ids=f.unseen_ids, offset=offset).h
            for f in folds
        ]
    )


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(1, 3), st.sampled_from([None, 0.5]))
def test_no_offset_of_a_dense_grid_is_better(seed, n_folds, grain):
    folds = [fold(seed + i, grain=grain, n_rows=18) for i in range(n_folds)]
    choice = offset_of(folds)
    assert mean_h(folds, choice.offset) == pytest.approx(choice.h, abs=1e-12)
    assert choice.h_uncorrected == pytest.approx(mean_h(folds, 0.0), abs=1e-12)
    assert max(mean_h(folds, offset) for offset in np.linspace(-6, 8, 100)) <= choice.h + 1e-12


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_offset_is_the_middle_of_an_interval_that_is_constant_and_cannot_grow(seed):
    folds = [fold(seed), fold(seed + 1)]
    choice = offset_of(folds)
    assert choice.offset == pytest.approx((choice.lower + choice.upper) / 2)
    assert choice.lower < choice.offset <= choice.upper
    for inside in (np.nextafter(choice.lower, np.inf), choice.upper):
        assert mean_h(folds, inside) == pytest.approx(choice.h, abs=1e-12)
    for outside in (choice.lower, np.nextafter(choice.upper, np.inf)):
        assert mean_h(folds, outside) < choice.h - 1e-9


def test_the_widest_of_several_best_intervals_is_taken():
    # Gaps: seen rows at 0, 2, 5 (class 0), unseen rows at 1, 4 (class 1); U S is equal on (1, 2] and (4, 5].
    gaps = np.array([0.0, 1.0, 2.0, 4.0, 5.0])
    labels = np.array([0, 1, 0, 1, 0])
    one = FoldScores(
        scores=np.stack([gaps, np.zeros(5)], axis=1),
        labels=labels,
        seen_ids=np.array([0]),
        unseen_ids=np.array([1]),
    )
    # u, s: (1, 2] 1/2, 2/3; (4, 5] 1, 1/3. H: .571, .5.
    assert (offset_of([one]).lower, offset_of([one]).upper) == (1.0, 2.0)
    tied = FoldScores(
        scores=np.stack([np.array([0.0, 1.0, 3.0, 4.0]), np.zeros(4)], axis=1),
        labels=np.array([1, 0, 1, 0]),
        seen_ids=np.array([0]),
        unseen_ids=np.array([1]),
    )
    # u, s: (0, 1] 1/2, 1; (1, 3] 1/2, 1/2; (3, 4] 1, 1/2. The first and the last tie: the first.
    assert offset_of([tied]).offset == 0.5
    wider = FoldScores(
        scores=np.stack([np.array([0.0, 1.0, 3.0, 9.0]), np.zeros(4)], axis=1),
        labels=tied.labels,
        seen_ids=tied.seen_ids,
        unseen_ids=tied.unseen_ids,
    )
    assert offset_of([wider]).offset == 6.0


def test_a_hopeless_rehearsal_leaves_scores_alone():
    hopeless = FoldScores(
        scores=np.array([[0.0, 1.0, 5.0], [1.0, 0.0, 3.0]]),
        labels=np.array([0, 2]),
        seen_ids=np.array([0, 1]),
        unseen_ids=np.array([2]),
    )
    choice = offset_of([hopeless])
    assert (choice.offset, choice.h, choice.h_uncorrected) == (0.0, 0.0, 0.0)
    assert (choice.lower, choice.upper) == (-np.inf, np.inf)


@given(st.integers(0, 10**6), st.sampled_from([-4.0, 0.25, 2.0]))
@settings(max_examples=20)
def test_shifting_seen_scores_shifts_the_offset_as_much(seed, shift):
    folds = [fold(seed, grain=0.125)]
    moved = [
        FoldScores(
            scores=correct(f.scores, f.seen_ids, -shift),
            labels=f.labels,
            seen_ids=f.seen_ids,
            unseen_ids=f.unseen_ids,
        )
        for f in folds
    ]
    assert offset_of(moved).offset == pytest.approx(offset_of(folds).offset + shift, abs=1e-9)
    assert offset_of(moved).h == offset_of(folds).h


def test_the_candidate_of_the_best_mean_area_is_chosen_and_corrected():
    worse = [fold(seed) for seed in range(3)]
    better = [replace(f, scores=f.scores + 2.0 * np.eye(6)[f.labels]) for f in worse]
    choice = choose_candidate([[f.curve() for f in folds] for folds in (worse, better, better)])
    assert choice.chosen == 1
    assert choice.ausuc[0] < choice.ausuc[1] == choice.ausuc[2]
    assert choice.offset == offset_of(better).offset
    for offset, found in ((0.0, choice.uncorrected), (choice.offset, choice.corrected)):
        assert found == tuple(
            evaluate_scores(f.scores, f.labels, seen_ids=f.seen_ids, unseen_ids=f.unseen_ids, offset=offset)
            for f in better
        )


def test_correct_changes_seen_columns_of_a_copy():
    scores = np.ones((2, 3), dtype=np.float32)
    corrected = correct(scores, np.array([0, 2]), 0.25)
    np.testing.assert_array_equal(corrected, [[0.75, 1.0, 0.75]] * 2)
    np.testing.assert_array_equal(scores, np.ones((2, 3)))


def loop_loss(folds, offset, temperature):
    means = []
    for f in folds:
        losses = []
        for row, label in zip(correct(f.scores, f.seen_ids, offset), f.labels, strict=True):
            powers = np.exp((row - row.max()) / temperature)
            losses.append(-np.log(powers[label] / powers.sum()))
        means.append(np.mean(losses))
    return np.mean(means)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 500.0])
def test_temperature_minimises_the_loss_at_any_scale_of_scores(scale):
    folds = [
        FoldScores(scores=scale * f.scores, labels=f.labels, seen_ids=f.seen_ids, unseen_ids=f.unseen_ids)
        for f in (fold(0, n_rows=60), fold(1))
    ]
    found = fit_temperature(folds, offset=scale).temperature
    losses = [loop_loss(folds, scale, scale * t) for t in np.geomspace(0.05, 20, 300)]
    assert loop_loss(folds, scale, found) <= min(losses) + 1e-6


def test_temperature_recovers_the_one_that_made_the_labels():
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(20_000, 5)) * 2
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    true = FoldScores(scores=7 * logits, labels=labels, seen_ids=np.arange(3), unseen_ids=np.arange(3, 5))
    fitted = fit_temperature([true])
    assert fitted.temperature == pytest.approx(7, rel=0.03)
    assert fitted.calibration_error < 0.015


def test_a_coin_that_is_sure_of_itself_is_made_honest():
    # Two classes, always surely class 0, right half of the time.
    labels = np.tile([0, 1], 150)
    coin = FoldScores(
        scores=np.tile([1.0, 0.0], (300, 1)), labels=labels, seen_ids=np.array([0]), unseen_ids=np.array([1])
    )
    assert fit_temperature([coin]).calibration_error < 0.001


def test_calibration_error_compares_confidence_with_accuracy():
    # Equal scores of three classes: confidence 1/3, and class 0 is right in half of the rows of every bin.
    labels = np.tile([0, 1], 60)
    flat = FoldScores(scores=np.zeros((120, 3)), labels=labels, seen_ids=np.array([0]), unseen_ids=np.array([1, 2]))
    fitted = fit_temperature([flat])
    assert fitted.temperature == 1.0
    assert fitted.calibration_error == pytest.approx(1 / 6)


@pytest.mark.parametrize("choose", [choose_offset, fit_temperature])
def test_nothing_is_chosen_without_a_fold(choose):
    with pytest.raises(DataError, match="no rehearsal to choose from"):
        choose([])


def test_temperature_refuses_scores_that_are_not_finite():
    broken = fold(0)
    broken.scores[0, 0] = np.nan
    with pytest.raises(DataError, match="scores are not usable for a temperature"):
        fit_temperature([broken])
