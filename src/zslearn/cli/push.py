"""Write a finished run, with a model card, to a folder or a hub from which others can pull it."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "push"
EXAMPLE = "zslearn push runs/glyphs-skd-s0 letters"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn push``."""
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="the folder of a finished run")
    parser.add_argument("destination", metavar="DEST", help="a folder, or hub:OWNER/NAME on the Hugging Face hub")
    parser.add_argument("--license", metavar="NAME", help="the licence to name on the model card, such as mit")


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn push``."""
    from zslearn.sharing import push

    print(push(arguments.run_folder, arguments.destination, license=arguments.license))
    return 0
