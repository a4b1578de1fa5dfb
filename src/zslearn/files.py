"""Writing files so that a reader finds the old content or the new, never a part."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

_UNFINISHED = ".unfinished-"


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file under a temporary name in the same folder, flush it to disk, and rename it.

    Args:
        path: The file to make or replace.
        write: Writes the content to the path that it is given.

    Raises:
        OSError: If writing fails; the file is then as it was, and nothing else is left behind. (If the very last
            flush fails, the file is new and whole, but may be the old one again after a power failure.)
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:64]}{_UNFINISHED}", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        # The temporary name would mean nothing to the reader of the message.
        raise OSError(error.errno, error.strerror, str(path)) from error
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def remove_unfinished(folder: Path) -> None:
    """Remove what writes left behind that were killed; no other process may be writing there."""
    for path in folder.glob(f".*{_UNFINISHED}*"):
        path.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(content)

    write_atomic(path, write)


def write_json(path: Path, value: Any, *, indent: int | None = 2) -> None:
    """Write JSON atomically; numbers that are not finite are refused.

    Args:
        path: The file to make or replace.
        value: What to write.
        indent: Spaces for each level; None for one line without spaces, for what only programs read.
    """
    separators = (",", ":") if indent is None else None
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def _flush_folder(folder: Path) -> None:
    """Make a rename outlive a power failure, where the platform can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        # Windows opens no folders.
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise OSError(error.errno, error.strerror, str(folder)) from error
    finally:
        os.close(handle)
