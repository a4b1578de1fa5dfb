"""Is a difference more than chance? Paired differences and their bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zslearn.errors import DataError
from zslearn.shapes import Points


@dataclass(frozen=True)
class PairedGain:
    """The mean of paired differences with a percentile bootstrap interval."""

    mean: float
    """The mean difference, in the unit of the values."""
    lower: float
    """Lower end of the interval."""
    upper: float
    """Upper end of the interval."""
    n_pairs: int
    """How many pairs."""

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.lower > 0 or self.upper < 0


def paired_gain(
    with_part: Points, without_part: Points, *, level: float = 0.95, n_resamples: int = 10_000, seed: int = 0
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
        )
    differences = with_part - without_part
    drawn = np.random.default_rng(seed).integers(len(differences), size=(n_resamples, len(differences)))
    lower, upper = np.quantile(differences[drawn].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return PairedGain(float(differences.mean()), float(lower), float(upper), len(differences))
