"""Train, synthesise, classify and measure, beside closed-form references.

Writes a run folder with the record, the model, the history and pictures, and prints one table.
"""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zslearn.cli.arguments import add_data_arguments, add_json_argument

if TYPE_CHECKING:
    from zslearn.data.dataset import ZSLDataset

NAME = "run"
EXAMPLE = "zslearn run --data glyphs --seed 1 --set sp_weight=0.5 n_updates=300"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn run``."""
    add_data_arguments(parser, default="glyphs")
    parser.add_argument("--model", default="skd", help="a model of the zoo (default: skd); see zslearn show models")
    parser.add_argument("--seed", type=int, default=0, help="decides every random number (default: 0)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run folder (default: runs/DATA-MODEL-sSEED)")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda", help="where to train (default: auto)")
    parser.add_argument(
        "--set",
        dest="assignments",
        nargs="+",
        action="extend",
        default=[],
        metavar="FIELD=VALUE",
        help="settings of the model; see zslearn show models NAME",
    )
    parser.add_argument("--config", type=Path, metavar="FILE.yaml", help="settings from a file; --set goes before it")
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn run``."""
    from zslearn.configuration import build, parse_assignments
    from zslearn.data.catalog import load_data
    from zslearn.devices import resolve_device
    from zslearn.models import model_entry
    from zslearn.runs import check_run_folder

    check_run_folder(arguments.out)
    settings = {**_settings_file(arguments.config), **parse_assignments(arguments.assignments)}
    build(model_entry(arguments.model).load().Config, settings)
    resolve_device(arguments.device)
    dataset = load_data(
        arguments.data, features=arguments.features, semantics=arguments.semantics, split=arguments.split
    )
    split = "" if dataset.split == "official" else f"-split{dataset.split}"
    default = Path("runs") / f"{_safe(dataset.name)}{split}-{arguments.model}-s{arguments.seed}"
    folder, record = _execute(dataset, settings, default, arguments)
    if arguments.json:
        print(json.dumps({"folder": str(folder), **record}, indent=2))
    else:
        _print_result(record, folder)
    return 0


def _execute(
    dataset: ZSLDataset, settings: dict[str, Any], default: Path, arguments: argparse.Namespace
) -> tuple[Path, dict[str, Any]]:
    """Run the protocol; whatever happens, the folder's record says how it ended."""
    from zslearn.cli.progress import ProgressReport
    from zslearn.evaluation.protocol import run_protocol
    from zslearn.files import write_json
    from zslearn.records import make_record, source_facts
    from zslearn.report.pictures import draw_run
    from zslearn.runs import RunInProgress, write_record
    from zslearn.sheets import SHEET_FILE, make_sheet

    begun = {
        "status": "running",
        "data": source_facts(dataset, *_lasting_names(arguments)),
        "model": arguments.model,
        "settings": settings,
        "seed": arguments.seed,
        "command": _command(arguments, dataset.split, settings),
    }
    run_in_progress = RunInProgress(arguments.out, default, begun)
    try:
        with ProgressReport(run_in_progress.keep) as progress:
            outcome = run_protocol(
                dataset,
                model=arguments.model,
                settings=settings,
                seed=arguments.seed,
                device=arguments.device,
                on_progress=progress.update,
            )
        folder = run_in_progress.folder
        record = {**make_record(dataset, outcome, begun["data"]), "command": begun["command"]}
        outcome.estimator.save(folder)
        record["pictures"] = draw_run(folder, dataset, outcome, progress.history)
        write_json(folder / SHEET_FILE, make_sheet(dataset, outcome, progress.history), indent=None)
        write_record(folder, record)
        return folder, record
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(run_in_progress.stop("interrupted", "by the user")) from interrupt
    except Exception as error:
        run_in_progress.stop("failed", str(error) or type(error).__name__)
        raise


def _lasting_names(arguments: argparse.Namespace) -> tuple[str, str | None, str | None]:
    """Return the names of the data as they can be found again from any folder."""
    folder = Path(arguments.data)
    if not folder.is_dir() or arguments.data.lower() == "glyphs":
        return arguments.data, arguments.features, arguments.semantics
    files = [
        name if name is None or (folder / name).is_file() or not Path(name).is_file() else str(Path(name).resolve())
        for name in (arguments.features, arguments.semantics)
    ]
    return str(folder.resolve()), files[0], files[1]


def _command(arguments: argparse.Namespace, split: str, settings: dict[str, Any]) -> str:
    """Return the command that does this run again, from any folder."""
    data, features, semantics = _lasting_names(arguments)
    options = {"--data": data, "--features": features, "--semantics": semantics, "--split": split}
    options |= {"--model": arguments.model, "--seed": str(arguments.seed)}
    words = [word for name, value in options.items() if value is not None for word in (name, value)]
    if settings:
        words += ["--set", *(f"{name}={json.dumps(value)}" for name, value in settings.items())]
    return shlex.join(["zslearn", "run", *words])


def _settings_file(path: Path | None) -> dict[str, Any]:
    """Read settings from YAML."""
    from zslearn.data.limits import read_yaml
    from zslearn.errors import ConfigError, DataError

    if path is None:
        return {}
    try:
        settings = read_yaml(path)
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the settings file {path} cannot be read",
            received=str(error).splitlines()[0],
            remedy="Give a YAML file with one FIELD: VALUE per line.",
        ) from error
    if settings is None:
        return {}
    if not isinstance(settings, dict) or not all(isinstance(name, str) for name in settings):
        raise ConfigError(
            f"the settings file {path} holds no settings",
            expected="one FIELD: VALUE per line",
            received=type(settings).__name__,
            remedy="See zslearn show models NAME for the fields.",
        )
    return settings


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)


def _print_result(record: dict[str, Any], folder: Path) -> None:
    from zslearn.report.tables import result_table, verdict

    for warning in record["data"]["warnings"]:
        print(f"warning: {warning}")
    split = record["data"]["split"]
    print(f"{record['data']['name']}, {split} split, seed {record['seed']}; percent, AUSUC as a fraction:")
    print()
    print(result_table(record))
    print()
    print(verdict(record))
    print()
    print(f"Run folder: {folder}")
    for picture in record["pictures"]:
        print(f"  {folder / picture}")
