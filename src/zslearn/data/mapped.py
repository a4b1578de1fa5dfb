"""Rows of feature files that are too large for memory: read when they are asked for, and not kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from zslearn.data.checks import release, row_chunks
from zslearn.limits import bytes_from
from zslearn.shapes import Features, Ids

MEMORY_VARIABLE: Final = "ZSLEARN_MEMORY_BYTES"
"""The environment variable that says how large a copy of memory-mapped rows may be."""
_MEMORY_BYTES: Final = 1 << 30
_ROWS_AT_ONCE: Final = 16
"""Around every row that is read, the system may take 2 MB of the file into the process's memory."""


class MappedRows:
    """Some rows of a matrix, memory-mapped as a rule, in the manner of an array of float32.

    Indexing reads the rows asked for; there is no copy of the others.

    Args:
        matrix: The matrix, ``[n_all, feature_dim]``.
        rows: Which of its rows these are, by number.
    """

    ndim: Final = 2
    dtype: Final = np.dtype(np.float32)

    def __init__(self, matrix: NDArray[Any], rows: Ids) -> None:
        self._matrix = matrix
        self._rows = rows

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and of features."""
        return len(self._rows), self._matrix.shape[1]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, which: slice | NDArray[Any]) -> Features:
        """Read rows: by a slice, by their numbers or by a truth value for each."""
        rows = self._rows[which]
        if not isinstance(self._matrix, np.memmap):
            return np.asarray(self._matrix[rows], dtype=np.float32)
        read = np.empty((len(rows), self._matrix.shape[1]), dtype=np.float32)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            read[some] = self._matrix[rows[some]]
            release(self._matrix)
        return read

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or np.float32, copy=False)

    @property
    def large(self) -> bool:
        """Whether the rows lie in a file and a copy would take more memory than one may (see `taken`)."""
        return isinstance(self._matrix, np.memmap) and 4 * len(self) * self._matrix.shape[1] > memory_bytes()

    def select(self, which: NDArray[Any]) -> MappedRows:
        """Return some of these rows, without reading them."""
        return MappedRows(self._matrix, self._rows[which])


AnyRows = Features | MappedRows
"""Rows as they are, or what reads them."""


def taken(matrix: AnyRows, rows: Ids) -> AnyRows:
    """Take rows of a matrix: a copy of them, or where that would be large, what reads them from the file.

    Args:
        matrix: All rows; those of a memory map stay where they are if a copy would take more than 1 GB, or than
            ``ZSLEARN_MEMORY_BYTES`` says. Some of rows that stay where they are do so too, however few.
        rows: The numbers of those to take.
    """
    some = in_place(matrix, rows)
    stays = matrix.large if isinstance(matrix, MappedRows) else some.large
    return some if stays else some[:]


def in_place(matrix: AnyRows, rows: Ids) -> MappedRows:
    """Take rows of a matrix without a copy: each is read when it is asked for."""
    return matrix.select(rows) if isinstance(matrix, MappedRows) else MappedRows(matrix, rows)


def memory_bytes() -> int:
    """Return how large a copy of memory-mapped rows may be.

    Raises:
        ConfigError: If ``ZSLEARN_MEMORY_BYTES`` holds no number of bytes.
    """
    return bytes_from(MEMORY_VARIABLE, _MEMORY_BYTES)


def blocks(features: AnyRows) -> Iterator[tuple[slice, Features]]:
    """Yield rows in blocks of about 16 MB, with their place; rows in memory in one block."""
    if isinstance(features, np.ndarray):
        yield slice(0, len(features)), features
        return
    for place in row_chunks(len(features), 4 * features.shape[1]):
        yield place, features[place]


def any_negative(features: AnyRows) -> bool:
    """Whether there is a negative feature."""
    return any(bool((block < 0).any()) for _, block in blocks(features))


def some_per_class(labels: NDArray[Any], n_most: int) -> Ids:
    """Draw rows, as evenly over the classes as these have rows, with a fixed seed.

    Args:
        labels: The class of each row, ``[n_rows]``.
        n_most: How many rows to draw, at most; but at least one of each class.

    Returns:
        Sorted row numbers; all of them where there are no more.
    """
    if len(labels) <= n_most:
        return np.arange(len(labels))
    rng = np.random.default_rng(0)
    order = np.argsort(labels, kind="stable")
    counts = np.unique(labels, return_counts=True)[1]
    n_each = max(1, n_most // len(counts))
    drawn = [
        start + (rng.choice(count, n_each, replace=False) if count > n_each else np.arange(count))
        for start, count in zip(np.cumsum(counts) - counts, counts, strict=True)
    ]
    return np.sort(order[np.concatenate(drawn)])
