"""What arrays and names must be like before a data set is made of them.

Every function returns its input in the form used everywhere else, without copying where it can, or
raises one `DataError` that says where the fault lies.
"""

from __future__ import annotations

import mmap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zslearn.errors import DataError, listed
from zslearn.shapes import Features, Ids, Labels, Semantics

_CHUNK_BYTES = 1 << 24
_LONGEST_NAME = 500


def row_chunks(n_rows: int, row_bytes: int) -> Iterator[slice]:
    """Yield slices that cover `n_rows` rows in pieces of about 16 MB."""
    step = max(1, _CHUNK_BYTES // max(1, row_bytes))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def check_recordable(path: str | Path) -> None:
    """Refuse a path, or a text with one in it, that no record can hold: the system's names are bytes of any kind.

    Raises:
        DataError: If it is not Unicode.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{path} is not Unicode",
            expected="names of files and folders that a record can hold",
            received=str(error),
            remedy="Rename them.",
        ) from error


def check_features(features: ArrayLike, *, what: str = "features") -> Features:
    """Return features as a read-only float32 matrix; float16 stays float16.

    Memory maps stay memory maps. The check for finite values reads the matrix in chunks.

    Args:
        features: [n_rows, feature_dim], finite numbers.
        what: What to call them in messages.

    Raises:
        DataError: If they are not numbers, not a matrix, empty in a dimension, NaN or infinite.
    """
    matrix = _numbers(features, what, "fiub")
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise DataError(
            f"{what} have the wrong dimensions",
            expected="a matrix, one row per sample and one column per feature",
            received=f"shape {matrix.shape}",
            remedy="Reshape them to [n_samples, feature_dim].",
        )
    if matrix.dtype not in (np.float16, np.float32):
        with np.errstate(over="ignore"):
            matrix = matrix.astype(np.float32)
    _check_finite(matrix, what)
    return read_only(matrix)


def check_semantics(semantics: ArrayLike, *, class_names: Sequence[str]) -> Semantics:
    """Return semantics as a read-only float64 matrix with one usable row per class.

    Args:
        semantics: [n_classes, semantic_dim]; the row is the class id.
        class_names: The name of each class.

    Raises:
        DataError: If a class has no row, or a row that is all zero, NaN or infinite.
    """
    matrix = _numbers(semantics, "semantics", "fiub").astype(np.float64)
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise DataError(
            "semantics have the wrong dimensions",
            expected="a matrix, one row per class and one column per attribute",
            received=f"shape {matrix.shape}",
            remedy="Reshape them to [n_classes, semantic_dim].",
        )
    if len(matrix) != len(class_names):
        raise DataError(
            "semantics and class names do not match",
            expected=f"{len(class_names)} rows, one per class name",
            received=f"{len(matrix)} rows",
            remedy="Give every class one semantic vector and one name.",
        )
    unusable = ~np.isfinite(matrix).all(axis=1) | ~matrix.any(axis=1)
    if unusable.any():
        names = [class_names[i] for i in np.flatnonzero(unusable).tolist()]
        raise DataError(
            "there are classes without usable semantics",
            expected="finite numbers, not all zero, for every class",
            received=f"NaN, infinite or all-zero semantics for {listed(names)}",
            remedy="Describe these classes or leave them out.",
        )
    return read_only(matrix)


def check_labels(labels: ArrayLike, *, n_rows: int, n_classes: int, lowest: int = 0) -> Labels:
    """Return labels as read-only int64 class ids.

    Raises:
        DataError: If there is not one whole number in lowest..n_classes-1 per row.
    """
    ids = check_ids(labels, bound=n_classes, what="labels", lowest=lowest)
    if len(ids) != n_rows:
        raise DataError(
            "labels and features do not match",
            expected=f"one label for each of the {n_rows} rows of features",
            received=f"{len(ids)} labels",
            remedy="Check that both come from the same samples, and that features are not transposed.",
        )
    return ids


def check_ids(ids: ArrayLike, *, bound: int | None, what: str, lowest: int = 0) -> Ids:
    """Return whole numbers as a read-only int64 vector.

    Args:
        ids: Numbers counted from 0.
        bound: They must be less than this; None: any whole number is right.
        what: What to call them in messages.
        lowest: With a bound, they must be at least this.

    Raises:
        DataError: If they are not whole numbers, not a vector or out of range.
    """
    vector = _numbers(ids, what, "fiu")
    if vector.ndim != 1:
        raise DataError(
            f"{what} have the wrong dimensions",
            expected="a vector",
            received=f"shape {vector.shape}",
            remedy="Flatten them to one number per entry.",
        )
    whole = whole_numbers(vector, what=what)
    if bound is not None and whole.size and (whole.min() < lowest or whole.max() >= bound):
        raise DataError(
            f"{what} are out of range",
            expected=f"whole numbers from {lowest} to {bound - 1}",
            received=f"numbers from {whole.min()} to {whole.max()}",
            remedy="Count from 0 and leave no gap between what is named and what is there.",
        )
    return read_only(whole)


def whole_numbers(values: NDArray[Any], *, what: str) -> Ids:
    """Return values as int64.

    Args:
        values: Numbers, ``[n]``.
        what: What they are, for the error.

    Raises:
        DataError: If one of them is not a whole number.
    """
    if values.dtype.kind == "f":
        odd = ~np.isfinite(values) | (values != np.floor(values)) | (np.abs(values) > 2**53)
        if odd.any():
            raise DataError(
                f"{what} are not all whole numbers",
                expected="whole numbers",
                received=f"{values[odd][0]}",
                remedy="Give class and row numbers, not measurements.",
            )
    return values.astype(np.int64)


def check_class_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return class names as a tuple of distinct, non-empty strings.

    Raises:
        DataError: If a name is empty, stands twice, is very long or has control characters, which a terminal obeys.
    """
    found = tuple(str(name) for name in names)
    twice = [name for name, n in Counter(found).items() if n > 1]
    if twice or "" in found:
        raise DataError(
            "class names are not distinct",
            expected="a name of its own for every class",
            received=f"{listed(twice)} more than once" if twice else "an empty name",
            remedy="Rename these classes.",
        )
    for name in found:
        if not name.isprintable() or len(name) > _LONGEST_NAME:
            raise DataError(
                "a class name cannot be shown",
                expected=f"at most {_LONGEST_NAME} printable characters",
                received=repr(name[:40]),
                remedy="Rename this class.",
            )
    return found


def check_partition(seen_ids: ArrayLike, unseen_ids: ArrayLike, *, n_classes: int) -> tuple[Ids, Ids]:
    """Return sorted seen and unseen class ids that together are every class once.

    Raises:
        DataError: If either is empty, they overlap, or a class is in neither.
    """
    seen = np.unique(check_ids(seen_ids, bound=n_classes, what="seen class ids"))
    unseen = np.unique(check_ids(unseen_ids, bound=n_classes, what="unseen class ids"))
    both = np.intersect1d(seen, unseen)
    if both.size:
        raise DataError(
            "seen and unseen classes overlap",
            expected="no class that is both seen and unseen",
            received=f"class ids {listed(both.tolist())} in both",
            remedy="Decide for each of these classes whether training samples of it exist.",
        )
    for ids, kind, need in ((seen, "seen", "training samples"), (unseen, "unseen", "semantics only")):
        if not ids.size:
            raise DataError(
                f"there is no {kind} class",
                expected=f"at least one class with {need}",
                received=f"{n_classes} classes, none of them {kind}",
                remedy=f"Zero-shot learning needs seen and unseen classes: add a class with {need}.",
            )
    missing = np.setdiff1d(np.arange(n_classes), np.concatenate([seen, unseen]))
    if missing.size:
        raise DataError(
            "there are classes that are neither seen nor unseen",
            expected=f"each of the {n_classes} classes on one side",
            received=f"class ids {listed(missing.tolist())} on none",
            remedy="Name them as unseen or leave them out.",
        )
    return read_only(seen), read_only(unseen)


def check_seen_rows(labels: Labels, seen_ids: Ids, class_names: Sequence[str]) -> None:
    """Check that training labels are of seen classes and that each of these has a row.

    Raises:
        DataError: Otherwise.
    """
    strange = np.setdiff1d(labels, seen_ids)
    if strange.size:
        raise DataError(
            "there are training rows of unseen classes",
            expected="training rows of seen classes only",
            received=f"training rows of {listed([class_names[i] for i in strange])}",
            remedy="Move these rows to the test part or call these classes seen.",
        )
    bare = np.setdiff1d(seen_ids, labels)
    if bare.size:
        raise DataError(
            "there are seen classes without training rows",
            expected="at least one training row of every seen class",
            received=f"none of {listed([class_names[i] for i in bare])}",
            remedy="Call these classes unseen or leave them out.",
        )


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view of an array of any shape that cannot be written through; the original stays as it is."""
    view = array.view()
    view.flags.writeable = False
    return view


def release(matrix: NDArray[Any]) -> None:
    """Let the system take back the memory of a mapped array of any shape; its pages are read again when needed."""
    mapped = getattr(matrix, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _numbers(values: ArrayLike, what: str, kinds: str) -> NDArray[Any]:
    try:
        array = values if isinstance(values, np.ndarray) else np.asarray(values)
    except ValueError as error:
        raise DataError(
            f"{what} are ragged",
            expected="rows of equal length",
            received="rows of different lengths",
            remedy="Give every row the same number of entries.",
        ) from error
    if array.size == 0 and not isinstance(values, np.ndarray):
        array = array.astype(np.int64)
    if array.dtype.kind not in kinds:
        raise DataError(
            f"{what} are not numbers",
            expected="real numbers",
            received=f"entries of type {array.dtype}",
            remedy="Convert them to numbers first.",
        )
    return array


def _check_finite(matrix: NDArray[Any], what: str) -> None:
    for rows in row_chunks(len(matrix), matrix.shape[1] * matrix.itemsize):
        finite = np.isfinite(matrix[rows])
        release(matrix)
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            value = matrix[rows][row, column]
            raise DataError(
                f"{what} hold NaN or infinite values",
                expected="finite numbers within the range of their type",
                received=f"{value} in row {rows.start + row}, column {column} (counted from 0)",
                remedy="Remove or repair these rows.",
            )
