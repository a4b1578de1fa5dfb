"""One process at a time in a folder, even where the one before it was killed."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from zslearn.errors import RunFolderError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = "run.lock"
"""Lies in a folder while a process works there."""
_LARGEST_NOTE = 1000
_ON_WINDOWS = os.name == "nt"
_BINARY = getattr(os, "O_BINARY", 0)
"""A flag that Windows alone has."""


class FolderLock:
    """Holds a folder until it is released or the process ends, however it ends.

    The lock is the operating system's, on a file that says who holds it. A file that a killed process left is
    recognised: nobody holds it any more, or no process has its number. A file of another host counts as held, as
    not every shared file system tells other hosts of its locks.

    Args:
        folder: The folder, which must exist.

    Raises:
        RunFolderError: If another process holds it.
        OSError: If the lock file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK_FILE
        self._handle = self._acquire()

    def release(self) -> None:
        """Let others in; the lock file is removed."""
        if self._handle is not None:
            # A file that is open cannot be removed on Windows; elsewhere nobody must get it in between.
            if _ON_WINDOWS:
                os.close(self._handle)
            self.path.unlink(missing_ok=True)
            if not _ON_WINDOWS:
                os.close(self._handle)
            self._handle = None

    def _acquire(self) -> int | None:
        while True:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | _BINARY, 0o644)
            try:
                self._take(handle)
                if _still_there(handle, self.path):
                    os.ftruncate(handle, 0)
                    os.lseek(handle, 0, os.SEEK_SET)
                    os.write(handle, json.dumps({"pid": os.getpid(), "host": platform.node()}).encode())
                    return handle
            except BaseException:
                os.close(handle)
                raise
            # Its last holder removed the file between our opening and locking it.
            os.close(handle)

    def _take(self, handle: int) -> None:
        """Lock the open file, or say who has it."""
        pid, host = _holder(handle)
        here = host in (None, platform.node())
        locked = False
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                locked = True
            except BlockingIOError as error:
                raise self._held(pid, host) from error
            except OSError:
                # The file system knows no locks: the note has to do.
                locked = False
        if not here or (not locked and pid is not None and pid != os.getpid() and _runs(pid)):
            raise self._held(pid, host)

    def _held(self, pid: int | None, host: str | None) -> RunFolderError:
        holder = f"process {pid} on {host}" if pid else "another process"
        return RunFolderError(
            f"{self.path.parent} is in use",
            expected="a folder that no other process works in",
            received=f"the lock of {holder}",
            remedy=f"Wait for it, take another folder, or, if that process has ended, delete {self.path}.",
        )


def is_free(folder: Path) -> bool:
    """Whether there is nothing at a place, or a folder without files but the lock that a killed process left."""
    return not folder.exists() or (folder.is_dir() and all(path.name == LOCK_FILE for path in folder.iterdir()))


@contextlib.contextmanager
def told_as(what: str, remedy: str) -> Iterator[None]:
    """Tell of a folder that the system refuses in words, and let what says them already pass.

    Args:
        what: What is wrong then.
        remedy: What to do.

    Raises:
        RunFolderError: Instead of every other OSError.
    """
    try:
        yield
    except RunFolderError:
        raise
    except OSError as error:
        raise RunFolderError(what, received=error.strerror, remedy=remedy) from error


def _holder(handle: int) -> tuple[int | None, str | None]:
    """Return process and host that the lock file names, where it names them."""
    with contextlib.suppress(ValueError, RecursionError):
        os.lseek(handle, 0, os.SEEK_SET)
        match json.loads(os.read(handle, _LARGEST_NOTE)):
            case {"pid": int(pid), "host": str(host)} if pid > 0:
                return pid, host
    return None, None


def _still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _runs(pid: int) -> bool:
    if _ON_WINDOWS:
        # There a signal of 0 is an interrupt: to ask would be to stop it.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
