"""Tables with named columns, from csv and parquet, read alike and with one clear error for bad ones."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from zslearn.errors import DataError, ZslearnError, first_line, listed, require_extra
from zslearn.files import write_bytes
from zslearn.limits import MAX_FILE_BYTES, check_file, check_unpacked

TABLE_ENDINGS: Final = (".csv", ".parquet")
_SEPARATORS = ",;\t"
_ENTRY_BYTES = 8
_TRUTH = {"true": "1", "yes": "1", "false": "0", "no": "0"}


@dataclass(frozen=True)
class Columns:
    """The columns of a table by name, each with one entry per row: numbers, or texts without outer blanks."""

    path: Path
    """Where they come from."""
    columns: Mapping[str, NDArray[Any]]
    """The columns in the order of the table."""

    def __len__(self) -> int:
        """The number of rows."""
        return len(next(iter(self.columns.values())))

    def __contains__(self, name: str) -> bool:
        """Tell whether there is such a column."""
        return name in self.columns

    def texts(self, name: str) -> list[str]:
        """Return a column as texts; whole numbers stay whole, nothing becomes an empty text.

        Raises:
            DataError: If there is no such column.
        """
        if name not in self.columns:
            raise DataError(
                f"{self.path.name} lacks the column {name}",
                expected=f"a column called {name}",
                received=listed(list(self.columns)) or "no column",
                remedy="Name the columns in the first line, in lower case.",
            )
        return [_text(entry) for entry in self.columns[name].tolist()]

    def is_numeric(self, name: str) -> bool:
        """Tell whether a column is meant as numbers, or words such as yes and no: most of its entries are."""
        return _mostly_numbers(self.texts(name))

    def check_no_decimal_commas(self, name: str) -> None:
        """Refuse a column of which most entries are numbers once a comma is read as a point.

        Raises:
            DataError: If the column has decimal commas; the message says where the first one is.
        """
        texts = self.texts(name)
        if _mostly_numbers(texts) or not _mostly_numbers([text.replace(",", ".") for text in texts]):
            return
        row = next(row for row, text in enumerate(texts) if "," in text)
        raise DataError(
            f"the column {name} of {self.path.name} has decimal commas",
            expected="numbers such as 0.5",
            received=f"{texts[row]!r} in row {row + 1}",
            remedy="Write a point for each comma, or texts that are not numbers.",
        )

    def numbers(self, names: Sequence[str]) -> Float[np.ndarray, "n_rows n_columns"]:
        """Return columns as a matrix of numbers; yes and true are 1, no and false are 0.

        Raises:
            DataError: If an entry is not a number; the message says where.
        """
        return np.stack([self._numbers(name) for name in names], axis=1)

    def _numbers(self, name: str) -> NDArray[np.float64]:
        column = self.columns[name]
        if column.dtype.kind in "fiub":
            return column.astype(np.float64)
        texts = [_TRUTH.get(text.lower(), text) for text in self.texts(name)]
        try:
            return np.array(texts, dtype=np.float64)
        except ValueError as error:
            row = next(row for row, text in enumerate(texts) if not _is_number(text))
            raise DataError(
                f"the column {name} of {self.path.name} is not all numbers",
                expected="a number in every row",
                received=f"{texts[row]!r} in row {row + 1}",
                remedy="Fill in or repair this entry, or drop the column.",
            ) from error


def read_columns(path: Path) -> Columns:
    """Read a table.

    A csv file is UTF-8 with the names of its columns in the first line, separated by commas, semicolons or tabs.

    Raises:
        DataError: If it is missing, damaged, of another kind, without rows, or its columns have no names of their own.
        MissingExtraError: If it is parquet and pyarrow is not installed.
    """
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path.name} is not a table",
            expected=f"a file ending in {' or '.join(TABLE_ENDINGS)}",
            received=f"the ending {path.suffix!r}",
            remedy="Save it as csv in UTF-8, with the names of the columns in the first line.",
        )
    try:
        names, columns = reader(path)
    except ZslearnError:
        raise
    # The readers meet damaged bytes with errors of several types (Unicode, csv, arrow, OS ...).
    except Exception as error:
        encoded = " in UTF-8" if path.suffix.lower() == ".csv" else ""
        raise DataError(
            f"{path.name} cannot be read",
            expected=f"a complete {path.suffix} file{encoded}",
            received=f"{type(error).__name__}: {first_line(error)}",
            remedy=f"Save it again{encoded}.",
        ) from error
    _check_names(path, names)
    if not columns or not len(columns[0]):
        raise DataError(
            f"{path.name} has no rows",
            expected="a line for each row below the first line",
            remedy="Write the names of the columns into the first line and the rows below.",
        )
    return Columns(path, dict(zip(names, columns, strict=True)))


def write_columns(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write a csv file atomically.

    Args:
        path: The file to make or replace.
        columns: The columns by name, of equal length.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_bytes(path, text.getvalue().encode())


def clean(text: str) -> str:
    """Return a text without outer blanks and in one Unicode form, so that equal looking names are equal."""
    return unicodedata.normalize("NFC", text).strip()


def arrow_entries(column: Any) -> NDArray[Any]:
    """Return the entries of a column of arrow, ``[n_rows]``; what is missing is None, or NaN among numbers.

    Args:
        column: An array of arrow, or one in pieces.

    Raises:
        MissingExtraError: If pyarrow is not installed.
    """
    types = require_extra("pyarrow.types", "data")
    # A missing entry of a dictionary has the index -1, which numpy takes for the last of its values.
    plain = column.cast(column.type.value_type) if types.is_dictionary(column.type) else column
    entries: NDArray[Any] = plain.to_numpy(zero_copy_only=False)
    return entries


def _read_csv(path: Path) -> tuple[list[str], list[NDArray[Any]]]:
    check_file(path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        first = file.readline()
        file.seek(0)
        separator = max(_SEPARATORS, key=first.count)
        lines = csv.reader(file, delimiter=separator, strict=True)
        names = [clean(name) for name in next(lines, [])]
        rows = []
        for line in lines:
            if not line:
                continue
            if len(line) != len(names):
                raise DataError(
                    f"line {lines.line_num} of {path.name} does not fit its first line",
                    expected=f"{len(names)} entries",
                    received=str(len(line)),
                    remedy='Put texts that hold the separator into quotes: "red, with a yellow eye".',
                )
            rows.append(line)
    return names, [np.array(column, dtype=object) for column in zip(*rows, strict=True)]


def _read_parquet(path: Path) -> tuple[list[str], list[NDArray[Any]]]:
    stored_bytes = check_file(path, MAX_FILE_BYTES)
    parquet = require_extra("pyarrow.parquet", "data")
    with parquet.ParquetFile(path) as file:
        facts = file.metadata
        encoded_bytes = sum(facts.row_group(number).total_byte_size for number in range(facts.num_row_groups))
        # Entries that repeat are stored once, and stand in memory as often as there are rows.
        entry_bytes = facts.num_rows * facts.num_columns * _ENTRY_BYTES
        check_unpacked(path.name, max(encoded_bytes, entry_bytes), stored_bytes=stored_bytes)
        table = file.read()
    names = [clean(str(name)) for name in table.column_names]
    return names, [arrow_entries(column) for column in table.columns]


def _check_names(path: Path, names: list[str]) -> None:
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice or "" in names:
        raise DataError(
            f"the columns of {path.name} have no names of their own",
            expected="a different name for each column in the first line",
            received=f"{listed(twice)} more than once" if any(twice) else "a column without a name",
            remedy="Name the columns in the first line.",
        )


def _text(entry: Any) -> str:
    if entry is None or (isinstance(entry, float) and np.isnan(entry)):
        return ""
    if isinstance(entry, float) and entry.is_integer():
        return str(int(entry))
    return clean(str(entry))


def _mostly_numbers(texts: Sequence[str]) -> bool:
    """Tell whether more than half of the texts that are not empty are numbers, or words such as yes and no."""
    told = [text for text in texts if text]
    return 2 * sum(map(_is_number, told)) > len(told)


def _is_number(text: str) -> bool:
    if text.lower() in _TRUTH:
        return True
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
