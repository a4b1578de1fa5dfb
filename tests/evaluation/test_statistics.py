import numpy as np
import pytest

from zslearn.errors import DataError
from zslearn.evaluation.statistics import paired_gain


def test_the_gain_is_paired():
    rng = np.random.default_rng(0)
    units = 10 * rng.normal(size=20)
    gain = paired_gain(units + 1 + 0.1 * rng.normal(size=20), units)
    assert gain.mean == pytest.approx(1, abs=0.1)
    assert 0.9 < gain.lower < gain.mean < gain.upper < 1.1
    assert gain.clear


def test_no_difference_is_not_clear():
    values = np.random.default_rng(1).normal(size=(2, 30))
    assert not paired_gain(values[0], values[1]).clear
    same = paired_gain(values[0], values[0])
    assert (same.lower, same.upper, same.clear) == (0.0, 0.0, False)


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(2)
    gains = [paired_gain(rng.normal(0.3, 1, size=40), np.zeros(40), n_resamples=500) for _ in range(300)]
    covered = np.mean([gain.lower <= 0.3 <= gain.upper for gain in gains])
    assert 0.89 <= covered <= 0.98


def test_what_cannot_be_paired_is_refused():
    with pytest.raises(DataError, match="expected as many values in both, at least one; received 2 and 3"):
        paired_gain(np.zeros(2), np.zeros(3))
    with pytest.raises(DataError, match="received 0 and 0"):
        paired_gain(np.zeros(0), np.zeros(0))
