"""Features a block of rows at a time, from files or streams of any length, at constant memory."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from zslearn.data.checks import check_features
from zslearn.data.columns import arrow_entries
from zslearn.data.tables import open_features
from zslearn.errors import DataError, ZslearnError, first_line, require_extra
from zslearn.limits import check_unpacked
from zslearn.shapes import Features

TEXT_ENDINGS: Final = (".csv", ".jsonl")
_JSON_STARTS: Final = ("[", "{")
_MOST_COUNTED_NUMBERS: Final = 2
"""Up to here, 0, 1 or 1, 2 in a first line are taken for a sample."""


def feature_blocks(path: Path, n_rows: int) -> Iterator[Features]:
    """Read a file of features.

    ``.npy`` is read from the disk block by block, ``.parquet`` by its own blocks (every column a feature), ``.csv`` and
    ``.jsonl`` as ``text_blocks``; what ``read_features`` knows besides is read as a whole.

    Args:
        path: The file.
        n_rows: Rows in a block, at least 1; the last one may have fewer.

    Yields:
        ``[at most n_rows, feature_dim]`` float32 (or float16), finite.

    Raises:
        DataError: If the file is missing, damaged or of another kind; if a row is not one of numbers, the message
            says which.
        MissingExtraError: If it is a .parquet file and pyarrow is not installed.
    """
    ending = path.suffix.lower()
    if ending in TEXT_ENDINGS:
        _check_there(path)
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield from text_blocks(stream, n_rows, name=path.name)
        return
    start = 0
    for block in _parquet_blocks(path, n_rows) if ending == ".parquet" else _array_blocks(path, n_rows):
        yield _finite(block, path.name, lambda row, first=start: f"row {first + row}")
        start += len(block)


def text_blocks(stream: Iterable[str], n_rows: int, *, name: str) -> Iterator[Features]:
    """Read rows of numbers from text as it comes: comma-separated values, or JSON lines.

    A line of JSON is a list of numbers, or an object with such a list as ``features``. Comma-separated values may
    begin with one line of column names, for which 0, 1, 2, ... and 1, 2, 3, ... are taken too, from three columns on.
    Blank lines are skipped.

    Args:
        stream: Lines of text.
        n_rows: Rows in a block.
        name: What to call the stream in messages.

    Raises:
        DataError: If a line does not hold as many numbers as the first one; the message names the line.
    """
    rows: list[Any] = []
    lines: list[int] = []
    width = None
    try:
        for number, row in _text_rows(stream, name):
            width = len(row) if width is None else width
            if len(row) != width:
                raise _bad_line(number, name, f"{width} numbers, as in the first row", f"{len(row)} values")
            rows.append(row)
            lines.append(number)
            if len(rows) == n_rows:
                yield _parsed(rows, lines, name)
                rows, lines = [], []
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} is not a text",
            expected="UTF-8",
            received=f"byte {error.start}: {error.reason}",
            remedy="Save it as UTF-8, or give the file its right ending.",
        ) from error
    if rows:
        yield _parsed(rows, lines, name)


def _text_rows(stream: Iterable[str], name: str) -> Iterator[tuple[int, list[Any]]]:
    """Yield every row with the number of its line."""
    lines = enumerate(stream, start=1)
    for number, line in lines:
        if not line.strip():
            continue
        if line.lstrip().startswith(_JSON_STARTS):
            yield number, _json_row(line, number, name)
            yield from ((number, _json_row(line, number, name)) for number, line in lines if line.strip())
            return
        reader = csv.reader(itertools.chain([line], (line for _, line in lines)))
        before = number - 1
        try:
            first = next(reader)
            if not _is_heading(first):
                yield number, first
            yield from ((before + reader.line_num, row) for row in reader if row)
        except csv.Error as error:
            raise _bad_line(before + reader.line_num, name, "comma-separated numbers", str(error)) from error
        return


def _is_heading(cells: list[str]) -> bool:
    """Tell names of columns from numbers; 0, 1, 2, ... and 1, 2, 3, ... are what columns without names are called."""
    if any(_number(cell) is None for cell in cells):
        return True
    counted = [cell.strip() for cell in cells]
    return len(cells) > _MOST_COUNTED_NUMBERS and any(
        counted == [str(first + place) for place in range(len(cells))] for first in (0, 1)
    )


def _json_row(line: str, number: int, name: str) -> list[Any]:
    expected = 'a list of numbers, or {"features": [...]}'
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _bad_line(number, name, expected, f"no JSON: {error}") from error
    row = value.get("features") if isinstance(value, dict) else value
    if not isinstance(row, list):
        raise _bad_line(number, name, expected, repr(value)[:40])
    return row


def _parsed(rows: list[Any], lines: list[int], name: str) -> Features:
    try:
        block = np.array(rows, dtype=np.float64)
    except (OverflowError, TypeError, ValueError):
        block = np.empty(0)
    if block.ndim == 2:
        return _finite(block, name, lambda row: f"line {lines[row]}")
    for number, row in zip(lines, rows, strict=True):
        for column, cell in enumerate(row):
            if _number(cell) is None:
                raise _bad_line(number, name, "numbers", f"{repr(cell)[:40]} in column {column} (counted from 0)")
    raise _bad_line(lines[0], name, "numbers", "lists of numbers")


def _number(cell: Any) -> float | None:
    try:
        return float(cell)
    except (OverflowError, TypeError, ValueError):
        return None


def _bad_line(number: int, name: str, expected: str, received: str) -> DataError:
    return DataError(
        f"line {number} of {name} is not a row of features",
        expected=expected,
        received=received,
        remedy="Repair or remove that line.",
    )


def _finite(block: NDArray[Any], name: str, place: Any) -> Features:
    """Check a block as any features, and say of a number that is not finite where it is."""
    if block.ndim == 2 and block.dtype.kind in "fiub":
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            row = int(np.flatnonzero(~finite)[0])
            column = int(np.flatnonzero(~np.isfinite(block[row]))[0])
            raise DataError(
                f"features in {name} hold NaN or infinite values",
                expected="finite numbers",
                received=f"{block[row, column]} in {place(row)}, column {column} (counted from 0)",
                remedy="Remove or repair these rows.",
            )
    return check_features(block, what=f"features in {name}")


def _array_blocks(path: Path, n_rows: int) -> Iterator[NDArray[Any]]:
    array = open_features(path)
    if array.ndim != 2:
        yield array
        return
    if not isinstance(array, np.memmap) or not array.flags.c_contiguous:
        yield from (array[start : start + n_rows] for start in range(0, max(1, len(array)), n_rows))
        return
    # Pages of a memory map stay in memory once they are read; what is read from the file goes with its block.
    (n_total, width), dtype, offset = array.shape, array.dtype, array.offset
    del array
    with path.open("rb") as file:
        file.seek(offset)
        for start in range(0, max(1, n_total), n_rows):
            count = min(n_rows, n_total - start) * width
            yield np.fromfile(file, dtype, count).reshape(-1, width)


def _parquet_blocks(path: Path, n_rows: int) -> Iterator[NDArray[Any]]:
    _check_there(path)
    parquet = require_extra("pyarrow.parquet", "data")
    try:
        with parquet.ParquetFile(path) as file:
            stored_bytes = path.stat().st_size
            for number in range(file.metadata.num_row_groups):
                unpacked_bytes = file.metadata.row_group(number).total_byte_size
                check_unpacked(path.name, unpacked_bytes, stored_bytes=stored_bytes)
            for batch in file.iter_batches(n_rows):
                yield np.column_stack([arrow_entries(column) for column in batch.columns])
    except ZslearnError:
        raise
    # Damaged bytes end in errors of several types (arrow, OS, value, memory ...).
    except Exception as error:
        raise DataError(
            f"{path.name} cannot be read",
            expected="a complete parquet file",
            received=first_line(error),
            remedy="Write it again.",
        ) from error


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise DataError(
            f"there is no file {path}",
            expected="a file with features",
            received="a folder" if path.is_dir() else "nothing of that name",
            remedy="Check the path.",
        )
