"""Add classes to a finished run, drop some, or list them; nothing is trained again.

A class is described by its numbers in the order of the training (NAME=0.1,0.2,...), by attribute
(NAME=stripes:1,legs:4) or, where the run learnt from sentences, by a sentence (NAME=a brown animal of the forest).
Training knew nothing of a class that is added; the scores of all other classes stay as they are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zslearn.cli.arguments import add_json_argument, add_run_argument

if TYPE_CHECKING:
    from zslearn.estimator import GenerativeZSL

NAME = "classes"
EXAMPLE = "zslearn classes runs/glyphs-skd-s0 add --from new.csv"
_NOTE = "Training knew nothing of added classes: no term saw their semantics, no choice was made with them."
_Words = tuple[Sequence[str], Mapping[str, float] | None]
"""The sentences about a class, and its attributes where both are mixed."""
_SAMPLES, _SEMANTICS, _NOTHING = "samples and semantics", "semantics", "nothing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn classes``."""
    add_run_argument(parser)
    parser.add_argument("action", choices=("add", "drop", "list"), help="what to do")
    parser.add_argument("classes", nargs="*", metavar="CLASS", help="add: NAME=DESCRIPTION; drop: NAME")
    parser.add_argument(
        "--from",
        dest="table",
        type=Path,
        metavar="FILE",
        help="add the classes of a table (.csv, .parquet: name and a column per attribute, or one of sentences) or of "
        "an .npz with names and semantics",
    )
    parser.add_argument(
        "--others", type=float, metavar="VALUE", help="what attributes are that are not named (default: all are named)"
    )
    parser.add_argument(
        "--encoder",
        metavar="FOLDER|HUB_NAME",
        help="where the text encoder for sentences is (default: where it was, on this machine)",
    )
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn classes``."""
    from zslearn.errors import ConfigError

    if arguments.action == "list" and (arguments.classes or arguments.table):
        raise ConfigError(
            "list takes no classes", received=str(arguments.table or arguments.classes[0]), remedy="Leave them out."
        )
    if arguments.action == "drop" and (arguments.table or not arguments.classes):
        raise ConfigError(
            "drop takes the names of classes",
            received=str(arguments.table or "none"),
            remedy="See zslearn classes RUN list.",
        )
    if arguments.action == "add" and not (arguments.classes or arguments.table):
        raise ConfigError(
            "there is no class to add",
            expected="NAME=DESCRIPTION or --from FILE",
            remedy="Describe one; see zslearn classes --help.",
        )

    from zslearn.estimator import GenerativeZSL
    from zslearn.runs import alone_in

    if arguments.action == "list":
        listing = _listing(GenerativeZSL.load(arguments.run_folder))
        print(json.dumps(listing, indent=2, ensure_ascii=False) if arguments.json else _table(listing))
        return 0
    with alone_in(arguments.run_folder):
        estimator = GenerativeZSL.load(arguments.run_folder)
        done, changed = _change(estimator, arguments)
        estimator.save(arguments.run_folder)
        _record_change(arguments.run_folder, {done: changed}, estimator)
    if arguments.json:
        print(json.dumps({done: changed, "classes": _listing(estimator)}, indent=2, ensure_ascii=False))
    else:
        print(f"{len(changed)} {done}: {', '.join(map(str, changed))}")
        print(_summary(estimator))
    return 0


def _change(estimator: GenerativeZSL, arguments: argparse.Namespace) -> tuple[str, list[str | int]]:
    """Add or drop classes, and return what was done to which."""
    from zslearn.inputs import typed_name

    before = estimator.classes_.tolist()
    if arguments.action == "add":
        estimator.add_classes(_described(estimator, arguments))
        return "added", [name for name in estimator.classes_.tolist() if name not in set(before)]
    estimator.drop_classes([typed_name(name, before) for name in arguments.classes])
    return "dropped", [name for name in before if name not in set(estimator.classes_.tolist())]


def _described(estimator: GenerativeZSL, arguments: argparse.Namespace) -> dict[str | int, Any]:
    """Return the semantics of the new classes by name; sentences are encoded as in training."""
    from zslearn.errors import DataError
    from zslearn.inputs import typed_name

    described: dict[str, Any] = {}
    sentences: dict[str, _Words] = {}
    if arguments.table is not None:
        described, sentences = _from_table(arguments.table, estimator)
    for text in arguments.classes:
        name, equals, description = text.partition("=")
        name, description = name.strip(), description.strip()
        if not equals or not name or not description:
            raise DataError(
                "a new class is malformed",
                expected="NAME=DESCRIPTION",
                received=repr(text),
                remedy="Write the name, an equals sign, and numbers, attributes or a sentence.",
            )
        if name in described or name in sentences:
            raise DataError(f"the class {name!r} is described twice", remedy="Describe it once.")
        numbers = _numbers(description) or _attributes(description, estimator.attribute_names_, arguments.others)
        if numbers is None:
            sentences[name] = (description,), None
        else:
            described[name] = numbers
    if sentences:
        described |= _encoded(estimator, sentences, arguments.encoder)
    known = estimator.classes_.tolist()
    return {typed_name(name, known): semantics for name, semantics in described.items()}


def _numbers(description: str) -> list[float] | None:
    try:
        return [float(cell) for cell in description.split(",")]
    except ValueError:
        return None


def _attributes(description: str, names: Sequence[str], others: float | None) -> dict[str, float] | None:
    """Read ``attribute:number`` pairs; None where the description is something else."""
    pairs = [cell.rpartition(":") for cell in description.split(",")]
    try:
        values = {name.strip(): float(number) for name, colon, number in pairs if colon}
    except ValueError:
        return None
    if len(values) < len(pairs):
        return None
    return {**({} if others is None else dict.fromkeys(names, others)), **values}


def _from_table(path: Path, estimator: GenerativeZSL) -> tuple[dict[str, Any], dict[str, _Words]]:
    """Read a table of classes: their vectors, or what to encode where the model learnt from words."""
    from zslearn.data.columns import TABLE_ENDINGS
    from zslearn.data.own import class_table, read_named_semantics
    from zslearn.errors import DataError

    if not path.is_file():
        raise DataError(f"there is no file {path}", expected="a table of classes", remedy="Check the path.")
    if path.suffix.lower() in TABLE_ENDINGS:
        table = class_table(path)
        if table.sentences or estimator.text_encoder_ is not None:
            texts = [tuple(text for text in row if text) for row in zip(*table.sentences.values(), strict=True)] or [
                (name,) for name in table.names
            ]
            numbers: list[Mapping[str, float] | None] = [None] * len(table.names)
            if table.attributes is not None:
                numbers = [dict(zip(table.attribute_names, row, strict=True)) for row in table.attributes.tolist()]
            if estimator.text_encoder_ is not None or table.attributes is None:
                return {}, dict(zip(table.names, zip(texts, numbers, strict=True), strict=True))
    named = read_named_semantics(path)
    if named.attribute_names and estimator.attribute_names_:
        rows = [dict(zip(named.attribute_names, vector, strict=True)) for vector in named.vectors.tolist()]
        return dict(zip(named.names, rows, strict=True)), {}
    return dict(zip(named.names, named.vectors, strict=True)), {}


def _encoded(estimator: GenerativeZSL, sentences: Mapping[str, _Words], folder: str | None) -> dict[str, Any]:
    """Turn sentences into semantics as they were made for the training."""
    from zslearn.data.text import TextEncoder, describe_like
    from zslearn.errors import DataError

    facts = estimator.text_encoder_
    if facts is None:
        raise DataError(
            f"the class {next(iter(sentences))!r} is described in words, and this model learnt from numbers",
            expected=f"NAME={estimator.semantics_.shape[1]} numbers, or NAME=ATTRIBUTE:NUMBER,...",
            remedy="Describe it as the classes of the training were described.",
        )
    encoder = TextEncoder.restore(facts, encoder=folder)
    return {
        name: describe_like(facts, texts, attributes=attributes, encoder=encoder)
        for name, (texts, attributes) in sentences.items()
    }


def _record_change(folder: Path, change: Mapping[str, Any], estimator: GenerativeZSL) -> None:
    """Write into the record of a run what became of its classes; a saved model has no record."""
    from zslearn.runs import RECORD_FILE, read_record, write_record

    if (folder / RECORD_FILE).exists():
        record = read_record(folder)
        changes = [*record.get("class_changes", {}).get("changes", ()), change]
        added = estimator.added_classes_.tolist()
        write_record(folder, {**record, "class_changes": {"note": _NOTE, "added": added, "changes": changes}})


def _listing(estimator: GenerativeZSL) -> list[dict[str, Any]]:
    seen, added = set(estimator.seen_classes_.tolist()), set(estimator.added_classes_.tolist())
    described = _SEMANTICS if estimator.recogniser_.reads_unseen_semantics else _NOTHING
    return [
        {
            "name": name,
            "seen": name in seen,
            "added": name in added,
            "known_to_training": _SAMPLES if name in seen else _NOTHING if name in added else described,
        }
        for name in estimator.classes_.tolist()
    ]


def _table(listing: Sequence[Mapping[str, Any]]) -> str:
    width = max(len(str(entry["name"])) for entry in listing)
    return "\n".join(
        f"{entry['name']!s:{width}}  {'seen' if entry['seen'] else 'unseen':6}  "
        + (
            f"added; training knew {_NOTHING} of it"
            if entry["added"]
            else f"training knew {entry['known_to_training']}"
        )
        for entry in listing
    )


def _summary(estimator: GenerativeZSL) -> str:
    n_seen, n_unseen = len(estimator.seen_classes_), len(estimator.unseen_classes_)
    n_added = len(estimator.added_classes_)
    summary = f"{n_seen + n_unseen} classes now: {n_seen} seen, {n_unseen} unseen, {n_added} of these added."
    return f"{summary} {_NOTE}" if n_added else summary
