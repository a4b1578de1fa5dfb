"""What the trials of a search cost."""

from __future__ import annotations

from zslearn.experiments.experiment import ModelChoice
from zslearn.models import model_entry


def n_alternatives(choice: ModelChoice) -> int:
    """Return how many alternatives are left for each trial to compare, on the data that a model offers most for."""
    given = {**choice.settings, **dict.fromkeys(choice.search)}
    offered = model_entry(choice.model).load().alternatives(n_rows=1, feature_dim=1, non_negative=True)
    return len({frozenset({**alternative, **given}.items()) for alternative in offered})
