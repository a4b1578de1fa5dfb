"""Run experiments: many models, data sets and seeds, kept as records.

An experiment is a YAML file, of the package or your own. A second run does only what is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zslearn.cli.arguments import add_engine_arguments, add_json_argument

if TYPE_CHECKING:
    from zslearn.experiments.experiment import Experiment

NAME = "benchmark"
EXAMPLE = "zslearn benchmark run quick --jobs 2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands of ``zslearn benchmark``."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    def verb(name: str, text: str, execute: Any) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text.capitalize() + ".", allow_abbrev=False)
        added.set_defaults(execute=execute)
        return added

    add_json_argument(verb("list", "list the experiments of the package", _list))
    show = verb("show", "print an experiment", _show)
    _add_experiment(show)
    add_json_argument(show)
    validate = verb("validate", "check an experiment and its data, and run nothing", _validate)
    _add_experiment(validate)
    add_json_argument(validate)
    run_verb = verb("run", "execute what is missing of an experiment", _run)
    _add_experiment(run_verb)
    run_verb.add_argument("--out", type=Path, metavar="DIR", help="the experiment's folder (default: runs/NAME)")
    add_engine_arguments(run_verb)
    add_json_argument(run_verb)
    status = verb("status", "tell what is finished, failed and missing", _status)
    status.add_argument("folder", type=Path, metavar="DIR", help="the folder of an experiment")
    add_json_argument(status)
    table = verb("table", "print all figures and costs of what is finished, as Markdown", _table)
    table.add_argument("folder", type=Path, metavar="DIR", help="the folder of an experiment")
    add_json_argument(table)
    copy = verb("copy", "write an experiment of the package to a file, to be edited", _copy)
    copy.add_argument("name", metavar="NAME", help="an experiment of the package")
    copy.add_argument("target", type=Path, nargs="?", default=Path(), metavar="FILE", help="where to (default: here)")


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn benchmark``."""
    code: int = arguments.execute(arguments)
    return code


def _add_experiment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", metavar="NAME|FILE", help="an experiment of the package, or a YAML file")


def _read(name: str) -> Experiment:
    from zslearn.experiments.catalog import find_experiment
    from zslearn.experiments.experiment import read_experiment

    return read_experiment(*find_experiment(name))


def _list(arguments: argparse.Namespace) -> int:
    from zslearn.experiments.catalog import packaged

    titles = packaged()
    if arguments.json:
        print(json.dumps([{"name": name, "title": title} for name, title in titles.items()], indent=2))
    else:
        width = max(map(len, titles))
        print("\n".join(f"{name:{width}}  {title}" for name, title in titles.items()))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from zslearn.experiments.catalog import find_experiment
    from zslearn.experiments.experiment import as_document

    if arguments.json:
        print(json.dumps(as_document(_read(arguments.experiment)), indent=2))
    else:
        text, _, _ = find_experiment(arguments.experiment)
        print(text, end="")
    return 0


def _validate(arguments: argparse.Namespace) -> int:
    from zslearn.experiments.jobs import make_jobs

    experiment = _read(arguments.experiment)
    jobs = make_jobs(experiment)
    studies = {job.study.key: job.study.trials for job in jobs if job.study}
    facts = {
        "name": experiment.name,
        "kind": experiment.kind,
        "n_runs": len(jobs),
        "n_searches": len(studies),
        "n_trials": sum(studies.values()),
        "models": [choice.model for choice in experiment.models],
        "data": sorted({job.data for job in jobs}),
    }
    if arguments.json:
        print(json.dumps(facts, indent=2))
    else:
        searches = f", {len(studies)} searches of {experiment.trials} trials before them" if studies else ""
        print(f"{experiment.name} is fine: {len(jobs)} runs{searches}.")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from zslearn.cli.experiments import run_experiment

    return run_experiment(_read(arguments.experiment), arguments)


def _status(arguments: argparse.Namespace) -> int:
    from zslearn.experiments.folder import FAILED, FINISHED, ExperimentFolder, counted

    folder = ExperimentFolder.open(arguments.folder)
    lines = folder.status()
    counts = counted(lines)
    if arguments.json:
        print(json.dumps({"name": folder.plan["name"], "counts": counts, "jobs": lines}, indent=2))
        return 0
    print(f"{folder.plan['title']}: " + ", ".join(f"{number} {status}" for status, number in counts.items()))
    for line in lines:
        arm = f" ({line['arm']})" if line["arm"] else ""
        said = line["status"]
        if said == FAILED:
            said += f": {line['cause']}"
        elif said == FINISHED:
            # Without a rehearsal nothing is corrected, and H says little.
            first = "h" if line["rehearsed"] else "t1"
            said += f", {_figure(first, line['metrics_corrected'])}, {_figure('ausuc', line['metrics'])}"
        print(f"{line['key']}  {line['data']} split {line['split']} {line['model']}{arm} seed {line['seed']}: {said}")
    if counts["missing"]:
        print(f"note: go on with: {folder.plan['command']}", file=sys.stderr)
    return 0


def _figure(metric: str, figures: Mapping[str, float | None]) -> str:
    from zslearn.report.summary import figure_text

    value = figures[metric]
    return f"{metric.upper()} {'-' if value is None else figure_text(metric, value)}"


def _table(arguments: argparse.Namespace) -> int:
    from zslearn.errors import RunFolderError
    from zslearn.experiments.comparison import compare_models, comparison_table
    from zslearn.experiments.folder import ExperimentFolder

    groups = compare_models(ExperimentFolder.open(arguments.folder))
    if not groups:
        raise RunFolderError(
            f"no run of the experiment in {arguments.folder} has finished",
            remedy="Run it first: zslearn benchmark status tells how.",
        )
    if arguments.json:
        tables = [{"data": data, "split": split, "rows": rows} for (data, split), rows in groups.items()]
        print(json.dumps(tables, indent=2))
    else:
        print(comparison_table(groups))
    return 0


def _copy(arguments: argparse.Namespace) -> int:
    from zslearn.experiments.catalog import copy_experiment

    path = copy_experiment(arguments.name, arguments.target)
    print(f"{path}: edit it, then run it with: zslearn benchmark run {path}")
    return 0
