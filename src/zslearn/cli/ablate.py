"""Take a model's parts away one by one, and compare.

Runs the eight combinations of semantic regularization, preservation and distillation, the terms within each part, the
other teachers of the distillation and, on demand, controls; prints paired gains. A second run does only what is
missing.
"""

from __future__ import annotations

import argparse

from zslearn.cli.arguments import add_arms_arguments, add_engine_arguments, add_json_argument

NAME = "ablate"
EXAMPLE = "zslearn ablate --data glyphs --splits 0 1 2 --seeds 0 1 2 3 4 --controls"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn ablate``."""
    add_arms_arguments(parser, NAME)
    parser.add_argument(
        "--controls", action="store_true", help="also run the controls: what knowledge and generation add"
    )
    parser.add_argument(
        "--arm",
        nargs="+",
        action="append",
        default=[],
        metavar=("NAME", "FIELD=VALUE"),
        help="one more arm, with these settings; may be given again",
    )
    add_engine_arguments(parser)
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn ablate``."""
    from zslearn.cli.experiments import arms_experiment, run_experiment
    from zslearn.configuration import build, parse_assignments
    from zslearn.errors import ConfigError
    from zslearn.experiments.arms import Arm, ablation_arms
    from zslearn.models import model_entry

    configuration = model_entry(arguments.model).load().Config
    settings = parse_assignments(arguments.assignments)
    arms = list(ablation_arms(arguments.model, configuration, settings, controls=arguments.controls))
    for name, *assignments in arguments.arm:
        own = {**arms[0].settings, **parse_assignments(assignments)}
        build(configuration, {**settings, **own})
        if name in {arm.name for arm in arms}:
            raise ConfigError(f"there are two arms called {name!r}", remedy="Give --arm another name.")
        arms.append(Arm(name=name, settings=own))
    experiment = arms_experiment(arguments, "ablation", settings, tuple(arms))
    return run_experiment(experiment, arguments)
