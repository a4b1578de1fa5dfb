"""SAE: a linear autoencoder whose code is the semantics.

Source: E. Kodirov, T. Xiang, S. Gong, "Semantic Autoencoder for Zero-Shot Learning", CVPR 2017. One matrix ``W``
encodes features and its transpose decodes semantics: ``min |X - W'S|^2 + balance |W X - S|^2`` over training samples
(columns of ``X``) and the semantics of their classes (columns of ``S``), which the Sylvester equation
``S S' W + balance W X X' = (1 + balance) S X'`` solves.

Differs from the source: features are divided by their root mean square length and semantics brought to unit length, so
that one balance serves data of any scale; the equation is solved in the principal axes of its two sides, of which the
longer is shared by all balances.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Annotated, Literal, final

import numpy as np
from jaxtyping import Float

from zslearn.configuration import Range
from zslearn.data.dataset import TrainingView
from zslearn.models.closed_form import Arrays, ClosedForm, FittedLinear, FittedMatching
from zslearn.models.moments import TrainingMoments
from zslearn.spaces import SemanticSpace

Direction = Literal["encode", "decode"]
_SMALLEST_SHARE = 1e-12


@final
@dataclass(frozen=True, kw_only=True)
class SAE(ClosedForm):
    """Settings of the semantic autoencoder."""

    balance: Annotated[float, Range(0, low_open=True)] = 1.0
    """Weight of encoding beside decoding, for features and semantics of mean square length 1."""
    direction: Direction = "encode"
    """Where classes are compared by cosine: among semantics with encoded features, or among features with decoded
    semantics."""

    def fit(self, view: TrainingView) -> FittedLinear | FittedMatching:
        """Solve it on the training rows and the semantics of their classes."""
        moments = TrainingMoments.of(view)
        space = SemanticSpace.fit(view.semantics, centring=False)
        table = space.transform(view.semantics)
        seen = table[moments.class_ids]
        strengths, axes = moments.axes
        scale = strengths.sum()
        sums = (moments.class_means + moments.mean) * moments.counts[:, None]
        encoder = solve_symmetric_sylvester(
            (seen * moments.counts[:, None]).T @ seen / moments.counts.sum(),
            (self.balance * strengths / scale, axes),
            (1.0 + self.balance) * (seen.T @ sums) / np.sqrt(scale * moments.counts.sum()),
        )
        if self.direction == "decode":
            decoding = SemanticSpace(centre=space.centre, projection=encoder)
            return FittedMatching(class_table=decoding.transform(view.semantics), space=decoding)
        return FittedLinear(
            weights=encoder.T, intercept=np.zeros(len(encoder)), class_table=table, space=space, normalised=True
        )

    def restore(self, arrays: Arrays) -> FittedLinear | FittedMatching:
        """Rebuild what ``fit`` returned from its ``arrays``."""
        if self.direction == "decode":
            return FittedMatching.restore(arrays)
        return FittedLinear.restore(arrays, normalised=True)

    @classmethod
    def grid(cls) -> tuple[SAE, ...]:
        """Return five balances in both directions."""
        directions: tuple[Direction, ...] = ("encode", "decode")
        settings = itertools.product((0.01, 0.1, 1.0, 10.0, 100.0), directions)
        return tuple(cls(balance=balance, direction=direction) for balance, direction in settings)


def solve_symmetric_sylvester(
    left: Float[np.ndarray, "semantic_dim semantic_dim"],
    right: tuple[Float[np.ndarray, " feature_dim"], Float[np.ndarray, "feature_dim feature_dim"]],
    target: Float[np.ndarray, "semantic_dim feature_dim"],
) -> Float[np.ndarray, "semantic_dim feature_dim"]:
    """Solve ``left W + W right = target`` for ``W``, both sides symmetric with no negative eigenvalue.

    Where an eigenvalue of the left and one of the right are both 0, the target has no share in a solvable equation and
    ``W`` gets none: of all solutions it is the shortest.

    Args:
        left: The left matrix.
        right: The eigenvalues of the right matrix, and its axes as columns.
        target: The right-hand side.
    """
    left_strengths, left_axes = np.linalg.eigh(left)
    right_strengths, right_axes = right
    sums = np.maximum(left_strengths, 0.0)[:, None] + np.maximum(right_strengths, 0.0)
    usable = sums > _SMALLEST_SHARE * sums.max()
    rotated = np.where(usable, left_axes.T @ target @ right_axes, 0.0) / np.where(usable, sums, 1.0)
    return np.asarray(left_axes @ rotated @ right_axes.T)
