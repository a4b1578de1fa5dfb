"""MATLAB files of both kinds (level 5 and HDF5) read alike, with one clear error for bad ones.

Arrays keep the orientation that MATLAB shows. Texts and cell arrays of texts come as object arrays of `str`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zslearn.data.level5 import HEADER_BYTES, ORDERS, level5_variables, read_level5
from zslearn.errors import DataError, ZslearnError, listed, require_extra
from zslearn.limits import check_array, check_file

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEADER_BYTES = 520


def mat_variables(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every variable, without reading their values.

    Raises:
        DataError: If the file is missing, damaged or not a MATLAB file.
    """
    with _readable(path) as is_hdf5:
        if is_hdf5:
            with _hdf5_file(path) as file:
                return {name: _hdf5_shape(item) for name, item in file.items() if not name.startswith("#")}
        return {each.name: each.shape for each in level5_variables(path)}


def read_mat(path: Path, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, NDArray[Any]]:
    """Read some variables and no others.

    Args:
        path: The file.
        required: Variables that must be there.
        optional: Variables that are read where they are there.

    Returns:
        The variables that were found, by name.

    Raises:
        DataError: If the file is missing, damaged or not a MATLAB file, or lacks a required variable.
        MissingExtraError: If it is an HDF5 file and h5py is not installed.
    """
    required = tuple(required)
    names = [*required, *optional]
    with _readable(path) as is_hdf5:
        found = _read_hdf5(path, names) if is_hdf5 else _read_level5(path, names)
    missing = [name for name in required if name not in found]
    if missing:
        raise DataError(
            f"{path.name} lacks {listed(missing)}",
            expected=f"the variables {listed(required)}",
            received=listed(sorted(mat_variables(path))) or "no variable",
            remedy="Check that this is the right file, in the layout of Xian et al.",
        )
    return found


def mat_strings(array: NDArray[Any]) -> tuple[str, ...]:
    """Return the strings of a cell array of any shape, or of the rows of a character matrix."""
    entries = (entry for entry in array.ravel().tolist())
    return tuple("".join(np.asarray(entry).ravel().astype(str).tolist()).strip() for entry in entries)


@contextmanager
def _readable(path: Path) -> Iterator[bool]:
    """Turn whatever goes wrong while reading into one DataError; yields whether the file is HDF5."""
    try:
        check_file(path)
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        is_hdf5 = header.startswith(_HDF5_SIGNATURE) or header[512:].startswith(_HDF5_SIGNATURE)
        if not is_hdf5 and header[HEADER_BYTES - 2 : HEADER_BYTES] not in ORDERS:
            raise DataError(
                f"{path.name} is not a MATLAB file",
                expected="a .mat file of level 5 to 7.3",
                received=f"a file of {path.stat().st_size} bytes that starts with {header[:16]!r}",
                remedy="Check the download, or save it again with save -v7.",
            )
        yield is_hdf5
    except ZslearnError:
        raise
    except FileNotFoundError as error:
        raise DataError(
            f"there is no file {path.name}",
            expected=f"a .mat file in {path.parent}",
            received="nothing of that name",
            remedy="Check the name and the folder.",
        ) from error
    # The readers meet damaged bytes with errors of almost every type (zlib, struct, index, memory ...).
    except Exception as error:
        raise DataError(
            f"{path.name} cannot be read",
            expected="a complete .mat file",
            received=f"{type(error).__name__}: {error}",
            remedy="It is probably truncated or damaged: download or write it again.",
        ) from error


def _read_level5(path: Path, names: list[str]) -> dict[str, NDArray[Any]]:
    return {each.name: read_level5(path, each) for each in level5_variables(path) if each.name in names}


def _hdf5_file(path: Path) -> Any:
    return require_extra("h5py", "data").File(path, "r")


def _read_hdf5(path: Path, names: list[str]) -> dict[str, NDArray[Any]]:
    h5py = require_extra("h5py", "data")
    with _hdf5_file(path) as file:
        for name in names:
            if name in file and not isinstance(file[name], h5py.Dataset):
                raise DataError(
                    f"{name} in {path.name} cannot be used",
                    expected="an ordinary array",
                    received="a structure or a sparse matrix",
                    remedy="Save it again as a full array.",
                )
            if name in file:
                _check_hdf5(file, name, path)
        return {name: _hdf5_value(file, file[name]) for name in names if name in file}


def _check_hdf5(file: Any, name: str, path: Path) -> None:
    """Refuse a data set whose values lie in other files, or that promises more than the file can hold."""
    h5py = require_extra("h5py", "data")
    item = file[name]
    if not isinstance(file.get(name, getlink=True), h5py.HardLink) or item.external or item.is_virtual:
        raise DataError(
            f"{name} in {path.name} lies in another file",
            expected="an array in the file itself",
            received="a link to another place",
            remedy="Save it again as an ordinary array.",
        )
    check_array(f"{name} in {path.name}", item.shape or (), item.dtype.itemsize, stored_bytes=path.stat().st_size)


def _hdf5_value(file: Any, item: Any) -> NDArray[Any]:
    """Return a data set as MATLAB shows it: axes reversed, references followed, codes as text."""
    if item.attrs.get("MATLAB_empty", 0):
        return np.empty((0, 0))
    value = np.asarray(item[()])
    if value.dtype.kind == "O":
        return np.array([_hdf5_text(file, entry) for entry in value.T.ravel()], dtype=object)
    if item.attrs.get("MATLAB_class", b"") in (b"char", "char"):
        return np.array([_decoded(row) for row in np.atleast_2d(value.T)], dtype=object)
    return value.T


def _hdf5_text(file: Any, entry: Any) -> str:
    if isinstance(entry, bytes):
        return entry.decode()
    return entry if isinstance(entry, str) else _decoded(np.asarray(file[entry][()]).T)


def _decoded(codes: NDArray[Any]) -> str:
    return "".join(chr(code) for code in codes.ravel().tolist())


def _hdf5_shape(item: Any) -> tuple[int, ...]:
    return tuple(reversed(getattr(item, "shape", ())))
