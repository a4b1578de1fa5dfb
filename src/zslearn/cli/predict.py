"""Name the class of every row of a feature file."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zslearn.cli.arguments import add_json_argument, add_run_argument

if TYPE_CHECKING:
    from zslearn.estimator import GenerativeZSL
    from zslearn.shapes import Features

NAME = "predict"
EXAMPLE = "zslearn predict runs/glyphs-skd-s0 photos.npy --candidates unseen -o answers.csv"
COLUMNS = ("row", "label", "score", "seen")
_ROWS_AT_ONCE = 8192


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn predict``."""
    add_run_argument(parser)
    parser.add_argument("features", type=Path, metavar="FEATURES", help=".npy, .npz (key features) or .mat (features)")
    parser.add_argument(
        "--candidates",
        default="all",
        choices=("all", "seen", "unseen"),
        help="the classes to choose among (default: all)",
    )
    parser.add_argument("--uncorrected", action="store_true", help="leave out the label-shift correction")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.csv", help="where to write (default: stdout)")
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn predict``."""
    from zslearn.data.tables import read_features
    from zslearn.estimator import GenerativeZSL
    from zslearn.files import write_bytes

    estimator = GenerativeZSL.load(arguments.run_folder)
    rows = _predictions(estimator, read_features(arguments.features), arguments)
    if arguments.json:
        text = json.dumps(list(rows), indent=2) + "\n"
    else:
        table = io.StringIO()
        writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "seen": str(row["seen"]).lower()} for row in rows)
        text = table.getvalue()
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        write_bytes(arguments.output, text.encode())
    return 0


def _predictions(
    estimator: GenerativeZSL, features: Features, arguments: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Yield one answer per row; the score is the probability of the answered class."""
    names = estimator.candidate_names(arguments.candidates)
    seen = set(estimator.seen_classes_.tolist())
    for start in range(0, len(features), _ROWS_AT_ONCE):
        block = features[start : start + _ROWS_AT_ONCE]
        shares = estimator.predict_proba(block, arguments.candidates, corrected=not arguments.uncorrected)
        for offset, (best, share) in enumerate(zip(shares.argmax(axis=1), shares.max(axis=1), strict=True)):
            label = names[best]
            yield {"row": start + offset, "label": label, "score": round(float(share), 6), "seen": label in seen}
