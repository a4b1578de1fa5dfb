"""Files of the repository that are pages of the site: a link to the file leads to the page."""

from __future__ import annotations

import os.path
import re
from pathlib import Path, PurePosixPath
from typing import Any

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
PAGES = {
    "README.md": "docs/index.md",
    "CONTRIBUTING.md": "docs/contributing.md",
    "CHANGELOG.md": "docs/changelog.md",
    "SECURITY.md": "docs/security.md",
    "benchmarks/openings.md": "docs/openings.md",
    "examples/flowers/README.md": "docs/flowers.md",
    "examples/sensors/README.md": "docs/sensors.md",
}
"""The page of the site, in this repository, that holds a file."""
LINK = re.compile(r"(?<=\]\()([^)#:]+)((?:#[^)]*)?\))")


def at_home(text: str, written_in: str, page: str) -> str:
    """Turn the links of a text, that were written for one file, into those of a page that holds it.

    Args:
        text: Markdown.
        written_in: The file that the links start from, relative to the root of the repository.
        page: The page that they will start from, likewise.
    """

    def turned(link: re.Match[str]) -> str:
        target = os.path.normpath(PurePosixPath(written_in).parent / link[1])
        return os.path.relpath(PAGES.get(target, target), PurePosixPath(page).parent) + link[2]

    return LINK.sub(turned, text)


def turn_page(app: Sphinx, docname: str, content: list[str]) -> None:
    """Turn the links of a page that Sphinx reads."""
    page = f"docs/{docname}.md"
    if (ROOT / page).is_file():
        content[0] = at_home(content[0], page, page)


def turn_included(app: Sphinx, path: Path, docname: str, content: list[str]) -> None:
    """Turn the links of a file that a page includes."""
    written_in = Path(os.path.normpath(app.srcdir / path)).relative_to(ROOT)
    content[0] = at_home(content[0], str(written_in), f"docs/{docname}.md")


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen to what Sphinx reads."""
    app.connect("source-read", turn_page)
    app.connect("include-read", turn_included)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
