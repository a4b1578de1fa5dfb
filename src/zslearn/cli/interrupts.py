"""Stopping in two ways: after the current step with the state saved, or at once."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self


class GentleInterrupts:
    """While it lasts, the first Ctrl-C (or SIGTERM) asks for a stop, and the second one stops at once.

    Args:
        ask_to_stop: Asks for the stop; says whether it will come.
    """

    def __init__(self, ask_to_stop: Callable[[], bool]) -> None:
        self._ask_to_stop = ask_to_stop
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Take over the signals, where that is possible: in the main thread alone."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._ask_to_stop():
            raise KeyboardInterrupt
        # The signal may have come in the middle of another print.
        with contextlib.suppress(RuntimeError):
            print("\nstopping after this step; press Ctrl-C again to stop at once.", file=sys.stderr)
