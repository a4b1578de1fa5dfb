"""ESZSL: embarrassingly simple zero-shot learning, a bilinear map fitted by squared error with two ridges.

Source: B. Romera-Paredes, P. H. S. Torr, "An embarrassingly simple approach to zero-shot learning", ICML 2015,
equation 6: ``V = (X'X + g I)^-1 X'Y S (S'S + l I)^-1`` with targets ``Y`` of 1 and -1; class ``c`` scores ``x' V a_c``.

Differs from the source: semantics are brought to unit length, as given and not centred; the ridge on features is
relative to their scale.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Annotated, final

import numpy as np

from zslearn.configuration import Range
from zslearn.data.dataset import TrainingView
from zslearn.models.closed_form import Arrays, ClosedForm, FittedLinear
from zslearn.models.moments import TrainingMoments
from zslearn.spaces import SemanticSpace


@final
@dataclass(frozen=True, kw_only=True)
class ESZSL(ClosedForm):
    """Settings of ESZSL."""

    feature_ridge: Annotated[float, Range(0, low_open=True)] = 0.3
    """Ridge on features, in units of the mean variance of a feature summed over rows."""
    semantic_ridge: Annotated[float, Range(0, low_open=True)] = 0.01
    """Ridge on semantics of unit length."""

    def fit(self, view: TrainingView) -> FittedLinear:
        """Solve it on the training rows and the semantics of every class."""
        moments = TrainingMoments.of(view)
        space = SemanticSpace.fit(view.semantics, centring=False)
        table = space.transform(view.semantics)
        seen = table[moments.class_ids]
        sums = (moments.class_means + moments.mean) * moments.counts[:, None]
        targets = 2 * sums.T - sums.sum(axis=0)[:, None]
        # S (S'S + l I)^-1 = (SS' + l I)^-1 S, which is as small as the number of seen classes.
        semantic_gram = seen @ seen.T + self.semantic_ridge * np.eye(len(seen))
        by_class = moments.solve_ridge(self.feature_ridge, targets, centred=False)
        return FittedLinear(
            weights=by_class @ np.linalg.solve(semantic_gram, seen),
            intercept=np.zeros(table.shape[1]),
            class_table=table,
            space=space,
            normalised=False,
        )

    def restore(self, arrays: Arrays) -> FittedLinear:
        """Rebuild what ``fit`` returned from its ``arrays``."""
        return FittedLinear.restore(arrays, normalised=False)

    @classmethod
    def grid(cls) -> tuple[ESZSL, ...]:
        """Return four ridges on features with two on semantics."""
        ridges = itertools.product((0.1, 0.3, 1.0, 3.0), (0.001, 0.01))
        return tuple(cls(feature_ridge=feature, semantic_ridge=semantic) for feature, semantic in ridges)
