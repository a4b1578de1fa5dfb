"""MATLAB files of level 5, read without trust: arrays of numbers, texts and cells of texts.

scipy's reader follows the type codes of a damaged file to memory that is not its own, and takes the whole process
down; here every code and every length is checked before it is used. Format: MathWorks, "MAT-File Format".
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from zslearn.errors import DataError
from zslearn.limits import check_array, check_unpacked

HEADER_BYTES = 128
ORDERS = {b"IM": "<", b"MI": ">"}
"""What ends the header, and the order of bytes that it stands for."""
MAX_CELLS = 1_000_000
"""How many texts a cell array may hold."""

_TAG_BYTES = 8
_SMALL_BYTES = 4
_FLAG_BYTES = 8
_SIDE_BYTES = 4
_MAX_SIDES = 32
_MAX_NAME_BYTES = 256
_CHUNK_BYTES = 1 << 20
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_ORDERED_TEXTS = ("utf-16", "utf-32")
_CELL, _CHARACTERS, _OPAQUE = 1, 4, 17
_NUMERIC = range(6, 16)
_OTHERS = {2: "a structure", 3: "an object", 5: "a sparse matrix", 16: "a function", _OPAQUE: "an object"}
_COMPLEX = 0x0800


@dataclass(frozen=True)
class Variable:
    """A variable, and the element of the file that holds it.

    Attributes:
        name: The variable's name.
        shape: Its shape, as MATLAB counts.
        place: Where the element's content begins, in bytes from the start of the file.
        n_bytes: Size of that content in the file.
        compressed: Whether the content is compressed.
    """

    name: str
    shape: tuple[int, ...]
    place: int
    n_bytes: int
    compressed: bool


def level5_variables(path: Path) -> list[Variable]:
    """Return the variables of a file, without reading their values.

    Raises:
        OSError, ValueError, struct.error, zlib.error: If the file is damaged.
        DataError: If one unpacks to more than such a file may claim.
    """
    found = []
    with path.open("rb") as file:
        order = _order(file)
        for place, n_bytes, compressed in _elements(file, order, path.stat().st_size):
            head = _Head.read(_parts(file, path, place, n_bytes, compressed, order))
            # What has no name is MATLAB's own.
            if head.name:
                found.append(Variable(head.name, head.shape, place, n_bytes, compressed))
    return found


def read_level5(path: Path, variable: Variable) -> NDArray[Any]:
    """Read a variable of a file.

    Returns:
        Numbers of any shape as they are stored; of a character matrix the rows, of a cell array the texts, as objects
        of `str`.

    Raises:
        OSError, ValueError, struct.error, zlib.error: If the file is damaged.
        DataError: If the variable is something else, or claims more memory than such a file may.
    """
    what = f"{variable.name} in {path.name}"
    with path.open("rb") as file:
        parts = _parts(file, path, variable.place, variable.n_bytes, variable.compressed, _order(file))
        value = _value(parts, _Head.read(parts), what, path.stat().st_size)
        parts.source.finish()
        return value


class _Source(Protocol):
    """Bytes, one after the other."""

    def read(self, n_bytes: int) -> bytearray:
        """Return exactly so many bytes, or raise a ValueError."""

    def finish(self) -> None:
        """Make sure that what was read is what was written, where the source can tell."""


class _Stored:
    """A stretch of a file.

    Args:
        file: Stands where the stretch begins.
        n_bytes: The length of it.
    """

    def __init__(self, file: io.BufferedIOBase, n_bytes: int) -> None:
        self._file = file
        self.left = n_bytes

    def read(self, n_bytes: int) -> bytearray:
        if n_bytes > self.left:
            raise ValueError(f"{n_bytes} bytes are claimed where {self.left} are")
        self.left -= n_bytes
        content = bytearray(n_bytes)
        if self._file.readinto(content) != n_bytes:
            raise ValueError("the file ends too early")
        return content

    def finish(self) -> None:
        """There is no checksum."""


class _Inflated:
    """What a compressed stretch of a file unpacks to.

    Args:
        stored: The stretch.
        path: The file, whose size bounds what a part of it may unpack to.
    """

    def __init__(self, stored: _Stored, path: Path) -> None:
        self._stored = stored
        self._path = path
        self._stored_bytes = path.stat().st_size
        self._inflate = zlib.decompressobj()
        self._n_claimed = 0

    def read(self, n_bytes: int) -> bytearray:
        self._n_claimed += n_bytes
        check_unpacked(self._path.name, self._n_claimed, stored_bytes=self._stored_bytes)
        content = bytearray()
        while len(content) < n_bytes:
            if self._inflate.eof:
                raise ValueError("a compressed array is shorter than it claims")
            content += self._next(n_bytes - len(content))
        return content

    def finish(self) -> None:
        """Read to the end, where zlib compares its checksum."""
        while not self._inflate.eof:
            self._n_claimed += len(self._next(_CHUNK_BYTES))
            check_unpacked(self._path.name, self._n_claimed, stored_bytes=self._stored_bytes)

    def _next(self, most: int) -> bytes:
        packed = self._inflate.unconsumed_tail or self._stored.read(min(self._stored.left, _CHUNK_BYTES))
        content = self._inflate.decompress(packed, most)
        if not content and not self._inflate.eof and not self._stored.left:
            raise ValueError("a compressed array ends too early")
        return content


class _Parts:
    """The parts of an array, each with a tag that tells its type and length."""

    def __init__(self, source: _Source, order: str) -> None:
        self.source = source
        self.order = order
        self._n_bytes = 0
        self._n_padding = 0
        self._small: bytearray | None = None

    def begin(self) -> tuple[int, int]:
        """Go to the next part, and return its type and length."""
        self.source.read(self._n_padding)
        tag = self.source.read(_TAG_BYTES)
        kind, self._n_bytes = struct.unpack(f"{self.order}II", tag)
        n_small = kind >> 16
        self._small = tag[_SMALL_BYTES : _SMALL_BYTES + n_small] if n_small else None
        if n_small:
            kind, self._n_bytes = kind & 0xFFFF, n_small
        self._n_padding = 0 if n_small else -self._n_bytes % _TAG_BYTES
        if n_small > _SMALL_BYTES:
            raise ValueError(f"a tag claims to hold {n_small} bytes")
        return kind, self._n_bytes

    def content(self) -> bytearray:
        """Return what is in the part."""
        return self.source.read(self._n_bytes) if self._small is None else self._small

    def next(self, most: int) -> bytearray:
        """Go to the next part and return what is in it, which may not be longer than so many bytes."""
        _, n_bytes = self.begin()
        if n_bytes > most:
            raise ValueError(f"a part of a header claims {n_bytes} bytes")
        return self.content()


@dataclass(frozen=True)
class _Head:
    """What an array begins with."""

    kind: int
    is_complex: bool
    shape: tuple[int, ...]
    name: str

    @classmethod
    def read(cls, parts: _Parts) -> Self:
        flags, _ = struct.unpack(f"{parts.order}II", parts.next(_FLAG_BYTES))
        kind = flags & 0xFF
        # Objects of MATLAB's newer kinds have no sides.
        sides = b"" if kind == _OPAQUE else parts.next(_MAX_SIDES * _SIDE_BYTES)
        shape = struct.unpack(f"{parts.order}{len(sides) // _SIDE_BYTES}i", sides)
        if any(side < 0 for side in shape):
            raise ValueError(f"an array has the shape {shape}")
        return cls(kind, bool(flags & _COMPLEX), shape, parts.next(_MAX_NAME_BYTES).decode("latin-1"))

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def _order(file: io.BufferedIOBase) -> str:
    return ORDERS[file.read(HEADER_BYTES)[-2:]]


def _elements(file: io.BufferedIOBase, order: str, stored_bytes: int) -> Iterator[tuple[int, int, bool]]:
    """Yield place, length and whether it is compressed of every variable."""
    place = HEADER_BYTES
    while place < stored_bytes:
        file.seek(place)
        kind, n_bytes = struct.unpack(f"{order}II", file.read(_TAG_BYTES))
        place += _TAG_BYTES
        if kind not in (_MATRIX, _COMPRESSED):
            raise ValueError(f"there is an element of type {kind} where a variable should be")
        if n_bytes > stored_bytes - place:
            raise ValueError("the file ends too early")
        yield place, n_bytes, kind == _COMPRESSED
        place += n_bytes


def _parts(file: io.BufferedIOBase, path: Path, place: int, n_bytes: int, compressed: bool, order: str) -> _Parts:
    """Return the parts of a variable."""
    file.seek(place)
    stored = _Stored(file, n_bytes)
    if not compressed:
        return _Parts(stored, order)
    parts = _Parts(_Inflated(stored, path), order)
    kind, _ = parts.begin()
    if kind != _MATRIX:
        raise ValueError(f"an element of type {kind} is compressed where a variable should be")
    return _Parts(parts.source, order)


def _value(parts: _Parts, head: _Head, what: str, stored_bytes: int) -> NDArray[Any]:
    if head.kind == _CELL:
        return _cells(parts, head, what, stored_bytes)
    if head.kind == _CHARACTERS:
        return _objects(_rows(parts, head, what, stored_bytes))
    if head.kind in _NUMERIC and not head.is_complex:
        return _numbers(parts, head, what, stored_bytes)
    _refuse(what, "complex numbers" if head.is_complex else _OTHERS.get(head.kind, f"something of class {head.kind}"))


def _numbers(parts: _Parts, head: _Head, what: str, stored_bytes: int) -> NDArray[Any]:
    kind, n_bytes = parts.begin()
    dtype = np.dtype(f"{parts.order}{_known(kind, _NUMBERS)}")
    _check_length(n_bytes, head.size * dtype.itemsize)
    check_array(what, head.shape, dtype.itemsize, stored_bytes=stored_bytes)
    if not n_bytes:
        return np.empty(head.shape, dtype.newbyteorder("="))
    numbers = np.frombuffer(parts.content(), dtype).reshape(head.shape, order="F")
    return numbers.astype(dtype.newbyteorder("="), order="K", copy=False)


def _rows(parts: _Parts, head: _Head, what: str, stored_bytes: int) -> list[str]:
    """Return the rows of a character matrix."""
    kind, n_bytes = parts.begin()
    codec = _known(kind, _TEXTS)
    check_array(what, head.shape, 1, stored_bytes=stored_bytes)
    check_unpacked(what, n_bytes, stored_bytes=stored_bytes)
    suffix = "" if codec not in _ORDERED_TEXTS else "-le" if parts.order == "<" else "-be"
    text = parts.content().decode(codec + suffix)
    if not text:
        return []
    if head.shape[:-1] == (1,):
        # The sides count units of UTF-16, which may be more or fewer than what was stored.
        return [text]
    _check_length(len(text), head.size)
    letters = np.array(list(text)).reshape(head.shape, order="F")
    return ["".join(row) for row in letters.reshape(-1, head.shape[-1])]


def _cells(parts: _Parts, head: _Head, what: str, stored_bytes: int) -> NDArray[Any]:
    """Return the texts of a cell array."""
    if head.size > MAX_CELLS:
        raise DataError(
            f"{what} holds too many texts",
            expected=f"at most {MAX_CELLS:,}",
            received=f"{head.size:,}",
            remedy="Save fewer of them.",
        )
    texts = []
    for _ in range(head.size):
        kind, n_bytes = parts.begin()
        if kind != _MATRIX:
            raise ValueError(f"there is an element of type {kind} where a cell should be")
        inner = _Parts(_Stored(io.BytesIO(parts.content()), n_bytes), parts.order)
        texts.append(_cell(inner, what, stored_bytes) if n_bytes else "")
    return _objects(texts).reshape(head.shape, order="F")


def _cell(parts: _Parts, what: str, stored_bytes: int) -> str:
    head = _Head.read(parts)
    if head.kind == _CHARACTERS:
        return "".join(_rows(parts, head, what, stored_bytes))
    if head.kind in _NUMERIC and not head.size:
        # MATLAB's empty cell.
        return ""
    _refuse(what, "a cell array of more than texts")


def _objects(texts: Sequence[str]) -> NDArray[Any]:
    return np.array(texts, dtype=object)


def _known(kind: int, types: dict[int, str]) -> str:
    if kind not in types:
        raise ValueError(f"an array has entries of type {kind}")
    return types[kind]


def _check_length(received: int, expected: int) -> None:
    if received != expected:
        raise ValueError(f"an array holds {received} entries or bytes, and its shape needs {expected}")


def _refuse(what: str, received: str) -> NoReturn:
    raise DataError(
        f"{what} cannot be used",
        expected="an ordinary array",
        received=received,
        remedy="Save it again as a full array.",
    )
