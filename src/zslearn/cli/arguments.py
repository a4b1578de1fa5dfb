"""Arguments that several commands take."""

from __future__ import annotations

import argparse
import csv
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from zslearn.errors import ConfigError

if TYPE_CHECKING:
    from zslearn.tracking import Trackers


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
    _add_file_arguments(parser)
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


def add_set_argument(parser: argparse.ArgumentParser, text: str) -> None:
    """Add ``--set``, whose words end in ``assignments``.

    Args:
        parser: Where to add it.
        text: What help says of it.
    """
    parser.add_argument(
        "--set", dest="assignments", nargs="+", action="extend", default=[], metavar="FIELD=VALUE", help=text
    )


def add_arms_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the arguments that say what an ablation or a sweep runs on.

    Args:
        parser: Where to add them.
        name: The command, which begins the name of the default folder.
    """
    parser.add_argument("--model", default="skd", help="a model of the zoo (default: skd)")
    parser.add_argument(
        "--data", default="glyphs", metavar="NAME|FOLDER", help="glyphs, a known name, or a folder (default: glyphs)"
    )
    _add_file_arguments(parser)
    parser.add_argument(
        "--splits", nargs="+", default=["0", "1", "2"], metavar="official|N", help="class splits (default: 0 1 2)"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N", help="default: 0 1 2")
    add_set_argument(parser, "settings of the model in every arm")
    parser.add_argument(
        "--rehearse", action="store_true", help="rehearse in every run, for U, S and H; costs three times the time"
    )
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda", help="where to train (default: auto)")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help=f"the experiment's folder (default: runs/{name}-DATA-MODEL)"
    )


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say who executes the runs of an experiment."""
    parser.add_argument("--jobs", type=int, metavar="N", help="runs at once (default: one for each processor)")
    parser.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="processes here, or a Ray cluster (default: local)"
    )
    parser.add_argument("--address", metavar="ADDRESS", help="of the Ray cluster, or auto (default: start one here)")
    parser.add_argument("--retry", action="store_true", help="execute runs that failed again")
    add_log_argument(parser)


def add_log_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--log``."""
    parser.add_argument(
        "--log",
        action="append",
        default=[],
        metavar="KIND:PATH",
        help="a tracker to tell: tensorboard:DIR or jsonl:FILE; may be given again",
    )


def trackers_of(arguments: argparse.Namespace) -> AbstractContextManager[Trackers | None]:
    """Return the trackers that ``--log`` names, ready to be entered; None without any.

    Raises:
        ConfigError: If a name is malformed.
    """
    from contextlib import nullcontext

    from zslearn.tracking import Trackers

    return Trackers(arguments.log) if arguments.log else nullcontext()


def lasting_names(arguments: argparse.Namespace) -> tuple[str, str | None, str | None]:
    """Return the names of the data as they can be found again from any folder."""
    folder = Path(arguments.data)
    if not folder.is_dir() or arguments.data.lower() == "glyphs":
        return arguments.data, arguments.features, arguments.semantics
    files = [
        name if name is None or (folder / name).is_file() or not Path(name).is_file() else str(Path(name).resolve())
        for name in (arguments.features, arguments.semantics)
    ]
    return str(folder.resolve()), files[0], files[1]


def split_names(text: str) -> list[str]:
    """Split names at commas; a name with a comma in it stands in double quotes, as in ``'cat,"dog, small"'``.

    Raises:
        ConfigError: If they are not on one line, or one is longer than any name.
    """
    try:
        return [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    except csv.Error as error:
        raise ConfigError(
            "the names cannot be read",
            expected="names with commas between them, on one line",
            received=str(error),
            remedy="""Write them as in 'cat,"dog, small"'.""",
        ) from error


def _add_file_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--features", metavar="FILE", help="the feature file, where the folder holds several")
    parser.add_argument(
        "--semantics", metavar="FILE", help="vectors of the classes, or the split file (default: that of the folder)"
    )
