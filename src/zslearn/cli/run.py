"""Train, synthesise, classify and measure, beside closed-form references.

Writes a run folder with the record, the model, the history and pictures, and prints one table.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zslearn.cli.arguments import (
    add_data_arguments,
    add_json_argument,
    add_log_argument,
    add_set_argument,
    lasting_names,
    trackers_of,
)

if TYPE_CHECKING:
    from zslearn.cli.together import Leadership
    from zslearn.data.dataset import ZSLDataset
    from zslearn.runs import RunInProgress
    from zslearn.tracking import Trackers
    from zslearn.training.checkpoint import Checkpoints

NAME = "run"
EXAMPLE = "zslearn run --data glyphs --seed 1 --set sp_weight=0.5 n_updates=300"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn run``."""
    add_data_arguments(parser, default="glyphs")
    parser.add_argument("--model", default="skd", help="a model of the zoo (default: skd); see zslearn show models")
    parser.add_argument("--seed", type=int, default=0, help="decides every random number (default: 0)")
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="a run for each of N seeds from --seed on, several at once, and their mean",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run folder (default: runs/DATA-MODEL-sSEED)")
    parser.add_argument("--device", metavar="auto|cpu|cuda", help="where to train (default: auto)")
    parser.add_argument(
        "--precision",
        metavar="auto|float32|bf16",
        help="how layers multiply in training (default: float32); short for --set precision=...",
    )
    add_set_argument(parser, "settings of the model; see zslearn show models NAME")
    parser.add_argument(
        "--settings",
        choices=("published",),
        help="start from what was published of the model for the data set; --config and --set go before it",
    )
    parser.add_argument("--config", type=Path, metavar="FILE.yaml", help="settings from a file; --set goes before it")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with a run that stopped, to the same bits")
    parser.add_argument(
        "--checkpoint-every",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how much work a crash may cost (default: 60)",
    )
    parser.add_argument(
        "--allow-different-hardware",
        action="store_true",
        help="with --resume: go on although hardware, threads or versions differ, which changes the bits",
    )
    add_log_argument(parser)
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn run``."""
    from zslearn.errors import ConfigError

    if not arguments.checkpoint_every >= 0:
        raise ConfigError(
            "--checkpoint-every is not a number of seconds",
            expected="0 or more",
            received=str(arguments.checkpoint_every),
            remedy="Leave it out for every minute; 0 saves after every step.",
        )
    from zslearn.cli.seeds import is_seeds_folder, run_seeds
    from zslearn.cli.together import Leadership, follow
    from zslearn.training.team import launched_team

    if arguments.resume:
        _refuse_other_settings(arguments)
    if arguments.seeds is not None or (arguments.resume and is_seeds_folder(arguments.resume)):
        folder, summary = run_seeds(arguments)
        if arguments.json:
            print(json.dumps({"folder": str(folder), **summary}, indent=2))
        else:
            _print_summary(summary, folder)
        return 0
    with launched_team() as team:
        if not team.leads:
            return follow(team)
        with Leadership(team) as leadership:
            folder, record = (_resumed if arguments.resume else _started)(arguments, leadership)
    if arguments.json:
        print(json.dumps({"folder": str(folder), **record}, indent=2))
    else:
        _print_result(record, folder)
    return 0


def _started(arguments: argparse.Namespace, leadership: Leadership) -> tuple[Path, dict[str, Any]]:
    """Start a run from its arguments."""
    from zslearn.configuration import build, parse_assignments
    from zslearn.data.catalog import load_data
    from zslearn.devices import resolve_device
    from zslearn.errors import ConfigError
    from zslearn.models import model_entry
    from zslearn.models.published import published_settings
    from zslearn.records import hardware, source_facts, versions
    from zslearn.runs import RunInProgress, check_run_folder, default_folder
    from zslearn.training.checkpoint import Checkpoints

    if arguments.allow_different_hardware:
        raise ConfigError("--allow-different-hardware goes with --resume", remedy="Leave it out.")
    check_run_folder(arguments.out)
    settings = {**_settings_file(arguments.config), **parse_assignments(arguments.assignments)}
    if arguments.precision is not None:
        settings["precision"] = arguments.precision
    config = build(model_entry(arguments.model).load().Config, settings)
    device = arguments.device or "auto"
    resolved = resolve_device(device)
    begun_on = hardware(str(resolved), getattr(config, "precision", "float32"))
    dataset = load_data(
        arguments.data, features=arguments.features, semantics=arguments.semantics, split=arguments.split
    )
    if arguments.settings == "published":
        published = published_settings(
            arguments.model, dataset.name, len(dataset.train_rows), settings.get("batch_size")
        )
        settings = {**published, **settings}
    default = default_folder(dataset.name, dataset.split, arguments.model, str(arguments.seed))
    begun = {
        "status": "running",
        "data": source_facts(dataset, *lasting_names(arguments)),
        "model": arguments.model,
        "settings": settings,
        "seed": arguments.seed,
        "command": _command(arguments, dataset.split, settings),
        "device": device,
        "versions": versions(),
        "hardware": begun_on,
        "resumed": 0,
        "hardware_changes": [],
    }
    with RunInProgress(arguments.out, default, begun) as run_in_progress:
        checkpoints = Checkpoints(lambda: run_in_progress.folder, every=arguments.checkpoint_every)
        return _execute(dataset, run_in_progress, checkpoints, trackers_of(arguments), leadership)


def _resumed(arguments: argparse.Namespace, leadership: Leadership) -> tuple[Path, dict[str, Any]]:
    """Go on with a run that stopped; one that is finished is only shown again."""
    from zslearn.data.catalog import load_recorded
    from zslearn.devices import resolve_device
    from zslearn.errors import RunFolderError
    from zslearn.records import hardware, source_facts, versions
    from zslearn.runs import RunInProgress, is_finished, read_record
    from zslearn.training.checkpoint import Checkpoints

    if is_finished(arguments.resume):
        print("note: this run was finished already.", file=sys.stderr)
        return arguments.resume, read_record(arguments.resume)
    with RunInProgress.reopen(arguments.resume) as run_in_progress:
        begun = run_in_progress.begun
        device = arguments.device or begun["device"]
        asked_for = begun["data"]["asked_for"]
        dataset = load_recorded(begun)
        if dataset.checksum != begun["data"]["checksum"]:
            raise RunFolderError(
                f"the data of {arguments.resume} have changed since it began",
                expected=f"the checksum {begun['data']['checksum'][:16]}",
                received=dataset.checksum[:16],
                remedy="Restore the files, or run again in another folder.",
            )
        precision = begun["settings"].get("precision", "float32")
        now = {"versions": versions(), "hardware": hardware(str(resolve_device(device)), precision)}
        changed = _changed({"versions": begun["versions"], "hardware": begun["hardware"]}, now)
        if changed and not arguments.allow_different_hardware:
            raise RunFolderError(
                f"{arguments.resume} began on another system, and would not give the same bits here",
                expected=", ".join(f"{name} {before}" for name, before, _ in changed),
                received=", ".join(f"{name} {after}" for name, _, after in changed),
                remedy="Resume it there, or add --allow-different-hardware, which the record will show.",
            )
        checkpoints = Checkpoints(lambda: run_in_progress.folder, every=arguments.checkpoint_every)
        checkpoints.load()
        changes = [{"what": name, "before": before, "after": after} for name, before, after in changed]
        run_in_progress.go_on(
            {
                **now,
                "data": source_facts(dataset, asked_for["data"], asked_for["features"], asked_for["semantics"]),
                "device": device,
                "resumed": begun["resumed"] + 1,
                "hardware_changes": [*begun["hardware_changes"], *changes],
            },
            checkpoints.history,
        )
        return _execute(dataset, run_in_progress, checkpoints, trackers_of(arguments), leadership)


def _execute(
    dataset: ZSLDataset,
    run_in_progress: RunInProgress,
    checkpoints: Checkpoints,
    trackers: AbstractContextManager[Trackers | None],
    leadership: Leadership,
) -> tuple[Path, dict[str, Any]]:
    """Run the protocol; whatever happens, the folder's record says how it ended."""
    from zslearn.cli.interrupts import GentleInterrupts
    from zslearn.cli.progress import ProgressReport
    from zslearn.evaluation.collapse import signs_of_collapse
    from zslearn.evaluation.protocol import run_protocol
    from zslearn.files import write_json
    from zslearn.records import make_record
    from zslearn.report.pictures import draw_run
    from zslearn.runs import SHEET_FILE, write_record
    from zslearn.sheets import make_sheet

    begun = run_in_progress.begun
    try:
        with (
            GentleInterrupts(checkpoints.ask_to_stop),
            ProgressReport(run_in_progress.keep, checkpoints.history) as progress,
            trackers as log,
        ):
            leadership.tell(begun, run_in_progress.folder if begun["resumed"] else None)
            outcome = run_protocol(
                dataset,
                model=begun["model"],
                settings=begun["settings"],
                seed=begun["seed"],
                device=begun["device"],
                on_progress=progress.update,
                checkpoints=checkpoints,
                log=log,
            )
        folder = run_in_progress.folder
        record = make_record(dataset, outcome, begun["data"])
        view = dataset.training_in_place()
        record["training_warnings"] = signs_of_collapse(progress.history, outcome.estimator, view)
        record |= {name: begun[name] for name in ("command", "resumed", "hardware_changes")}
        outcome.estimator.save(folder)
        record["pictures"] = draw_run(folder, dataset, outcome, progress.history)
        write_json(folder / SHEET_FILE, make_sheet(dataset, outcome, progress.history), indent=None)
        write_record(folder, record)
        checkpoints.remove()
        return folder, record
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(run_in_progress.stop("interrupted", "by the user")) from interrupt
    except Exception as error:
        run_in_progress.stop("failed", str(error) or type(error).__name__)
        raise


