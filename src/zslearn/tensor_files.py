"""Safetensors files with facts beside the tensors, bounded before memory is taken for what they hold."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from zslearn.files import write_atomic
from zslearn.limits import check_file, parse_json

MAX_TENSORS = 10_000
MAX_HEADER_BYTES = 8 << 20
_MAX_NAME = 256
_LENGTH_BYTES = 8
_ITEMSIZES = {"F64": 8, "F32": 4, "F16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_METADATA = "__metadata__"
"""Where a header has its texts."""
_FACTS = "zslearn"
"""The one text there, for those of several are stored in any order: a digest, a blank, and facts in JSON."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TensorFile:
    """What a file of tensors holds, checked against its digest."""

    tensors: dict[str, Tensor]
    """The tensors by name."""
    facts: Any
    """The facts beside them."""
    digest: str
    """The digest of both."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any] | None = None) -> str:
    """Write tensors atomically, with facts and a digest of both.

    Args:
        path: The file to make or replace.
        tensors: Tensors by name.
        facts: JSON-able facts.

    Returns:
        The digest: of names, types, shapes and numbers, and of the facts.

    Raises:
        OSError: If it cannot be written; the file is then as it was.
    """
    on_host = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(facts or {}, ensure_ascii=False, allow_nan=False)
    digest = _digest(on_host, text)

    def write(temporary: Path) -> None:
        try:
            save_file(on_host, temporary, {_FACTS: f"{digest} {text}"})
        except SafetensorError as error:
            # A full disk arrives as a text.
            raise OSError(str(error)) from error

    write_atomic(path, write)
    return digest


def read_tensors(path: Path) -> TensorFile:
    """Read tensors and facts that ``write_tensors`` wrote.

    Raises:
        OSError: If the file cannot be read.
        DataError: If it is too large or not an ordinary file.
        ValueError: If it is damaged or foreign; nothing of the size that it claims was allocated.
    """
    said, text = _told_beside(path)
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    digest = _digest(tensors, text)
    if said != digest:
        raise ValueError("its content does not match its digest")
    return TensorFile(tensors=tensors, facts=parse_json(text), digest=digest)


def stored_digest(path: Path) -> str | None:
    """Return the digest that a file says it has; None where it says nothing. Its numbers are not read.

    Raises:
        OSError: If the file cannot be read.
        DataError: If it is too large or not an ordinary file.
        ValueError: If it is damaged or foreign.
    """
    return _told_beside(path)[0] or None


def _told_beside(path: Path) -> tuple[str, str]:
    """Return the digest and the facts in JSON that stand in the header; empty texts where there are none."""
    digest, _, text = _header(path).get(_METADATA, {}).get(_FACTS, "").partition(" ")
    return digest, text


def _header(path: Path) -> dict[str, Any]:
    """Read and check the header of a safetensors file: type, shape and place of every tensor."""
    n_bytes = check_file(path)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if length > min(MAX_HEADER_BYTES, n_bytes - _LENGTH_BYTES):
            raise ValueError(f"its header claims {length} of {n_bytes} bytes")
        header = parse_json(file.read(length).decode())
    if not isinstance(header, dict) or len(header) > MAX_TENSORS:
        raise ValueError("its header is not a list of tensors")
    metadata = header.get(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its header has facts of a wrong kind")
    places = sorted(_place(name, entry) for name, entry in header.items() if name != _METADATA)
    end = 0
    for start, stop in places:
        if start != end:
            raise ValueError("its tensors overlap or leave gaps")
        end = stop
    if end != n_bytes - _LENGTH_BYTES - length:
        raise ValueError(f"its tensors take {end} bytes, and {n_bytes - _LENGTH_BYTES - length} are there")
    return header


def _place(name: str, entry: Any) -> tuple[int, int]:
    """Return where a tensor lies in the file, checked against its shape."""
    if len(name) > _MAX_NAME or not name.isprintable():
        raise ValueError(f"a tensor has the name {name[:40]!r}")
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(start), int(stop)]} if (
            dtype in _ITEMSIZES and all(type(side) is int and side >= 0 for side in shape)
        ):
            if 0 <= start <= stop and stop - start == math.prod(shape) * _ITEMSIZES[dtype]:
                return start, stop
    raise ValueError(f"the tensor {name!r} has no usable type, shape and place")


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    digest = hashlib.blake2b(text.encode(), digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}/{tensor.dtype}/{tuple(tensor.shape)}".encode())
        digest.update(np.ascontiguousarray(tensor.numpy()).data)
    return digest.hexdigest()
