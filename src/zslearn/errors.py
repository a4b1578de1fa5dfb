"""Every error that zslearn raises on purpose; each message carries its remedy."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterable, Sequence
from types import ModuleType

_LONGEST = 2000
_MEMORY = re.compile("out of memory|not enough memory|allocate memory|size calculation overflowed")


class ZslearnError(Exception):
    """Something is wrong that the user can put right.

    Args:
        what: What is wrong, in one clause.
        expected: What would have been right.
        received: What came instead.
        remedy: What to do, as a sentence.
    """

    def __init__(
        self,
        what: str,
        *,
        expected: str | None = None,
        received: str | None = None,
        remedy: str | None = None,
    ) -> None:
        facts = [f"{name} {value}" for name, value in (("expected", expected), ("received", received)) if value]
        message = what + (f" ({'; '.join(facts)})" if facts else "") + "."
        super().__init__(printable(f"{message} {remedy}" if remedy else message))
        self.what = what
        self.expected = expected
        self.received = received
        self.remedy = remedy


class DataError(ZslearnError, ValueError):
    """Features, labels, semantics or the files that hold them are not usable."""


class ConfigError(ZslearnError, ValueError):
    """A setting has a wrong name, type or range, or contradicts another."""


class UnknownNameError(ZslearnError, LookupError):
    """A name stands for nothing that zslearn knows."""


class MissingExtraError(ZslearnError, ImportError):
    """A part of zslearn was asked for whose optional packages are not installed."""


class RunFolderError(ZslearnError, OSError):
    """A run folder is missing, foreign, damaged, unfinished, or not empty where a new one is to be written."""

    # OSError's own __str__ would print its (empty) errno fields.
    __str__ = Exception.__str__


class TrainingError(ZslearnError, RuntimeError):
    """Training stopped because its numbers can no longer be trusted."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Build the error for an unknown name, with the nearest known names as its remedy.

    Args:
        kind: What the name should have named, such as ``"model"``.
        name: The name that came.
        known: All names that would have been right.
    """
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    remedy = f"Did you mean {' or '.join(nearest)}?" if nearest else f"Known: {', '.join(names) or 'none'}."
    return UnknownNameError(f"there is no {kind} called {name!r}", remedy=remedy)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; torch has no exception class for it on the host."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and bool(_MEMORY.search(str(error))))


def require_extra(module: str, extra: str) -> ModuleType:
    """Import an optional package.

    Args:
        module: The module to import.
        extra: The extra of zslearn that installs it.

    Raises:
        MissingExtraError: If it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"the package {module!r} is not installed",
            remedy=f"Install it with: python -m pip install 'zslearn[{extra}]'",
        ) from error


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def listed(items: Sequence[object], limit: int = 5) -> str:
    """Return the first few items as text, with the number of the others."""
    shown = ", ".join(str(item) for item in items[:limit])
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit} more"


def printable(message: str) -> str:
    """Return a message as one line: what files and names smuggle into it reaches no terminal."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST // 2]} ... {shown[-_LONGEST // 2 :]}"
