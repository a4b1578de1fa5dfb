"""Check, show and convert data sets, and fetch the public benchmarks."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zslearn.cli.arguments import add_json_argument

if TYPE_CHECKING:
    from zslearn.data.inspection import Inspection

NAME = "data"
EXAMPLE = "zslearn data check my-data"
_DONE, _DOUBTFUL, _UNUSABLE = 0, 1, 2
_WIDTH = 110


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn data``."""
    actions = parser.add_subparsers(dest="action", metavar="check|show|convert|fetch", required=True)
    check = actions.add_parser(
        "check",
        help="say what is there, what is missing and what looks wrong",
        description="Say what is there, what is missing, what looks wrong and what to do. Exit code 2: cannot be used.",
        allow_abbrev=False,
    )
    check.add_argument("--strict", action="store_true", help="exit code 1 where there are warnings")
    show = actions.add_parser("show", help="show the facts of a data set", allow_abbrev=False)
    convert = actions.add_parser(
        "convert",
        help="write a data set in another layout",
        description="Write a data set of either layout, whatever its files are, as own data (.npy, .csv) or as xlsa17.",
        allow_abbrev=False,
    )
    for action in (check, show, convert):
        action.add_argument("data", metavar="FOLDER|NAME", help="a folder, or a known name")
        action.add_argument("--features", metavar="FILE", help="the feature file, where the folder holds several")
        action.add_argument("--semantics", metavar="FILE", help="vectors of the classes, or the split file")
    convert.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="a new or empty folder")
    convert.add_argument("--to", default="own", choices=("own", "xlsa17"), help="the layout to write (default: own)")
    fetch = actions.add_parser(
        "fetch",
        help="download a public benchmark, or tell how to get it",
        description="Download a public benchmark into the data folder (ZSLEARN_DATA), or tell how to get it.",
        allow_abbrev=False,
    )
    fetch.add_argument("name", metavar="NAME", help="awa2, cub, sun, apy, awa1 or flo")
    fetch.add_argument("--accept-licence", action="store_true", help="confirm the terms without being asked")
    fetch.add_argument("--address", action="append", default=[], metavar="URL", help="another address to ask first")
    fetch.add_argument("--allow-http", action="store_true", help="allow addresses without encryption")
    for action in (check, show, convert, fetch):
        add_json_argument(action)


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn data``."""
    actions = {"check": _check, "show": _show, "convert": _convert, "fetch": _fetch}
    return actions[arguments.action](arguments)


def _check(arguments: argparse.Namespace) -> int:
    from zslearn.data.inspection import inspect_data

    inspection = inspect_data(arguments.data, arguments.features, arguments.semantics)
    print(json.dumps(inspection.as_dict(), indent=2) if arguments.json else _screen(inspection))
    if not inspection.usable:
        return _UNUSABLE
    doubtful = arguments.strict and any(finding.level == "warning" for finding in inspection.findings)
    return _DOUBTFUL if doubtful else _DONE


def _show(arguments: argparse.Namespace) -> int:
    from zslearn.data.catalog import load_data

    facts = load_data(arguments.data, features=arguments.features, semantics=arguments.semantics).facts()
    print(json.dumps(facts, indent=2) if arguments.json else _overview(facts))
    return _DONE


def _convert(arguments: argparse.Namespace) -> int:
    from zslearn.data.catalog import load_data
    from zslearn.data.conversion import write_own, write_xlsa17

    dataset = load_data(arguments.data, features=arguments.features, semantics=arguments.semantics)
    (write_own if arguments.to == "own" else write_xlsa17)(dataset, arguments.output)
    files = sorted(path.name for path in arguments.output.iterdir())
    if arguments.json:
        print(json.dumps({"folder": str(arguments.output), "layout": arguments.to, "files": files}, indent=2))
    else:
        print(f"{dataset.name}: {arguments.output} ({', '.join(files)})")
    return _DONE


def _fetch(arguments: argparse.Namespace) -> int:
    from zslearn.cli.progress import CountProgress
    from zslearn.data.benchmarks import benchmark_entry, fetch, is_placed
    from zslearn.data.catalog import data_folder, load_data

    benchmark, folder = benchmark_entry(arguments.name), data_folder()
    trust = "It was there already."
    if not is_placed(benchmark, folder):
        if benchmark.archive is not None:
            _confirm(benchmark.title, benchmark.terms, benchmark.archive.size, arguments.accept_licence)
        try:
            with CountProgress("bytes", None) as progress:
                trust = fetch(
                    benchmark,
                    folder,
                    addresses=tuple(arguments.address),
                    allow_http=arguments.allow_http,
                    on_progress=progress.update,
                )
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt("what has come is kept; the same command goes on.") from interrupt
    dataset = load_data(folder / benchmark.name)
    facts = {"name": dataset.name, "folder": str(folder / benchmark.name), "trust": trust, **_sizes(dataset.facts())}
    if arguments.json:
        print(json.dumps(facts, indent=2))
    else:
        print(f"{benchmark.title}: {facts['folder']}. {trust}")
        print(f"Next: zslearn data check {benchmark.name}")
    return _DONE


def _confirm(title: str, terms: str, size: str, accepted: bool) -> None:
    """Show the terms and have them confirmed; where a question would not be seen, none is asked."""
    from zslearn.errors import ConfigError

    print(f"{title}, {size}.", *textwrap.wrap(terms, _WIDTH), sep="\n", file=sys.stderr)
    if accepted:
        return
    if sys.stdin.isatty() and sys.stderr.isatty():
        print("Do you accept these terms? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return
    raise ConfigError(
        "the terms were not accepted",
        expected="a yes, or --accept-licence",
        remedy="Nothing was downloaded.",
    )


def _screen(inspection: Inspection) -> str:
    """Lay out an inspection for one screen."""
    lines = [f"{inspection.source}: {inspection.layout}"]
    if inspection.facts is not None:
        lines += [f"  {line}" for line in _overview(inspection.facts).splitlines()[1:]]
    for finding in inspection.findings:
        text = f"{finding.level:8}{finding.what}."
        lines += ["", *textwrap.wrap(text, _WIDTH, subsequent_indent=" " * 8)]
        if finding.remedy:
            lines += textwrap.wrap(finding.remedy, _WIDTH, initial_indent=" " * 8 + "-> ", subsequent_indent=" " * 11)
    n_warnings = sum(finding.level == "warning" for finding in inspection.findings)
    doubts = f", with {n_warnings} warning{'s' if n_warnings > 1 else ''}" if n_warnings else ""
    verdict = f"It can be used{doubts}." if inspection.usable else "It cannot be used before the errors are put right."
    return "\n".join([*lines, "", verdict])


def _overview(facts: dict[str, Any]) -> str:
    low, high = facts["train_rows_per_class"]
    lines = [
        facts["name"],
        f"rows       {facts['n_rows']:,}, {facts['feature_dim']:,} features each",
        f"training   {facts['n_train']:,} rows of {facts['n_seen']} seen classes ({low} to {high} each)",
        f"test       {facts['n_test_seen']:,} rows of seen classes, {facts['n_test_unseen']:,} of "
        f"{facts['n_unseen']} unseen ones",
        f"semantics  {facts['semantic_dim']:,} numbers for each of {facts['n_classes']} classes",
        f"source     {facts['source']}",
    ]
    for key, what in (("backbone", "backbone"), ("text_encoder", "encoder")):
        if facts[key] is not None:
            lines.append(f"{what:10} {facts[key]['name']}")
    return "\n".join(lines)


def _sizes(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in ("n_rows", "feature_dim", "n_seen", "n_unseen")}
