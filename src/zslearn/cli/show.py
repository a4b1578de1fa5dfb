"""Show what there is: models with their settings, data sets with their facts."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import Any

from zslearn.cli.arguments import add_json_argument

NAME = "show"
EXAMPLE = "zslearn show models skd"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn show``."""
    parser.add_argument("what", choices=("models", "data"), help="what to show")
    parser.add_argument("name", nargs="?", metavar="NAME", help="one of them, in full")
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn show``."""
    listing, details = {"models": (_models, _model), "data": (_data, _data_set)}[arguments.what]
    if arguments.name is None:
        entries = listing()
        print(json.dumps(entries, indent=2) if arguments.json else _listing(entries))
    else:
        facts = details(arguments.name)
        print(json.dumps(facts, indent=2) if arguments.json else _details(facts))
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

    entry = model_entry(name)
    fields = field_facts(entry.load().Config)
    return {
        "name": name,
        "year": entry.year,
        "family": entry.family,
        "source": entry.source,
        "line": entry.line,
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


def _listing(entries: list[dict[str, Any]]) -> str:
    return "\n".join("  ".join(str(value) for value in entry.values()) for entry in entries)


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
