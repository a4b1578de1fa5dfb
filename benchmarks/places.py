"""Where a benchmark keeps its runs, one file for each, so that none is made twice unasked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def place(folder: Path, stem: str, is_asked: Callable[[Mapping[str, Any]], bool]) -> Path:
    """Return the file of a run, which is there if it is kept: runs that differ in settings alone have one each.

    Args:
        folder: Where the runs are kept.
        stem: Begins the file's name.
        is_asked: Whether a record is the one that is asked for.
    """
    path, number = folder / f"{stem}.json", 1
    while path.exists() and not is_asked(json.loads(path.read_text(encoding="utf-8"))):
        number += 1
        path = folder / f"{stem}-{number}.json"
    return path


def kept_already(path: Path) -> bool:
    """Say whether the file of a run is there; whoever asked for the run is told where."""
    if path.exists():
        print(f"kept already: {path}")
    return path.exists()
