"""Writing files so that a reader finds the old content or the new, never a part."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

_UNFINISHED = ".unfinished-"
_OPEN_FILES = {Path("/dev/stdout"), Path("/dev/stderr"), Path("/dev/fd"), Path("/proc")}
"""What leads, or whose files lead, to what a process has open."""


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file under a temporary name in the same folder, flush it to disk, and rename it.

    A new file has the rights that the process gives to new files, one that is replaced keeps its own. A link is
    replaced, and what it points to stays as it is: that may be in a store that others read. Devices, pipes and links to
    open files (``/dev/stdout``) cannot be replaced, and get the content when it is complete.

    Args:
        path: The file to make or replace.
        write: Writes the content to the path that it is given.

    Raises:
        OSError: If writing fails; the file is then as it was, and nothing else is left behind. (If the very last
            flush fails, the file is new and whole, but may be the old one again after a power failure.)
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    place = path.absolute()
    if path.exists() and not (path.is_file() and _OPEN_FILES.isdisjoint((place, *place.parents))):
        _write_through(path, write)
        return
    temporary = path.with_name(f".{path.name[:64]}{_UNFINISHED}{secrets.token_hex(4)}{path.suffix}")
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        # The temporary name would mean nothing to the reader of the message.
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        mode = stat.S_IMODE((path if path.exists() else temporary).stat().st_mode)
        # Before there is anything in it: what others could not read stays so.
        temporary.chmod(mode | stat.S_IRUSR | stat.S_IWUSR)
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(mode)
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


def _write_through(path: Path, write: Callable[[Path], None]) -> None:
    """Write what is not an ordinary file; formats that go back and forth in theirs are made elsewhere."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, f"whole{path.suffix}")
        write(whole)
        # What a file that the process has open holds already stays.
        with whole.open("rb") as source, path.open("ab" if path.is_file() else "wb") as target:
            shutil.copyfileobj(source, target)


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
