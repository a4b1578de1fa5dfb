"""Plain feature matrices from files, for prediction."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from zslearn.data.checks import check_features
from zslearn.data.matfile import read_mat
from zslearn.errors import DataError, ZslearnError, listed
from zslearn.limits import check_array, check_file, check_unpacked
from zslearn.shapes import Features

_Content = TypeVar("_Content")


def read_features(path: str | Path) -> Features:
    """Read a feature matrix; nothing in the file is ever executed.

    ``.npy`` holds [n_rows, feature_dim] and stays memory-mapped; ``.npz`` the same under the key
    ``features``; ``.mat`` the variable ``features`` with one *column* per sample, as in the layout of
    Xian et al.

    Returns:
        [n_rows, feature_dim] float32 (or float16), finite.

    Raises:
        DataError: If the file is missing, damaged, of another kind, or holds no feature matrix.
        MissingExtraError: If it is an HDF5 .mat file and h5py is not installed.
    """
    return check_features(open_features(path), what=f"features in {Path(path).name}")


def open_features(path: str | Path) -> NDArray[Any]:
    """Read a feature matrix, ``[n_rows, feature_dim]``, as ``read_features`` does, without looking at its numbers.

    Raises:
        DataError: If the file is missing, damaged, of another kind, or lacks what should hold the features.
        MissingExtraError: If it is an HDF5 .mat file and h5py is not installed.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path.name} is of an unknown kind",
            expected=f"a file ending in {', '.join(_READERS)}",
            received=f"the ending {path.suffix!r}",
            remedy="Save the features with numpy.save, one row per sample.",
        )
    if not path.is_file():
        raise DataError(
            f"there is no file {path}",
            expected="a file with features",
            received="a folder" if path.is_dir() else "nothing of that name",
            remedy="Check the path.",
        )
    return reader(path)


def _read_npy(path: Path) -> NDArray[Any]:
    def load() -> NDArray[Any]:
        stored_bytes = check_file(path)
        with path.open("rb") as file:
            _check_header(file, f"the array in {path.name}", stored_bytes=stored_bytes)
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))

    return _loaded(path, load)


def read_npz_arrays(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    """Read some arrays of an ``.npz`` and no others; nothing in the file is ever executed.

    Args:
        path: The file.
        required: Keys that must be there.
        optional: Keys that are read where they are there.

    Raises:
        DataError: If the file is damaged, or lacks a required key.
    """

    def load() -> dict[str, NDArray[Any]]:
        stored_bytes = check_file(path)
        with zipfile.ZipFile(path) as archive:
            there = [name.removesuffix(".npy") for name in archive.namelist()]
            missing = [key for key in required if key not in there]
            if missing:
                raise DataError(
                    f"{path.name} lacks {listed(missing)}",
                    expected=f"an array under the key {' and '.join(required)}",
                    received=listed(there) or "no array",
                    remedy=f"Save it with numpy.savez(file, {', '.join(f'{key}=...' for key in required)}).",
                )
            return {
                key: _read_member(archive, f"{key}.npy", f"{key} in {path.name}", stored_bytes)
                for key in (*required, *optional)
                if key in there
            }

    return _loaded(path, load)


def _read_member(archive: zipfile.ZipFile, member: str, what: str, stored_bytes: int) -> NDArray[Any]:
    check_unpacked(what, archive.getinfo(member).file_size, stored_bytes=stored_bytes)
    with archive.open(member) as file:
        _check_header(file, what, stored_bytes=stored_bytes)
    with archive.open(member) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _read_npz(path: Path) -> NDArray[Any]:
    return read_npz_arrays(path, ("features",))["features"]


def _read_mat(path: Path) -> NDArray[Any]:
    return read_mat(path, ("features",))["features"].T


def _check_header(file: IO[bytes], what: str, *, stored_bytes: int) -> None:
    """Check what an array's header promises; a version that is not known here is left to numpy."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    read_header = readers.get(np.lib.format.read_magic(file))
    if read_header is not None:
        shape, _, dtype = read_header(file)
        check_array(what, shape, dtype.itemsize, stored_bytes=stored_bytes)


def _loaded(path: Path, load: Callable[[], _Content]) -> _Content:
    try:
        return load()
    except ZslearnError:
        raise
    # numpy meets damaged bytes with errors of many types (value, zip, zlib, end of file, memory ...).
    except Exception as error:
        raise DataError(
            f"{path.name} cannot be read",
            expected=f"a complete {path.suffix} file with numbers and without pickled objects",
            received=f"{type(error).__name__}: {error}",
            remedy="Write it again with numpy.",
        ) from error


_READERS: dict[str, Callable[[Path], NDArray[Any]]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".mat": _read_mat,
}
