"""Where the parts of an experiment's folder lie: its plan, the record and the sheet of each run, the searches."""

from __future__ import annotations

from pathlib import Path
from typing import Final

EXPERIMENT_FILE: Final = "experiment.json"
RECORDS: Final = "records"
SHEETS: Final = "sheets"
SEARCHES: Final = "search"


def record_path(folder: Path, key: str) -> Path:
    """Return where the record of a run is."""
    return folder / RECORDS / f"{key}.json"


def sheet_path(folder: Path, key: str) -> Path:
    """Return where the sheet of a run is."""
    return folder / SHEETS / f"{key}.json"


def journal_path(folder: Path, key: str) -> Path:
    """Return where the journal of a search is."""
    return folder / SEARCHES / f"{key}.journal"
