"""Writing rows of results as they come: csv, JSON, JSON lines or parquet."""

from __future__ import annotations

import csv
import itertools
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from zslearn.errors import ConfigError

Row = Mapping[str, Any]
_HALF_LETTERS: Final = "backslashreplace"
"""What becomes of bytes in a file's name that are not letters, as on standard output."""


class RowWriter(ABC):
    """Writes rows of the same columns to an open file."""

    @abstractmethod
    def write(self, rows: Sequence[Row]) -> None:
        """Write some rows."""

    def close(self) -> None:  # noqa: B027
        """Write what comes after the last row."""


class _Csv(RowWriter):
    def __init__(self, file: IO[str], columns: Sequence[str]) -> None:
        self._writer = csv.DictWriter(file, columns, lineterminator="\n")
        self._writer.writeheader()

    def write(self, rows: Sequence[Row]) -> None:
        self._writer.writerows(
            {name: str(value).lower() if isinstance(value, bool) else value for name, value in row.items()}
            for row in rows
        )


class _JsonLines(RowWriter):
    def __init__(self, file: IO[str], columns: Sequence[str]) -> None:
        self._file = file

    def write(self, rows: Sequence[Row]) -> None:
        self._file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


class _Json(RowWriter):
    def __init__(self, file: IO[str], columns: Sequence[str]) -> None:
        self._file = file
        self._before = "[\n"

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._file.write(f"{self._before}  {json.dumps(row, ensure_ascii=False)}")
            self._before = ",\n"

    def close(self) -> None:
        self._file.write("[]\n" if self._before == "[\n" else "\n]\n")


class _Parquet(RowWriter):
    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        from zslearn.errors import require_extra

        self._arrow = require_extra("pyarrow", "data")
        self._parquet = require_extra("pyarrow.parquet", "data")
        self._path = path
        self._columns = columns
        self._file: Any = None

    def write(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        table = self._arrow.Table.from_pylist([{name: _unicode(value) for name, value in row.items()} for row in rows])
        if self._file is None:
            self._file = self._parquet.ParquetWriter(self._path, table.schema)
        self._file.write_table(table)

    def close(self) -> None:
        if self._file is None:
            self._parquet.write_table(self._arrow.table({name: [] for name in self._columns}), self._path)
        else:
            self._file.close()


_TEXT_WRITERS: Final[Mapping[str, Callable[[IO[str], Sequence[str]], RowWriter]]] = {
    "csv": _Csv,
    "json": _Json,
    "jsonl": _JsonLines,
}
FORMATS: Final = (*_TEXT_WRITERS, "parquet")


def _unicode(value: Any) -> Any:
    return value.encode(errors=_HALF_LETTERS).decode() if isinstance(value, str) else value


def row_format(wanted: str | None, output: Path | None) -> str:
    """Return the format to write: the wanted one, or what the output's ending says; csv without either.

    Raises:
        ConfigError: If parquet is to go to standard output, or the ending is not that of a known format.
    """
    ending = "" if output is None else output.suffix.lower().removeprefix(".")
    chosen = wanted or ending or "csv"
    if chosen not in FORMATS:
        raise ConfigError(
            f"the ending of {output} is not that of a known format",
            expected=f"one of {', '.join(f'.{name}' for name in FORMATS)}",
            remedy="Name the format with --format, or choose another ending.",
        )
    if chosen == "parquet" and output is None:
        raise ConfigError("parquet cannot be printed", remedy="Name a file with -o.")
    return chosen


def write_rows(blocks: Iterable[Sequence[Row]], columns: Sequence[str], kind: str, output: Path | None) -> None:
    """Write rows as they come.

    Args:
        blocks: The rows, some at a time.
        columns: Their columns.
        kind: One of ``FORMATS``.
        output: The file, which appears when it is complete; None for standard output, which gets each block at once.
    """
    if output is None:
        _write(blocks, lambda: _TEXT_WRITERS[kind](sys.stdout, columns))
        return
    from zslearn.files import write_atomic

    def write(path: Path) -> None:
        if kind == "parquet":
            _write(blocks, lambda: _Parquet(path, columns))
        else:
            with path.open("w", encoding="utf-8", errors=_HALF_LETTERS, newline="") as file:
                _write(blocks, lambda: _TEXT_WRITERS[kind](file, columns))

    write_atomic(output, write)


def _write(blocks: Iterable[Sequence[Row]], make_writer: Callable[[], RowWriter]) -> None:
    """Write all blocks; nothing, not even a heading, where the first one fails."""
    remaining = iter(blocks)
    first = next(remaining, ())
    writer = make_writer()
    for rows in itertools.chain([first], remaining):
        writer.write(rows)
        sys.stdout.flush()
    writer.close()
