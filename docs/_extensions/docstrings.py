"""How docstrings become pages: what Sphinx would misread or say twice."""

from __future__ import annotations

import dataclasses
from typing import Any

from sphinx.application import Sphinx

BEFORE_NAPOLEON = 400


def keep_colons(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Keep first lines of plain text from being read as ``type: description``: types stand in the annotations."""
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]  # an empty comment is the first line now
    for number, line in enumerate(lines[:-1]):
        if line.strip() in ("Returns:", "Yields:"):
            text = lines[number + 1]
            indent = len(text) - len(text.lstrip())
            lines[number + 1] = f"{text[:indent]}: {text[indent:]}"  # an empty type


def leave_fields_to_their_docs(
    app: Sphinx, what: str, name: str, obj: Any, options: object, signature: str, returned: str
) -> tuple[str, None] | None:
    """Leave the signature out where every field is described below with its type and default."""
    described = dataclasses.is_dataclass(obj) and "Attributes:" not in (obj.__doc__ or "")
    return ("", None) if what == "class" and described else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen to docstrings before napoleon does, and to signatures."""
    app.connect("autodoc-process-signature", leave_fields_to_their_docs)
    app.connect("autodoc-process-docstring", keep_colons, priority=BEFORE_NAPOLEON)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
