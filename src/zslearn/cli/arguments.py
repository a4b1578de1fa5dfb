"""Arguments that several commands take."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_data_arguments(parser: argparse.ArgumentParser, default: str | None) -> None:
    """Add the arguments that name a data set.

    Args:
        parser: Where to add them.
        default: The data set without ``--data``; None for that of the run.
    """
    shown = default if default is not None else "that of the run"
    parser.add_argument(
        "--data", default=default, metavar="NAME|FOLDER", help=f"glyphs, a known name, or a folder (default: {shown})"
    )
    parser.add_argument("--features", metavar="FILE", help="the feature file, where the folder holds several")
    parser.add_argument(
        "--semantics", metavar="FILE", help="vectors of the classes, or the split file (default: that of the folder)"
    )
    parser.add_argument(
        "--split",
        default=None if default is None else "official",
        metavar="official|N",
        help="the official split, or the seeded class split N"
        + (" (default: official)" if default is not None else " (default: that of the run)"),
    )


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_run_argument(parser: argparse.ArgumentParser) -> None:
    """Add the run folder as the first argument."""
    parser.add_argument(
        "run_folder", type=Path, metavar="RUN", help="the folder of a finished run, or of a saved model"
    )
