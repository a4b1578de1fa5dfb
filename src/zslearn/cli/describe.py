"""Turn class names or sentences about classes into semantics, with a pretrained text encoder."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from zslearn.cli.arguments import add_json_argument

if TYPE_CHECKING:
    from zslearn.data.own import ClassTable

NAME = "describe"
EXAMPLE = "zslearn describe classes.csv --encoder sentence-transformers/all-MiniLM-L6-v2 -o my-data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn describe``."""
    parser.add_argument(
        "classes", type=Path, metavar="CLASSES", help="a table of classes with sentences, or a data folder that has one"
    )
    parser.add_argument(
        "--encoder",
        required=True,
        metavar="FOLDER|HUB_NAME",
        help="a sentence encoder or an image-text model: a folder, looked for first, or a name on the hub",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DATA|FILE.npz",
        help="a data folder, which gets semantics.npz and the table, or a file (default: the table's folder)",
    )
    parser.add_argument(
        "--template", default="{}", metavar="TEXT", help="around each text, such as 'a photo of a {}' (default: {})"
    )
    parser.add_argument("--text-weight", type=float, default=1.0, metavar="W", help="of the texts (default: 1)")
    parser.add_argument(
        "--attribute-weight", type=float, default=0.0, metavar="W", help="of the table's numbers (default: 0, left out)"
    )
    parser.add_argument(
        "--pooling", default="auto", choices=("auto", "mean", "class"), help="of tokens (default: auto)"
    )
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn describe``."""
    from zslearn.data.own import SEMANTICS_FILE, class_table, read_classes
    from zslearn.data.text import TextEncoder, describe_classes, most_alike, write_semantics

    table = read_classes(arguments.classes) if arguments.classes.is_dir() else class_table(arguments.classes)
    output = arguments.output or table.path.parent
    to_file = output.suffix.lower() == ".npz"
    if not to_file:
        _check_table(table, output)
    encoder = TextEncoder(arguments.encoder, pooling=arguments.pooling)
    semantics = describe_classes(
        encoder,
        table,
        template=arguments.template,
        text_weight=arguments.text_weight,
        attribute_weight=arguments.attribute_weight,
    )
    if to_file:
        path = output
    else:
        _place_table(table, output)
        path = output / SEMANTICS_FILE
    write_semantics(path, semantics)
    alike = most_alike(semantics)
    if arguments.json:
        pairs = [{"classes": [first, second], "cosine": round(cosine, 4)} for first, second, cosine in alike]
        facts = {"file": str(path), "n_classes": len(table.names), "semantic_dim": semantics.vectors.shape[1]}
        print(json.dumps({**facts, "most_alike": pairs}, indent=2))
        return 0
    print(f"{len(table.names):,} classes: {path} ({semantics.vectors.shape[1]:,} numbers each)")
    for first, second, cosine in alike:
        print(f"  most alike: {first} and {second}, cosine {cosine:.2f}")
    return 0


def _check_table(table: ClassTable, folder: Path) -> None:
    """Refuse a data folder that has another class table, before anything costly happens."""
    from zslearn.data.own import CLASSES, has_class_table
    from zslearn.errors import DataError

    if not has_class_table(folder):
        return
    there = folder / f"{CLASSES}{table.path.suffix.lower()}"
    if not there.is_file() or there.read_bytes() != table.path.read_bytes():
        raise DataError(
            f"{folder} has another table of classes",
            expected=f"none, or one equal to {table.path}",
            remedy=f"Describe that one with: zslearn describe {folder} --encoder ..., remove it, or write beside it "
            "with -o FILE.npz.",
        )


def _place_table(table: ClassTable, folder: Path) -> None:
    """Put the class table beside its semantics."""
    from zslearn.data.own import CLASSES
    from zslearn.files import write_bytes

    folder.mkdir(parents=True, exist_ok=True)
    if folder.resolve() != table.path.parent.resolve() or table.path.stem != CLASSES:
        write_bytes(folder / f"{CLASSES}{table.path.suffix.lower()}", table.path.read_bytes())
