"""What notebooks show of data sets, estimators and results: small tables, with every text escaped."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

_CELL = "text-align: left; padding: 1px 12px 1px 0"
_HEADING = "font-weight: 600; padding-bottom: 3px"


def facts_html(title: str, facts: Mapping[str, object]) -> str:
    """Return a table with one fact a line.

    Args:
        title: What the facts are about.
        facts: Values by name.
    """
    return table_html(title, (), [[name, value] for name, value in facts.items()])


def table_html(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table.

    Args:
        title: What it is about.
        columns: The headings of the columns; empty for a table without a heading.
        rows: The cells, line by line.
    """
    heading = "".join(f'<th style="{_CELL}">{html.escape(name)}</th>' for name in columns)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{html.escape(str(cell))}</td>' for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div><div style="{_HEADING}">{html.escape(title)}</div><table>'
        + (f"<thead><tr>{heading}</tr></thead>" if columns else "")
        + f"<tbody>{body}</tbody></table></div>"
    )


def percent(share: float | None) -> str:
    """Return a fraction in percent, and a dash where it could not be measured."""
    return "-" if share is None or share != share else f"{100 * share:.1f}"
