import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from zslearn.errors import DataError
from zslearn.evaluation.statistics import (
    common_units,
    compare,
    holm,
    holm_corrected,
    paired_gain,
    several_splits,
    sign_flip_p,
    summarise,
    t_interval,
)


def test_the_gain_is_paired():
    rng = np.random.default_rng(0)
    units = 10 * rng.normal(size=20)
    gain = paired_gain(units + 1 + 0.1 * rng.normal(size=20), units)
    assert gain.mean == pytest.approx(1, abs=0.1)
    assert 0.9 < gain.lower < gain.mean < gain.upper < 1.1


def test_without_a_difference_the_interval_holds_0():
    values = np.random.default_rng(1).normal(size=(2, 30))
    gain = paired_gain(values[0], values[1])
    assert gain.lower < 0 < gain.upper
    same = paired_gain(values[0], values[0])
    assert (same.lower, same.upper) == (0.0, 0.0)


def test_mean_and_interval_of_blocks_are_those_of_their_means():
    values = np.array([1.0, 3.0, 4.0, 8.0, 5.0])
    of_blocks, of_means = summarise(values, blocks=[0, 0, 1, 1, 2]), summarise(np.array([2.0, 6.0, 5.0]))
    assert (of_blocks.mean, of_blocks.lower, of_blocks.upper) == (of_means.mean, of_means.lower, of_means.upper)
    assert (of_blocks.sd, of_blocks.n) == (values.std(ddof=1), 5)
    assert several_splits([("0", 1), ("1", 1), ("1", 2)]) == ["0", "1", "1"]
    assert several_splits([("official", 1), ("official", 2)]) is None


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(2)
    gains = [paired_gain(rng.normal(0.3, 1, size=40), np.zeros(40), n_resamples=500) for _ in range(300)]
    covered = np.mean([gain.lower <= 0.3 <= gain.upper for gain in gains])
    assert 0.89 <= covered <= 0.98


@pytest.mark.parametrize(("n", "level"), [(5, 0.95), (12, 0.9), (40, 0.95)])
def test_the_interval_is_scipys(n, level):
    values = np.random.default_rng(n).gamma(2.0, size=n)
    ours = paired_gain(values, np.zeros(n), level=level)
    drawn = stats.bootstrap((values,), np.mean, method="percentile", confidence_level=level, n_resamples=20_000)
    tolerance = 0.05 * values.std() / n**0.5
    assert (ours.lower, ours.upper) == pytest.approx(tuple(drawn.confidence_interval), abs=3 * tolerance)
    summary = summarise(values, level=level)
    assert (summary.lower, summary.upper) == (ours.lower, ours.upper)


@pytest.mark.parametrize(("n", "level"), [(2, 0.95), (5, 0.9)])
def test_students_interval_is_scipys(n, level):
    values = np.random.default_rng(n).normal(2, 3, size=n)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(level)
    assert t_interval(values, level=level) == pytest.approx(tuple(theirs))


def test_students_interval_of_few_values_of_one_sign_may_hold_0():
    values = np.array([0.1, 0.2, 0.3, 0.1, 4.0])
    assert paired_gain(values, np.zeros(5)).lower > 0
    lower, upper = t_interval(values)
    assert lower < 0 < upper
    with pytest.raises(DataError, match="expected at least two; received 1"):
        t_interval(values[:1])


@pytest.mark.parametrize("n", [4, 8, 11])
def test_the_exact_p_is_scipys(n):
    ours, theirs = np.random.default_rng(n).normal([0.7] * n, size=(2, n)) * [[1.0], [0.5]]

    def mean_difference(x, y, axis):
        return np.mean(x - y, axis=axis)

    expected = stats.permutation_test(
        (ours, theirs), mean_difference, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert compare("a", "b", ours, theirs).p == pytest.approx(expected.pvalue)


def test_what_cannot_be_paired_is_refused():
    with pytest.raises(DataError, match="expected as many values in both, at least one; received 2 and 3"):
        paired_gain(np.zeros(2), np.zeros(3))
    with pytest.raises(DataError, match="received 0 and 0"):
        paired_gain(np.zeros(0), np.zeros(0))


def test_a_summary_is_numpys():
    values = np.random.default_rng(3).normal(size=12)
    summary = summarise(values)
    assert (summary.mean, summary.sd, summary.n) == (values.mean(), values.std(ddof=1), 12)
    assert summary.lower < summary.mean < summary.upper
    one = summarise(np.array([0.5]))
    assert (one.mean, one.sd, one.lower, one.upper) == (0.5, 0.0, 0.5, 0.5)
    with pytest.raises(DataError, match="nothing to sum up"):
        summarise(np.zeros(0))


def signs_by_hand(differences):
    """The same p, from every assignment of signs one after the other."""
    n, observed, as_far = len(differences), abs(sum(differences)), 0
    for number in range(2**n):
        total = sum(-d if number >> i & 1 else d for i, d in enumerate(differences))
        as_far += abs(total) >= observed - 1e-9
    return as_far / 2**n


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=8))
def test_the_exact_p_is_the_one_by_hand(whole):
    differences = np.array(whole, dtype=float)
    assert sign_flip_p(differences) == pytest.approx(signs_by_hand(differences))


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=9))
def test_a_p_is_two_sided_and_no_smaller_than_it_can_be(values):
    differences = np.array(values)
    p = sign_flip_p(differences)
    assert 2.0 ** (1 - len(values)) <= p <= 1
    assert sign_flip_p(-differences) == p
    assert sign_flip_p(np.zeros(len(values))) == 1


