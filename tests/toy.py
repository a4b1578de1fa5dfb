"""A small data set whose truth is known: means linear in semantics, noise with a few loud directions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io

from zslearn.data.dataset import ZSLDataset

N_SEEN, N_UNSEEN = 16, 4
SEMANTIC_DIM, FEATURE_DIM = 12, 20


def toy_dataset(seed: int = 0, *, n_train: int = 25, n_test: int = 10) -> ZSLDataset:
    """Return 16 seen and 4 unseen classes with 12 semantics and 20 signed features.

    Three directions of the noise are several times as loud as the classes are far apart, so that
    whoever compares with semantics or means in the raw space is easily beaten.
    """
    rng = np.random.default_rng(seed)
    n_classes = N_SEEN + N_UNSEEN
    semantics = rng.uniform(0, 1, size=(n_classes, SEMANTIC_DIM))
    projection = rng.normal(size=(SEMANTIC_DIM, FEATURE_DIM))
    means = (semantics - semantics.mean(axis=0)) @ projection
    loud = np.linalg.qr(rng.normal(size=(FEATURE_DIM, 3)))[0]
    seen_ids = np.sort(rng.permutation(n_classes)[:N_SEEN])
    labels = np.repeat(np.arange(n_classes), n_train + n_test)
    features = means[labels] + 0.4 * rng.normal(size=(len(labels), FEATURE_DIM))
    features += 4 * rng.normal(size=(len(labels), 3)) @ loud.T
    is_seen = np.isin(labels, seen_ids)
    is_test = np.tile(np.arange(n_train + n_test) >= n_train, n_classes)
    return ZSLDataset(
        name="toy",
        features=features.astype(np.float32),
        labels=labels,
        semantics=semantics,
        class_names=tuple(f"kind {i}" for i in range(n_classes)),
        seen_ids=seen_ids,
        unseen_ids=np.setdiff1d(np.arange(n_classes), seen_ids),
        train_rows=np.flatnonzero(is_seen & ~is_test),
        test_seen_rows=np.flatnonzero(is_seen & is_test),
        test_unseen_rows=np.flatnonzero(~is_seen & is_test),
        source="made by a seeded generator",
    )


def write_toy_folder(folder: Path, **sizes: int) -> Path:
    """Write the data set in the layout of Xian et al."""
    dataset = toy_dataset(**sizes)
    folder.mkdir(parents=True, exist_ok=True)
    rows = {"trainval_loc": "train_rows", "test_seen_loc": "test_seen_rows", "test_unseen_loc": "test_unseen_rows"}
    scipy.io.savemat(
        folder / "att_splits.mat",
        {
            "att": dataset.semantics.T,
            "allclasses_names": np.array([[name] for name in dataset.class_names], dtype=object),
            **{name: getattr(dataset, part)[:, None] + 1 for name, part in rows.items()},
        },
    )
    scipy.io.savemat(folder / "res101.mat", {"features": dataset.features.T, "labels": dataset.labels[:, None] + 1})
    return folder