def _refuse_other_settings(arguments: argparse.Namespace) -> None:
    """Refuse what would make a resumed run another one."""
    from zslearn.errors import ConfigError

    usual = {"data": "glyphs", "split": "official", "model": "skd", "seed": 0, "assignments": []}
    files = ("data", "features", "semantics", "split", "out", "config")
    names = (*files, "model", "seed", "seeds", "precision", "assignments", "settings")
    given = [name for name in names if getattr(arguments, name) != usual.get(name)]
    if given:
        raise ConfigError(
            "a resumed run keeps the options that it began with",
            expected="--resume without these options",
            received=", ".join("--set" if name == "assignments" else f"--{name}" for name in given),
            remedy="Leave them out, or start another run.",
        )


def _changed(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, Any, Any]]:
    """Return name, old and new value of everything that differs."""
    return [
        (name, before[kind].get(name), after[kind].get(name))
        for kind in after
        for name in sorted({*before[kind], *after[kind]})
        if before[kind].get(name) != after[kind].get(name)
    ]


def _command(arguments: argparse.Namespace, split: str, settings: dict[str, Any]) -> str:
    """Return the command that does this run again, from any folder."""
    from zslearn.training.team import launched_size

    data, features, semantics = lasting_names(arguments)
    options = {"--data": data, "--features": features, "--semantics": semantics, "--split": split}
    options |= {"--model": arguments.model, "--seed": str(arguments.seed)}
    words = [word for name, value in options.items() if value is not None for word in (name, value)]
    n_processes = launched_size()
    launch = ["zslearn"] if n_processes == 1 else ["torchrun", "--nproc-per-node", str(n_processes), "-m", "zslearn"]
    if settings:
        words += ["--set", *(f"{name}={json.dumps(value)}" for name, value in settings.items())]
    return shlex.join([*launch, "run", *words])