def test_random_signs_agree_with_all_signs():
    rng = np.random.default_rng(4)
    differences = rng.normal(0.5, 1, size=14)
    exact = signs_by_hand(differences)
    assert sign_flip_p(differences, n_draws=20_000) == pytest.approx(exact, abs=0.01)
    assert sign_flip_p(np.ones(30)) == 1 / 10_001


def test_the_test_raises_a_false_alarm_as_often_as_it_says():
    rng = np.random.default_rng(5)
    alarms = np.mean([sign_flip_p(rng.normal(size=8)) <= 0.05 for _ in range(600)])
    assert 0.02 <= alarms <= 0.08


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_by_hand(values):
    p_values, adjusted = np.array(values), np.zeros(len(values))
    reached = 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=lambda i: values[i])):
        reached = max(reached, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = reached
    np.testing.assert_allclose(holm(p_values), adjusted)
    assert (holm(p_values) >= p_values).all()


def test_no_difference_seen_is_a_result_with_its_reason():
    noise = np.random.default_rng(6).normal(size=12)
    none = compare("a", "b", noise, np.zeros(12))
    assert none.verdict == "no difference seen"
    assert none.words == f"no difference seen from b (p {none.p:.2g})"
    few = compare("a", "b", np.array([1.0, 2, 3, 4]), np.zeros(4))
    assert (few.p, few.smallest_p) == (0.125, 0.125)
    assert few.words == "no difference seen from b: 4 pairs cannot show one"
    better = compare("a", "b", np.arange(1.0, 9.0), np.zeros(8))
    assert (better.verdict, better.words) == ("better", "better than b (p 0.0078)")
    assert compare("a", "b", np.zeros(8), np.arange(1.0, 9.0)).verdict == "worse"


def test_many_comparisons_together_are_harder_to_pass():
    one = compare("a", "b", np.arange(1.0, 9.0), np.zeros(8))
    together = holm_corrected([one] * 8)
    assert {each.verdict for each in together} == {"no difference seen"}
    assert together[0].p_adjusted == pytest.approx(8 / 128)
    assert together[0].words == "no difference seen from b: 8 pairs cannot show one in 8 comparisons"
    assert holm_corrected([one])[0].as_dict() == one.as_dict()
    assert holm_corrected([]) == ()


def test_a_difference_that_was_seen_has_a_p_however_few_its_units_are():
    clear = compare("a", "c", np.arange(1.0, 11.0), np.zeros(10))
    few = compare("b", "c", np.arange(1.0, 7.0), np.zeros(6))
    first, second = holm_corrected([clear, few])
    assert first.words == "better than c (p 0.0039)"
    assert (second.verdict, second.p_adjusted) == ("better", 0.03125)
    assert second.words == "better than c (p 0.031)"
    assert not second.powerless
    assert all(each.words.endswith("6 pairs cannot show one in 2 comparisons") for each in holm_corrected([few, few]))


def test_blocks_count_once():
    ours = np.array([1.0, 3.0, 2.0, 2.0, 5.0])
    blocked = compare("a", "b", ours, np.zeros(5), blocks=["x", "x", "y", "y", "z"])
    assert blocked.gain.n_pairs == 3
    assert blocked.gain.mean == pytest.approx((2 + 2 + 5) / 3)
    assert blocked.p == 0.25
    with pytest.raises(DataError, match="cannot be paired"):
        compare("a", "b", ours, np.zeros(4))


def test_units_are_those_of_all_arms():
    arms = {"a": {(0, 1): 1.0, (0, 0): 2.0}, "b": {(0, 0): 1.0, (1, 0): 1.0}}
    assert common_units(arms) == ((0, 0),)
    assert common_units({}) == ()
