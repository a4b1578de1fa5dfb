"""Ridge regression from features to centred semantics, scored by cosine.

Class ``c`` scores ``cos(W'(x - mean x) + mean b, b_c)`` with ``b_c = normalise(a_c - mean of a)``.

Source of the regression: A. E. Hoerl, R. W. Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems",
Technometrics 12 (1970), equation 2.1.

Differs from the source: the intercept is not penalised, the targets are unit vectors shared by all rows of a class, and
what is read off is the class of the nearest of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, final

from zslearn.configuration import Range
from zslearn.data.dataset import TrainingView
from zslearn.models.closed_form import Arrays, CentredClosedForm, FittedLinear
from zslearn.models.moments import TrainingMoments


@final
@dataclass(frozen=True, kw_only=True)
class RidgeCosine(CentredClosedForm):
    """Settings of ridge regression scored by cosine."""

    ridge: Annotated[float, Range(0, low_open=True)] = 0.3
    """In units of the mean variance of a feature summed over rows."""

    def fit(self, view: TrainingView) -> FittedLinear:
        """Solve it on the training rows and the semantics of every class."""
        moments = TrainingMoments.of(view)
        space = self.semantic_space(view)
        table = space.transform(view.semantics)
        seen = table[moments.class_ids]
        target_mean = moments.counts @ seen / moments.counts.sum()
        targets = (moments.class_means * moments.counts[:, None]).T @ (seen - target_mean)
        weights = moments.solve_ridge(self.ridge, targets, centred=True)
        return FittedLinear(
            weights=weights,
            intercept=target_mean - moments.mean @ weights,
            class_table=table,
            space=space,
            normalised=True,
        )

    def restore(self, arrays: Arrays) -> FittedLinear:
        """Rebuild what ``fit`` returned from its ``arrays``."""
        return FittedLinear.restore(arrays, normalised=True)

    @classmethod
    def grid(cls) -> tuple[RidgeCosine, ...]:
        """Return six ridges."""
        return tuple(cls(ridge=ridge) for ridge in (0.03, 0.1, 0.3, 1.0, 3.0, 10.0))