def _settings_file(path: Path | None) -> dict[str, Any]:
    """Read settings from YAML."""
    from zslearn.errors import ConfigError, DataError, first_line
    from zslearn.limits import read_yaml

    if path is None:
        return {}
    try:
        settings = read_yaml(path)
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the settings file {path} cannot be read",
            received=first_line(error),
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


def _print_summary(summary: dict[str, Any], folder: Path) -> None:
    from zslearn.cli.seeds import summary_table

    data = summary["data"]
    print(f"{data['name']}, {data['split']} split, {len(summary['seeds'])} seeds; percent, AUSUC as a fraction:")
    print()
    print(summary_table(summary))
    print()
    print(f"Run folders: {folder}")
    for run in summary["runs"]:
        print(f"  {folder / run}")


def _print_result(record: dict[str, Any], folder: Path) -> None:
    from zslearn.report.study import split_words
    from zslearn.report.tables import result_table, verdict

    for warning in (*record["data"]["warnings"], *record.get("training_warnings", ())):
        print(f"warning: {warning}")
    for stage, updates in record.get("updates", {}).items():
        if updates["done"] < updates["planned"]:
            print(f"note: time was up in stage {stage} after {updates['done']} of {updates['planned']} steps.")
    split = split_words([record["data"]["split"]])
    print(f"{record['data']['name']}, {split}, seed {record['seed']}; percent, AUSUC as a fraction:")
    print()
    print(result_table(record))
    print()
    print(verdict(record))
    print()
    print(f"Run folder: {folder}")
    for picture in record["pictures"]:
        print(f"  {folder / picture}")
