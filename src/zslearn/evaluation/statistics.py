"""Is a difference more than chance? Means with intervals, paired tests, and what many comparisons cost.

Units are whatever was measured alike in both arms: seeds, class splits, or both. Seeds of one class split share its
classes; where the question is about new classes, give the splits as blocks, and each split counts once.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.special import stdtrit

from zslearn.errors import DataError
from zslearn.shapes import Points

LEVEL = 0.95
"""Coverage of intervals; a test is significant where its p is at most 1 minus this."""
_N_RESAMPLES = 10_000
_EXACT_UNITS = 13
"""Up to so many units every assignment of signs is looked at; 2^13 are fewer than the draws beyond."""
_SAME = 1e-12
"""Means closer than this differ by rounding only."""

Verdict = Literal["better", "worse", "no difference seen"]


@dataclass(frozen=True)
class Summary:
    """A mean over units with its spread and its percentile bootstrap interval."""

    mean: float
    """The mean, in the unit of the values."""
    sd: float
    """The sample standard deviation; 0 for a single value."""
    lower: float
    """Lower end of the interval of the mean, in the unit of the values."""
    upper: float
    """Upper end of the interval of the mean, in the unit of the values."""
    n: int
    """How many values."""


@dataclass(frozen=True)
class PairedGain:
    """The mean of paired differences with a percentile bootstrap interval."""

    mean: float
    """The mean difference, in the unit of the values."""
    lower: float
    """Lower end of the interval, in the unit of the values."""
    upper: float
    """Upper end of the interval, in the unit of the values."""
    n_pairs: int
    """How many pairs."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One arm against another over the units that both have."""

    name: str
    """What is compared."""
    against: str
    """With what."""
    gain: PairedGain
    """Its mean paired difference; above 0 it is better."""
    p: float
    """Two-sided p of the sign-flip permutation test, in (0, 1]."""
    p_adjusted: float
    """The same, corrected after Holm for all comparisons that were made together, in (0, 1]."""
    smallest_p: float
    """The smallest p that so many units can give, in (0, 1]."""
    n_comparisons: int
    """How many were made together."""

    @property
    def verdict(self) -> Verdict:
        """``better`` or ``worse`` where the corrected p allows it; otherwise that no difference was seen."""
        if self.p_adjusted > 1.0 - LEVEL + _SAME:
            return "no difference seen"
        return "better" if self.gain.mean > 0 else "worse"

    @property
    def powerless(self) -> bool:
        """Whether no difference was seen because so few units cannot show any in so many comparisons.

        Beside others that are clearer still, Holm's correction may let even few units show one.
        """
        unseen = self.verdict == "no difference seen"
        return unseen and self.smallest_p * self.n_comparisons > 1.0 - LEVEL + _SAME

    @property
    def words(self) -> str:
        """The verdict as a clause, with the reason where the units cannot show any difference."""
        joined = "from" if self.verdict == "no difference seen" else "than"
        return f"{self.verdict} {joined} {self.against}{self._reason}"

    @property
    def judgement(self) -> str:
        """The same without the name of what it is compared with."""
        return f"{self.verdict}{self._reason}"

    @property
    def _reason(self) -> str:
        if self.powerless:
            among = f" in {self.n_comparisons} comparisons" if self.n_comparisons > 1 else ""
            return f": {self.gain.n_pairs} pairs cannot show one{among}"
        return f" (p {self.p_adjusted:.2g})"

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison ready for JSON."""
        return {
            "name": self.name,
            "against": self.against,
            "gain": self.gain.mean,
            "lower": self.gain.lower,
            "upper": self.gain.upper,
            "n_pairs": self.gain.n_pairs,
            "p": self.p,
            "p_adjusted": self.p_adjusted,
            "verdict": self.verdict,
            "words": self.words,
        }


def summarise(
    values: Points,
    *,
    blocks: Sequence[object] | None = None,
    level: float = LEVEL,
    n_resamples: int = _N_RESAMPLES,
    seed: int = 0,
) -> Summary:
    """Sum up values of several units.

    Args:
        values: One value per unit, at least one.
        blocks: Which block each unit belongs to, as for ``compare``; mean and interval are then those of the blocks'
            means.
        level: Coverage of the interval, in (0, 1).
        n_resamples: How often the units are drawn anew, with replacement.
        seed: Same seed, same interval.

    Raises:
        DataError: If there is no value.
    """
    if not len(values):
        raise DataError(
            "there is nothing to sum up", expected="at least one value", remedy="Give the values of at least one run."
        )
    drawn = values if blocks is None else _block_means(values, blocks)
    lower, upper = _bootstrap(drawn, level, n_resamples, seed)
    return Summary(
        mean=float(drawn.mean()),
        sd=float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        lower=lower,
        upper=upper,
        n=len(values),
    )


def paired_gain(
    with_part: Points, without_part: Points, *, level: float = LEVEL, n_resamples: int = _N_RESAMPLES, seed: int = 0
) -> PairedGain:
    """Compare two arms over the same units (such as seeds and class splits).

    Args:
        with_part: One value per unit.
        without_part: The value of the same units without the part.
        level: Coverage of the interval, in (0, 1).
        n_resamples: How often the units are drawn anew, with replacement.
        seed: Same seed, same interval.

    Raises:
        DataError: If the arms differ in length or hold no pair.
    """
    if len(with_part) != len(without_part) or not len(with_part):
        raise DataError(
            "the arms cannot be paired",
            expected="as many values in both, at least one",
            received=f"{len(with_part)} and {len(without_part)}",
            remedy="Give both arms the same splits and seeds.",
        )
    differences = with_part - without_part
    lower, upper = _bootstrap(differences, level, n_resamples, seed)
    return PairedGain(float(differences.mean()), lower, upper, len(differences))


def t_interval(values: Points, *, level: float = LEVEL) -> tuple[float, float]:
    """Return Student's interval of the mean of a few values.

    Of five values of one sign a percentile bootstrap always leaves out 0; this one does so where they lie close
    together. It takes them for draws of a normal distribution.

    Args:
        values: One per unit, at least two.
        level: Coverage of the interval, in (0, 1).

    Raises:
        DataError: If there are fewer than two values.

    >>> [round(end, 2) for end in t_interval(np.array([1.0, 2.0, 3.0]))]
    [-0.48, 4.48]
    """
    if len(values) < 2:
        raise DataError(
            "an interval needs more values",
            expected="at least two",
            received=str(len(values)),
            remedy="Give the values of more runs.",
        )
    reach = stdtrit(len(values) - 1, (1 + level) / 2) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - reach), float(values.mean() + reach)


def sign_flip_p(differences: Points, *, n_draws: int = _N_RESAMPLES, seed: int = 0) -> float:
    """Test whether paired differences are centred on 0, by flipping their signs.

    Without a difference between the arms each sign is as likely as its opposite. The p is the share of assignments
    of signs whose mean lies at least as far from 0 as the observed one: of all of them for up to 13 differences,
    beyond that of random ones, the observed one counted in.

    Args:
        differences: One per unit, at least one.
        n_draws: Random assignments beyond 13 differences.
        seed: Same seed, same p.

    Returns:
        The two-sided p, in (0, 1].

    Raises:
        DataError: If there is no difference.

    >>> sign_flip_p(np.array([1.0, 2.0, 3.0]))
    0.25
    """
    if not len(differences):
        raise DataError(
            "there is nothing to test",
            expected="at least one difference",
            remedy="Give the differences of at least one pair.",
        )
    observed = abs(differences.mean())
    if len(differences) <= _EXACT_UNITS:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=len(differences))))
        return float((np.abs(signs @ differences) / len(differences) >= observed - _SAME).mean())
    signs = np.random.default_rng(seed).choice((1.0, -1.0), size=(n_draws, len(differences)))
    as_far = np.abs(signs @ differences) / len(differences) >= observed - _SAME
    return float((as_far.sum() + 1) / (n_draws + 1))


def holm(p_values: Points) -> Points:
    """Correct p values for the number of tests made together (Holm, 1979).

    The chance of even one false alarm among all of them stays below the level.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * factors))
    return adjusted


