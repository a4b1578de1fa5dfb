"""Measure a finished run's model again, on its own data or on given data."""

from __future__ import annotations

import argparse
import json
import sys

from zslearn.cli.arguments import add_data_arguments, add_json_argument, add_run_argument

NAME = "evaluate"
EXAMPLE = "zslearn evaluate runs/glyphs-skd-s0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn evaluate``."""
    add_run_argument(parser)
    add_data_arguments(parser, default=None)
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn evaluate``."""
    from zslearn.runs import read_record

    record = read_record(arguments.run_folder)

    from zslearn.cli.loading import load_run_data
    from zslearn.estimator import GenerativeZSL
    from zslearn.evaluation.protocol import measure
    from zslearn.report.tables import result_table

    estimator = GenerativeZSL.load(arguments.run_folder)
    dataset = load_run_data(arguments, record, estimator)
    test = dataset.test()
    same_data = dataset.checksum == record["data"]["checksum"]
    measured = measure(estimator.decision_scores(test.features, corrected=False), test, estimator.offset_)
    result = {
        "model": record["model"],
        "metrics": measured.plain.as_dict(),
        "metrics_corrected": measured.corrected.as_dict(),
        "references": record["references"] if same_data else {},
    }
    if not same_data:
        print("note: these are not the data of the run; its references do not apply.", file=sys.stderr)
    print(json.dumps(result, indent=2) if arguments.json else result_table(result))
    return 0
