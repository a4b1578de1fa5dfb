"""The directive ``commands``: every command of the command line, with the help that it prints."""

from __future__ import annotations

import argparse
from typing import Any
from unittest import mock

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from zslearn.cli import build_parser, leaves

COLUMNS = "100"


class Commands(SphinxDirective):
    """A section for each command, with its help."""

    def run(self) -> list[nodes.Node]:
        """Build the sections."""
        return [section(parser) for parser in leaves(build_parser())]


def section(parser: argparse.ArgumentParser) -> nodes.section:
    """Return a heading and the help below it."""
    with mock.patch.dict("os.environ", {"COLUMNS": COLUMNS, "NO_COLOR": "1"}):
        text = parser.format_help()
    help_text = nodes.literal_block(text, text, language="text")
    name = parser.prog
    return nodes.section("", nodes.title(text=name), help_text, ids=[nodes.make_id(name)], names=[name])


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
