"""Show what there is: models with their settings, data sets with their facts, published figures with their sources."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import textwrap
from typing import Any

from zslearn.cli.arguments import add_json_argument

NAME = "show"
EXAMPLE = "zslearn show models skd"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn show``."""
    parser.add_argument("what", choices=("models", "data", "published"), help="what to show")
    parser.add_argument("name", nargs="?", metavar="NAME", help="one of them, in full (published: a data set)")
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn show``."""
    listing, details, text = {
        "models": (_models, _model, _details),
        "data": (_data, _data_set, _details),
        "published": (_published, _published_on, _published_table),
    }[arguments.what]
    if arguments.name is None:
        entries = listing()
        print(json.dumps(entries, indent=2) if arguments.json else _listing(entries))
    else:
        facts = details(arguments.name)
        print(json.dumps(facts, indent=2) if arguments.json else text(facts))
    return 0


def _models() -> list[dict[str, Any]]:
    from zslearn.models import MODELS

    return [
        {"name": name, "year": entry.year, "family": entry.family, "source": entry.source, "line": entry.line}
        for name, entry in MODELS.items()
    ]


def _model(name: str) -> dict[str, Any]:
    from zslearn.configuration import field_facts
    from zslearn.models import model_entry
    from zslearn.models.published import published_data

    entry = model_entry(name)
    fields = field_facts(entry.load().Config)
    return {
        "name": name,
        "year": entry.year,
        "family": entry.family,
        "source": entry.source,
        "line": entry.line,
        "published_settings": published_data(name) or "none",
        "fields": [
            {"name": facts.name, "default": facts.default, "allowed": facts.allowed, "meaning": facts.text}
            for facts in fields.values()
        ],
    }


def _data() -> list[dict[str, Any]]:
    from zslearn.data.catalog import known_data

    return [{"name": name, "where": str(where)} for name, where in known_data().items()]


def _data_set(name: str) -> dict[str, Any]:
    from zslearn.data.catalog import load_data

    return load_data(name).facts()


def _published() -> list[dict[str, Any]]:
    from zslearn.report.published import data_with_results

    return [{"name": name, "rows": n_rows} for name, n_rows in data_with_results().items()]


def _published_on(name: str) -> dict[str, Any]:
    from dataclasses import asdict

    from zslearn.errors import unknown_name
    from zslearn.report.published import CAVEAT, REMARKS, SOURCES, data_with_results, published_on

    rows = published_on(name)
    if not rows:
        raise unknown_name("data set with published figures", name, data_with_results())
    remarks = {remark for row in rows for remark in row.remarks}
    return {
        "name": rows[0].data,
        "caveat": CAVEAT,
        "rows": [asdict(row) for row in rows],
        "sources": {key: text for key, text in SOURCES.items() if any(row.source == key for row in rows)},
        "remarks": {key: text for key, text in REMARKS.items() if key in remarks},
    }


def _published_table(facts: dict[str, Any]) -> str:
    figures = ("t1", "u", "s", "h")
    width = max(len(row["method"]) for row in facts["rows"])
    header = f"{'method':{width}}  {'year':7}  {'features':19}  {'semantics':10}"
    header += "".join(f"{name.upper():>6}" for name in figures)
    lines = [f"{facts['name']}, published figures in percent. {facts['caveat']}", "", header, "-" * len(header)]
    for row in facts["rows"]:
        line = f"{row['method']:{width}}  {row['year']:7}  {row['features']:19}  {row['semantics']:10}"
        line += "".join(f"{'-':>6}" if row[name] is None else f"{row[name]:6.1f}" for name in figures)
        lines.append(f"{line}  {row['source']:4}{' '.join(row['remarks'])}".rstrip())
    keys = {**facts["sources"], **facts["remarks"]}
    return "\n".join([*lines, "", *(f"{key}: {text}" for key, text in keys.items())])


def _listing(entries: list[dict[str, Any]]) -> str:
    """One entry a line, in columns; on a terminal the last column is wrapped where it would not fit."""
    rows = [[str(value) for value in entry.values()] for entry in entries]
    *widths, last = [max(map(len, column)) for column in zip(*rows, strict=True)]
    indent = sum(widths) + len(_GAP) * len(widths)
    room = shutil.get_terminal_size().columns - indent if sys.stdout.isatty() else last
    lines = []
    for *cells, text in rows:
        start = "".join(cell.ljust(width) + _GAP for cell, width in zip(cells, widths, strict=True))
        lines.append(start + f"\n{'':{indent}}".join(textwrap.wrap(text, max(room, _NARROWEST)) or [""]))
    return "\n".join(line.rstrip() for line in lines)


_GAP, _NARROWEST = "  ", 24


def _details(facts: dict[str, Any]) -> str:
    lines = [f"{name}: {_plain(value)}" for name, value in facts.items() if name != "fields"]
    for field in facts.get("fields", ()):
        meaning = textwrap.fill(field["meaning"], 96, initial_indent="    ", subsequent_indent="    ")
        lines += ["", f"{field['name']} = {_plain(field['default'])}  ({field['allowed']})", meaning]
    return "\n".join(lines)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
