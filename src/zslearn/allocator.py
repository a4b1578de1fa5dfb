"""Spare training and encoding the page faults of glibc's default allocator."""

from __future__ import annotations

import ctypes
import functools
import sys

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_KEEP_BYTES = 1 << 30


@functools.cache
def keep_freed_memory() -> bool:
    """Make malloc keep large freed blocks for the next step instead of returning them to the system.

    Gradients and temporaries of the same sizes are freed and allocated in every step; by default glibc maps and
    unmaps them each time, and the page faults can cost a third of the training time and more than half of the time
    that a backbone takes. Only speed changes.

    Returns:
        Whether the platform has the setting and took it.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES)) and bool(mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES))
