"""Move a model's settings one at a time, and compare each value with what is set.

Without --field it moves each weight, each temperature and the number of synthetic samples. A second run does only what
is missing.
"""

from __future__ import annotations

import argparse
from typing import Any

from zslearn.cli.arguments import add_arms_arguments, add_engine_arguments, add_json_argument

NAME = "sweep"
EXAMPLE = "zslearn sweep --field sp_weight --values 0 0.3 1 3 --splits 0 1 2 --seeds 0 1 2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn sweep``."""
    add_arms_arguments(parser, NAME)
    parser.add_argument(
        "--field", action="append", default=[], metavar="NAME", help="a setting that is a number; may be given again"
    )
    parser.add_argument(
        "--values",
        nargs="+",
        action="append",
        default=[],
        metavar="VALUE",
        help="the values of the --field before it (default: some around what is set)",
    )
    add_engine_arguments(parser)
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn sweep``."""
    from zslearn.cli.experiments import arms_experiment, run_experiment
    from zslearn.configuration import parse_assignments
    from zslearn.experiments.arms import sweep_arms
    from zslearn.models import model_entry

    configuration = model_entry(arguments.model).load().Config
    settings = parse_assignments(arguments.assignments)
    arms = sweep_arms(configuration, settings, _values(arguments))
    return run_experiment(arms_experiment(arguments, "sweep", settings, arms), arguments)


def _values(arguments: argparse.Namespace) -> dict[str, tuple[Any, ...]] | None:
    """Return the values of each field, empty where the usual ones are wanted; None without a field."""
    from zslearn.configuration import parse_value
    from zslearn.errors import ConfigError

    if arguments.values and len(arguments.values) != len(arguments.field):
        raise ConfigError(
            "fields and values do not fit together",
            expected="--values after each --field, or none at all",
            received=f"{len(arguments.field)} times --field and {len(arguments.values)} times --values",
            remedy="Write --field NAME --values VALUE VALUE for each setting.",
        )
    if not arguments.field:
        return None
    texts = arguments.values or [[]] * len(arguments.field)
    return {
        field: tuple(parse_value(field, text) for text in values)
        for field, values in zip(arguments.field, texts, strict=True)
    }
