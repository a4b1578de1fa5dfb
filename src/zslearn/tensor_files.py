"""Safetensors files with facts beside the tensors, bounded before memory is taken for what they hold."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
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
METADATA = "__metadata__"
"""Where a header has its texts."""
_FACTS = "facts"
_DIGEST = "digest"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any] | None = None) -> None:
    """Write tensors atomically, with facts and a digest of both.

    Args:
        path: The file to make or replace.
        tensors: Tensors by name.
        facts: JSON-able facts.

    Raises:
        OSError: If it cannot be written; the file is then as it was.
    """
    on_host = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(facts or {}, ensure_ascii=False, allow_nan=False)
    write_safetensors(path, on_host, {_FACTS: text, _DIGEST: _digest(on_host, text)})


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file atomically.

    Args:
        path: The file to make or replace.
        tensors: Contiguous tensors on the host, by name.
        metadata: Texts by name.

    Raises:
        OSError: If it cannot be written; the file is then as it was.
    """

    def write(temporary: Path) -> None:
        try:
            save_file(dict(tensors), temporary, dict(metadata))
        except SafetensorError as error:
            # A full disk arrives as a text.
            raise OSError(str(error)) from error

    write_atomic(path, write)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Read tensors and facts that ``write_tensors`` wrote.

    Raises:
        OSError: If the file cannot be read.
        DataError: If it is too large or no ordinary file.
        ValueError: If it is damaged or foreign; nothing of the size that it claims was allocated.
    """
    header = tensor_header(path)
    metadata = header.get(METADATA, {})
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    text = metadata.get(_FACTS, "{}")
    if _DIGEST in metadata and metadata[_DIGEST] != _digest(tensors, text):
        raise ValueError("its content does not match its digest")
    return tensors, parse_json(text)


def tensor_header(path: Path) -> dict[str, Any]:
    """Read and check the header of a safetensors file: type, shape and place of every tensor.

    Raises:
        OSError: If the file cannot be read.
        DataError: If it is too large or no ordinary file.
        ValueError: If what it claims does not add up to its size.
    """
    n_bytes = check_file(path)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if length > min(MAX_HEADER_BYTES, n_bytes - _LENGTH_BYTES):
            raise ValueError(f"its header claims {length} of {n_bytes} bytes")
        header = parse_json(file.read(length).decode())
    if not isinstance(header, dict) or len(header) > MAX_TENSORS:
        raise ValueError("its header is no list of tensors")
    metadata = header.get(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its header has facts of a wrong kind")
    places = sorted(_place(name, entry) for name, entry in header.items() if name != METADATA)
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
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
