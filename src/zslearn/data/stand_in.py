"""Made-up features for split files without features, to see whether everything runs before the real ones are there.

Figures measured on them mean nothing. The file says so, converted or not, the reader repeats it as a warning, and
reports show it first.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from zslearn.data.matfile import read_mat
from zslearn.errors import DataError
from zslearn.files import write_atomic

MARK: Final = "stand-in features"
"""Stands in every text that tells of such features."""
MARK_VARIABLE: Final = "stand_in"
"""The variable of a feature file whose text says that its features are made up."""
STAND_IN_WARNING: Final = f"{MARK}, made up from the semantics: figures mean nothing"
"""What the reader warns of."""

_PARTS = ("trainval_loc", "test_seen_loc", "test_unseen_loc")
_DIRECTIONS = 64
_BLOCK_ROWS = 4096
_CLASS_SPREAD, _ROW_SPREAD, _NOISE = 1.0, 0.5, 0.3


def tells_of_stand_in(texts: Iterable[str]) -> bool:
    """Whether any of the texts about a data set, its source or its warnings, says that its features are made up."""
    return any(MARK in text for text in texts)


def write_stand_in(
    folder: Path, *, n_unseen: int, feature_dim: int = 2048, seed: int = 0, split_file: str = "att_splits.mat"
) -> Path:
    """Write ``res101.mat`` beside a split file, with as many rows as the split asks for.

    The split file does not tell which classes are unseen, so these are drawn; rows of each part are dealt out evenly
    to its classes. Features are not negative, as ReLU outputs: class means follow the semantics, rows scatter about
    them in a few shared directions and a little in all.

    Args:
        folder: Where the split file is.
        n_unseen: How many of its classes to take as unseen.
        feature_dim: Size of a sample.
        seed: Same seed, same file.
        split_file: The split file's name.

    Returns:
        The file.

    Raises:
        DataError: If the split file cannot be read, there is a feature file already, or classes do not suffice.
    """
    path = folder / "res101.mat"
    if path.exists():
        raise DataError(
            f"{path.name} exists already", expected="a folder without features", remedy="Use another folder."
        )
    content = read_mat(folder / split_file, ("att", *_PARTS))
    semantics = content["att"].T.astype(np.float64)
    if not 0 < n_unseen < len(semantics):
        raise DataError(
            "there are not enough classes",
            expected=f"1 to {len(semantics) - 1} unseen classes",
            received=str(n_unseen),
            remedy="Ask for fewer unseen classes.",
        )
    rng = np.random.default_rng(seed)
    labels = _labels([content[part].ravel().astype(np.int64) for part in _PARTS], len(semantics), n_unseen, rng)
    features = _features(semantics, labels, feature_dim, rng)
    told = f"{MARK}, seed {seed}: made up from {split_file}, figures measured on them mean nothing"
    _save(path, {"features": features.T, "labels": labels[:, None] + 1.0, MARK_VARIABLE: told})
    return path


def _labels(parts: list[NDArray[np.int64]], n_classes: int, n_unseen: int, rng: np.random.Generator) -> NDArray[Any]:
    """Return a class for every row that a part asks for; row numbers count from 1."""
    order = rng.permutation(n_classes)
    seen, unseen = order[n_unseen:], order[:n_unseen]
    labels = np.zeros(max(int(part.max()) for part in parts), dtype=np.int64)
    for part, classes in zip(parts, (seen, seen, unseen), strict=True):
        labels[part - 1] = np.resize(classes, len(part))
    return labels


def _features(
    semantics: NDArray[Any], labels: NDArray[Any], feature_dim: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    centred = semantics - semantics.mean(axis=0)
    scaled = centred / max(float(np.abs(centred).max()), 1e-12)
    projection = rng.normal(size=(semantics.shape[1], feature_dim))
    means = scaled @ projection
    means *= _CLASS_SPREAD / max(float(means.std()), 1e-12)
    directions = rng.normal(size=(_DIRECTIONS, feature_dim)) / np.sqrt(_DIRECTIONS)
    features = np.empty((len(labels), feature_dim), dtype=np.float32)
    for start in range(0, len(labels), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        n_rows = len(labels[rows])
        shared = _ROW_SPREAD * rng.normal(size=(n_rows, _DIRECTIONS)) @ directions
        noise = _NOISE * rng.standard_normal(size=(n_rows, feature_dim), dtype=np.float32)
        features[rows] = np.maximum(means[labels[rows]] + shared + noise, 0.0)
    return features


def _save(path: Path, variables: dict[str, Any]) -> None:
    import scipy.io

    write_atomic(path, lambda temporary: scipy.io.savemat(temporary, variables))
