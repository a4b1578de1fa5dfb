"""Spare training and encoding the page faults of glibc's default allocator."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_KEEP_BYTES = 1 << 30
_RETURN_BYTES = 1 << 22
_MOST_OLD_MMAP_BYTES = 1 << 25
"""Larger thresholds for mapping are refused by glibc before 2.35."""


def keep_freed_memory() -> bool:
    """Make malloc keep large freed blocks for the next step instead of returning them to the system.

    Gradients and temporaries of the same sizes are freed and allocated in every step; by default glibc maps and
    unmaps them each time, and the page faults can cost a third of the training time and more than half of the time
    that a backbone takes. Only speed changes.

    Returns:
        Whether the platform has the setting and took it.
    """
    return _set_thresholds(_KEEP_BYTES)


def return_freed_memory() -> bool:
    """Make malloc return large freed blocks to the system at once, and now what it has kept.

    Between trainings blocks of ever other sizes are needed: kept, they would be of no use and add up.

    Returns:
        Whether the platform has the setting and took it.
    """
    trim = _of_libc("malloc_trim")
    if not _set_thresholds(_RETURN_BYTES) or trim is None:
        return False
    trim(0)
    return True


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep freed memory as long as this lasts."""
    keep_freed_memory()
    try:
        yield
    finally:
        return_freed_memory()


def _set_thresholds(n_bytes: int) -> bool:
    mallopt = _of_libc("mallopt")
    if mallopt is None:
        return False
    trims = bool(mallopt(_M_TRIM_THRESHOLD, n_bytes))
    maps = mallopt(_M_MMAP_THRESHOLD, n_bytes) or mallopt(_M_MMAP_THRESHOLD, min(n_bytes, _MOST_OLD_MMAP_BYTES))
    return trims and bool(maps)


def _of_libc(name: str) -> Callable[..., Any] | None:
    """Return a function of glibc; None where the C library has no function of that name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
