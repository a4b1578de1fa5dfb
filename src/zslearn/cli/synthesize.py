"""Draw samples of classes, seen or unseen, from a finished run's generator."""

from __future__ import annotations

import argparse
from pathlib import Path

from zslearn.cli.arguments import add_run_argument, split_names

NAME = "synthesize"
EXAMPLE = "zslearn synthesize runs/glyphs-skd-s0 --classes J,8 -n 100 -o drawn.npz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn synthesize``."""
    add_run_argument(parser)
    parser.add_argument(
        "--classes",
        required=True,
        metavar="A,B",
        help="class names, separated by commas; names with a comma in double quotes",
    )
    parser.add_argument("-n", dest="n_samples", type=int, default=100, help="samples of each class (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same samples (default: 0)")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE.npz", help="arrays features and labels"
    )


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn synthesize``."""
    import numpy as np

    from zslearn.errors import ConfigError
    from zslearn.estimator import GenerativeZSL
    from zslearn.files import write_atomic
    from zslearn.inputs import typed_name

    if arguments.n_samples < 1:
        raise ConfigError(
            "there is nothing to draw",
            expected="-n of at least 1",
            received=str(arguments.n_samples),
            remedy="Give a larger number.",
        )
    estimator = GenerativeZSL.load(arguments.run_folder)
    known = estimator.classes_.tolist()
    names = [typed_name(name, known) for name in split_names(arguments.classes)]
    drawn = estimator.synthesize(names, arguments.n_samples, seed=arguments.seed)
    labels = np.repeat(np.array(names), arguments.n_samples)

    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.savez_compressed(file, features=drawn.reshape(len(labels), -1), labels=labels)

    write_atomic(arguments.output, write)
    print(f"{len(labels)} samples of {len(names)} classes: {arguments.output}")
    return 0
