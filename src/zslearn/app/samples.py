"""Real samples to lay beside imagined ones: some rows of every class of the data that a run was measured on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Int64

from zslearn.data.catalog import load_recorded
from zslearn.data.dataset import ZSLDataset
from zslearn.errors import DataError
from zslearn.estimator import GenerativeZSL
from zslearn.shapes import Features, Labels

ROWS_OF_A_CLASS: Final = 40
"""How many rows of a class are kept, at most."""


class RealSamples:
    """Some real rows of every class; of seen classes those that training did not see, where there are any.

    They are for looking at: the run is finished, and nothing is chosen or measured with them.

    Args:
        dataset: The data of the run.
    """

    def __init__(self, dataset: ZSLDataset) -> None:
        held_out = np.concatenate([dataset.test_seen_rows, dataset.test_unseen_rows])
        others = ~np.isin(dataset.labels[dataset.train_rows], dataset.labels[held_out])
        shuffled = np.random.default_rng(0).permutation(np.concatenate([held_out, dataset.train_rows[others]]))
        labels = dataset.labels[shuffled]
        rows = np.concatenate([shuffled[labels == label][:ROWS_OF_A_CLASS] for label in np.unique(labels)])
        self._names = dataset.class_names
        self._labels: Labels = dataset.labels[rows]
        self.features: Features = np.asarray(dataset.features[rows], dtype=np.float32)
        self._centre = self.features.mean(axis=0)
        spread = self.features.std(axis=0)
        self._scale = np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 0).astype(np.float32)
        self._directions = self._direction(self.features)

    @classmethod
    def of_run(cls, record: Mapping[str, Any], estimator: GenerativeZSL) -> RealSamples:
        """Read the data that a run was made on.

        Raises:
            DataError: If the record does not say which they are, or they are not those of the model.
            UnknownNameError: If they are not here.
        """
        dataset = load_recorded(record)
        strange = set(map(str, estimator.classes_.tolist())) - set(dataset.class_names)
        if strange - set(map(str, estimator.added_classes_)) or dataset.features.shape[1] != estimator.n_features_in_:
            source = record["data"]["asked_for"]["data"]
            raise DataError(f"the data in {source} are no longer those of the run", remedy="Put them back.")
        return cls(dataset)

    def of(self, name: str) -> Features:
        """Return the rows of a class; none where it has no sample."""
        if name not in self._names:
            return self.features[:0]
        return self.features[self._labels == self._names.index(name)]

    def nearest(
        self, sample: Float[np.ndarray, " feature_dim"], n_rows: int
    ) -> tuple[Int64[np.ndarray, " n_nearest"], list[str], list[float]]:
        """Return the rows most like a sample, the nearest first.

        Args:
            sample: What they should be like.
            n_rows: How many.

        Returns:
            Their places in `features`, their classes, and their similarities: cosines of features that are
            standardised over all rows here.
        """
        similarities = self._directions @ self._direction(sample[None])[0]
        best = np.argsort(-similarities, kind="stable")[:n_rows]
        return best, [self._names[label] for label in self._labels[best]], similarities[best].tolist()

    def _direction(self, features: Features) -> Features:
        standardised = (features - self._centre) * self._scale
        lengths = np.linalg.norm(standardised, axis=1, keepdims=True)
        return np.asarray(standardised / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)
