"""Fetch a model that was pushed, and check it before it is used."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "pull"
EXAMPLE = "zslearn pull letters -o model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn pull``."""
    parser.add_argument("source", metavar="SOURCE", help="a folder, or hub:OWNER/NAME on the Hugging Face hub")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="a new or empty folder")


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn pull``."""
    from zslearn.sharing import pull

    estimator = pull(arguments.source, arguments.out)
    n_seen, n_unseen = len(estimator.seen_classes_), len(estimator.unseen_classes_)
    print(f"{arguments.out}: {estimator.model}, {n_seen} seen and {n_unseen} unseen classes, checked")
    return 0
