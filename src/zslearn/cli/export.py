"""Write the predictor of a finished run for other programs, and check its answers."""

from __future__ import annotations

import argparse
from pathlib import Path

from zslearn.cli.arguments import add_run_argument

NAME = "export"
EXAMPLE = "zslearn export runs/glyphs-skd-s0 --format onnx -o letters.onnx"
_FORMATS = ("onnx",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn export``."""
    add_run_argument(parser)
    parser.add_argument("--format", choices=_FORMATS, default="onnx", help="what to write (default: onnx)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="where to write")


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn export``."""
    from zslearn.estimator import GenerativeZSL
    from zslearn.exporting import export_onnx

    estimator = GenerativeZSL.load(arguments.run_folder, device="cpu")
    difference = export_onnx(estimator, arguments.output)
    print(
        f"{arguments.output}: {estimator.n_features_in_} features to scores and probabilities of "
        f"{len(estimator.classes_)} classes; probabilities within {difference:.1g} of the original"
    )
    return 0
