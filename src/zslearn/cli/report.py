"""Make a page to read, or tables to paste, from a run or an experiment."""

from __future__ import annotations

import argparse
from pathlib import Path

from zslearn.report import FORMATS

NAME = "report"
EXAMPLE = "zslearn report runs/glyphs-skd-s0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn report``."""
    parser.add_argument("folder", type=Path, metavar="RUN|EXPERIMENT", help="a folder of zslearn run or benchmark run")
    parser.add_argument("--format", choices=FORMATS, default="html", help="what to write (default: html)")
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="FILE",
        help="where to write (html: FOLDER/report.html, others: standard output)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn report``."""
    from zslearn.report.page import make_report, write_report

    path = arguments.out or (arguments.folder / "report.html" if arguments.format == "html" else None)
    if path is None:
        print(make_report(arguments.folder, arguments.format), end="")
    else:
        write_report(arguments.folder, path, arguments.format)
        print(path)
    return 0
