"""Signs that a generator has collapsed: in what its training reported last, and in what it draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import Float

from zslearn.data.dataset import TrainingView
from zslearn.shapes import Features, Labels

if TYPE_CHECKING:
    from zslearn.estimator import GenerativeZSL

VANISHED_KL: Final = 0.01
"""Nats per sample; below, the latent says next to nothing of a sample."""
VANISHED_GAP: Final = 1e-4
"""Difference of the critic's mean scores; below, it tells nothing apart."""
VANISHED_SPREAD: Final = 0.01
"""Variance of generated samples within a class, as a share of that of real ones."""
N_CLASSES: Final = 20
N_DRAWN: Final = 32
N_REAL: Final = 100
"""Classes and samples of them that are drawn, and rows of each seen class that they are compared with."""
_KL, _GAP = "kl", "gap"


def signs_of_collapse(
    history: Sequence[Mapping[str, Any]], estimator: GenerativeZSL, view: TrainingView
) -> tuple[str, ...]:
    """Return what looks like a collapse, a sentence each; nothing where all is well.

    Args:
        history: The reports of the fit, as histories hold them; of the final training the last of each stage counts.
        estimator: The fitted estimator.
        view: What it was fitted to.
    """
    recogniser = estimator.recogniser_
    last = {each["stage"]: each["terms"] for each in history if each["part"] == each["n_parts"] - 1}
    signs = vanished_terms(last, kl_weight=getattr(recogniser.config, "kl_weight", 1.0))
    if recogniser.generates and len(view.unseen_ids):
        names = estimator.classes_[view.unseen_ids[:N_CLASSES]].tolist()
        rows = np.concatenate([np.flatnonzero(view.labels == class_id)[:N_REAL] for class_id in view.seen_ids])
        generated = np.asarray(estimator.synthesize(names, N_DRAWN))
        share = spread_share(generated, np.asarray(view.features[rows]), view.labels[rows])
        if share < VANISHED_SPREAD:
            signs = (
                *signs,
                f"generated samples of a class vary only {round(100 * share, 2):g} % as much as real ones do",
            )
    return signs


def vanished_terms(last: Mapping[str, Mapping[str, float]], *, kl_weight: float) -> tuple[str, ...]:
    """Return which terms have vanished, a sentence each.

    Args:
        last: The terms that each stage reported last, by the name of the stage.
        kl_weight: What the divergence was multiplied with; at 0 there is none to vanish.

    >>> vanished_terms({"generative": {"joint.kl": 0.0004}}, kl_weight=0.1)
    ('the KL term of stage generative has vanished (0.004 nats): the latent says nothing of a sample',)
    """
    signs = []
    for stage, terms in last.items():
        for term, value in terms.items():
            name = term.rpartition(".")[2]
            if name == _KL and kl_weight > 0 and value / kl_weight < VANISHED_KL:
                nats = f"{value / kl_weight:.2g} nats"
                signs.append(f"the KL term of stage {stage} has vanished ({nats}): the latent says nothing of a sample")
            if name == _GAP and abs(value) < VANISHED_GAP:
                signs.append(f"the critic of stage {stage} tells real and generated samples apart by {abs(value):.2g}")
    return tuple(signs)


def spread_share(
    generated: Float[np.ndarray, "n_classes n_drawn feature_dim"], features: Features, labels: Labels
) -> float:
    """Return the mean variance within generated classes, divided by that within real ones."""
    real = [features[labels == class_id].var(axis=0, dtype=np.float64).mean() for class_id in np.unique(labels)]
    spread = float(np.mean(real))
    return float(generated.var(axis=1, dtype=np.float64).mean()) / spread if spread > 0 else 1.0