def compare(
    name: str, against: str, ours: Points, theirs: Points, *, blocks: Sequence[object] | None = None
) -> Comparison:
    """Compare two arms over the same units; nothing is corrected for yet.

    Args:
        name: What the first arm is called.
        against: What the second arm is called.
        ours: One value per unit.
        theirs: The values of the same units in the other arm.
        blocks: Which block each unit belongs to, such as its class split. Differences are averaged within blocks
            first, so that only blocks count.

    Raises:
        DataError: If the arms cannot be paired.
    """
    if blocks is not None and len(ours) == len(theirs) == len(blocks):
        ours, theirs = _block_means(ours, blocks), _block_means(theirs, blocks)
    gain = paired_gain(ours, theirs)
    p = sign_flip_p(ours - theirs)
    return Comparison(
        name=name,
        against=against,
        gain=gain,
        p=p,
        p_adjusted=p,
        smallest_p=2.0 ** (1 - min(gain.n_pairs, 1000)),
        n_comparisons=1,
    )


def holm_corrected(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Correct comparisons that are made together, after Holm."""
    adjusted = holm(np.array([each.p for each in comparisons]))
    return tuple(
        replace(each, p_adjusted=float(p), n_comparisons=len(comparisons))
        for each, p in zip(comparisons, adjusted, strict=True)
    )


def common_units(arms: Mapping[str, Mapping[Any, float]]) -> tuple[Any, ...]:
    """Return the sorted units that every arm has a value of."""
    units = [set(values) for values in arms.values()]
    return tuple(sorted(set.intersection(*units))) if units else ()


def several_splits(units: Sequence[tuple[str, int]]) -> list[str] | None:
    """Return the class split of each unit of split and seed as blocks, where there are several splits."""
    splits = [split for split, _ in units]
    return splits if len(set(splits)) > 1 else None


def _bootstrap(values: Points, level: float, n_resamples: int, seed: int) -> tuple[float, float]:
    drawn = np.random.default_rng(seed).integers(len(values), size=(n_resamples, len(values)))
    lower, upper = np.quantile(values[drawn].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)


def _block_means(values: Points, blocks: Sequence[object]) -> Points:
    names = list(dict.fromkeys(blocks))
    ranks = np.array([names.index(block) for block in blocks])
    return np.bincount(ranks, weights=values) / np.bincount(ranks)
