"""The tables of a report as Markdown, LaTeX and CSV. Names come from records, so each form escapes them its own way."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Final

from zslearn.evaluation.metrics import METRIC_TITLES
from zslearn.report.published import CAVEAT, FEATURES, SOURCES
from zslearn.report.summary import Digest, Group, Row, gain_text, stand_in

_LATEX: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
}
TEST_SELECTED: Final = "H, test-selected"
"""What tables call the best H on test, which published code reports."""
UNMEASURED: Final = "-"
"""Stands for a figure that there are no test rows for."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def latex_text(text: str) -> str:
    r"""Return text that LaTeX prints as it stands, on one line.

    Example:
        >>> print(latex_text("50 % of a_b"))
        50 \% of a\_b
    """
    return "".join(_LATEX.get(letter, letter) for letter in _one_line(text))


def markdown_text(text: str) -> str:
    r"""Return text for a table's cell that Markdown prints as it stands.

    Example:
        >>> print(markdown_text("a|b*c"))
        a\|b\*c
    """
    escaped = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", _one_line(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def csv_text(text: str) -> str:
    """Return text that no spreadsheet takes for a formula.

    Example:
        >>> csv_text("=1+1"), csv_text("skd")
        ("'=1+1", 'skd')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def to_markdown(digest: Digest) -> str:
    """Return warnings, results, published figures and holes as Markdown."""
    study = digest.study
    lines = [f"# {markdown_text(study.title)}", ""]
    lines += [markdown_text(study.note), ""] if study.note else []
    lines += [f"> **Note:** {markdown_text(warning)}" for warning in digest.warnings]
    lines += [""] if digest.warnings else []
    for group in digest.groups:
        lines += [f"## {markdown_text(group.name)}", "", markdown_text(digest.verdict(group)), ""]
        headings = _headings(digest)
        lines += [f"| method | runs | {' | '.join(headings)} |", "| --- | ---: |" + " ---: |" * len(headings)]
        for row in group.ordered:
            cells = [*(_cell(group, row, metric, "**{}**", " ± ") for metric in METRIC_TITLES), *_selected(digest, row)]
            lines.append(f"| {markdown_text(_name(row))} | {group.runs_told(row)} | {' | '.join(cells)} |")
        lines += ["", markdown_text(_legend(group)), "", *_differences_markdown(digest, group)]
        lines += _published_markdown(group)
    if study.holes:
        lines += ["## Holes", "", "| run | status | cause |", "| --- | --- | --- |"]
        lines += [
            f"| {markdown_text(hole.title)} | {markdown_text(hole.status)} | {markdown_text(hole.cause)} |"
            for hole in study.holes
        ]
        lines.append("")
    if study.command:
        lines += ["Made by:", "", f"    {_one_line(study.command)}", ""]
    return "\n".join(lines)


def to_latex(digest: Digest) -> str:
    """Return a table per group of data, and one of published figures, for the package booktabs."""
    blocks = ["% Needs \\usepackage{booktabs,longtable}. Best figures are bold only where a paired test allows it."]
    blocks += [f"% Note: {latex_text(warning)}" for warning in digest.warnings]
    for group in digest.groups:
        rows = [
            " & ".join(
                [
                    latex_text(_name(row)),
                    group.runs_told(row),
                    *(_cell(group, row, metric, r"\textbf{{{}}}", r" $\pm$ ") for metric in METRIC_TITLES),
                    *_selected(digest, row),
                ]
            )
            for row in group.ordered
        ]
        header = " & ".join(["Method", "Runs", *_headings(digest)])
        caption = f"{latex_text(group.name)}. {latex_text(_legend(group))}"
        blocks.append(_tabular(f"lr{'r' * len(_headings(digest))}", header, rows, caption))
        results = [
            " & ".join(
                [
                    latex_text(result.method),
                    latex_text(result.year),
                    latex_text(FEATURES[result.features]),
                    *(_printed(value) for value in (result.t1, result.u, result.s, result.h)),
                    latex_text(result.source),
                    _here(ours),
                ]
            )
            for result, ours in group.published
        ]
        if results:
            header = r"Method & Year & Features & T1 & U & S & H & Source & H here"
            sources = "; ".join(
                f"{key}: {SOURCES[key]}" for key in sorted({result.source for result, _ in group.published})
            )
            caption = f"Published figures on {latex_text(group.data)}. {latex_text(CAVEAT)} {latex_text(sources)}."
            blocks.append(_long_table("lllrrrrlr", header, results, caption))
    return "\n\n".join(blocks) + "\n"


def to_csv(digest: Digest) -> str:
    """Return one line per run and method with its figures as fractions, and the holes with empty ones."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    plain = [f"{metric}_plain" for metric in ("u", "s", "h")]
    facts = ["data", "split", "seed", "method", "kind", "uses_test_data", "stand_in"]
    writer.writerow([*facts, *METRIC_TITLES, *plain, "h_test_selected", "status", "cause"])
    for group in digest.groups:
        made_up = {run.unit for row in group.rows for run in row.runs if stand_in(run)}
        for row in group.rows:
            for unit, figures in row.corrected.items():
                values = [_exact(figures[metric]) for metric in METRIC_TITLES]
                values += [_exact(row.plain[unit][metric]) for metric in ("u", "s", "h")]
                best = next((run.part("test_selected").get("h") for run in row.runs if run.unit == unit), None)
                values.append(_exact(best) if isinstance(best, int | float) else "")
                facts = [csv_text(group.data), csv_text(unit[0]), str(unit[1]), csv_text(row.method), row.kind]
                facts += [_truth(row.uses_test_data), _truth(unit in made_up)]
                writer.writerow([*facts, *values, "finished", ""])
    for hole in digest.study.holes:
        blanks = [""] * (len(METRIC_TITLES) + len(plain) + 1)
        named = [csv_text(each) for each in (hole.data, hole.split, hole.seed, hole.method)]
        writer.writerow([*named, "model", "", "", *blanks, csv_text(hole.status), csv_text(hole.cause)])
    return out.getvalue()


def _differences_markdown(digest: Digest, group: Group) -> Iterator[str]:
    differences = digest.differences(group)
    if not differences:
        return
    yield from (f"### Paired differences in {METRIC_TITLES[group.metric]}", "", "| | against | difference | |")
    yield "| --- | --- | ---: | --- |"
    for each in differences:
        cells = (markdown_text(each.name), markdown_text(each.against), gain_text(each, group.metric), each.judgement)
        yield f"| {' | '.join(cells)} |"
    yield ""


def _published_markdown(group: Group) -> Iterator[str]:
    if not group.published:
        return
    yield from (f"### Published figures on {markdown_text(group.data)}", "", CAVEAT, "")
    yield "| method | year | features | semantics | T1 | U | S | H | source | H here |"
    yield "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | --- | ---: |"
    for result, ours in group.published:
        figures = [_printed(value) for value in (result.t1, result.u, result.s, result.h)]
        facts = [markdown_text(result.method), result.year, FEATURES[result.features], result.semantics]
        yield f"| {' | '.join([*facts, *figures, result.source, _here(ours)])} |"
    yield from ("", *(f"- {key}: {text}" for key, text in SOURCES.items() if _cited(group, key)), "")


def _here(row: Row | None) -> str:
    """The mean H of our own row beside a published one."""
    if row is None:
        return "not run"
    summary = row.summary("h")
    return f"{100 * summary.mean:.1f}" if summary.n else UNMEASURED


def _cited(group: Group, source: str) -> bool:
    return any(result.source == source for result, _ in group.published)


def _headings(digest: Digest) -> list[str]:
    return [*METRIC_TITLES.values(), *([TEST_SELECTED] if digest.test_selected else [])]


def _selected(digest: Digest, row: Row) -> list[str]:
    """The cell of the column of figures that are best on test, where there is that column."""
    if not digest.test_selected:
        return []
    return [UNMEASURED if row.test_selected is None else f"{100 * row.test_selected:.1f}"]


def _name(row: Row) -> str:
    if row.uses_test_data:
        return f"{row.method} (uses test data)"
    return f"{row.method} (closed form)" if row.kind == "reference" else row.method


def _cell(group: Group, row: Row, metric: str, best: str, plus_minus: str) -> str:
    summary = row.summary(metric)
    if not summary.n:
        return UNMEASURED
    factor, digits = (1, 3) if metric == "ausuc" else (100, 1)
    text = f"{factor * summary.mean:.{digits}f}"
    spread = f"{plus_minus}{factor * summary.sd:.{digits}f}" if summary.n > 1 else ""
    return (best.format(text) if group.leaders.get(metric) == row.method else text) + spread


def _legend(group: Group) -> str:
    several = any(len(row.corrected) > 1 for row in group.rows)
    spread = "mean and standard deviation over runs" if several else "a single run each"
    if len(group.splits) > 1:
        spread += ", each class split counting once in the mean"
    marked = (
        "bold: better than every other row in a paired test after Holm"
        if group.leaders
        else "no row is better than every other in a paired test"
    )
    shift = "corrected for label shift" if group.metric == "h" else "not rehearsed, so U, S and H are not corrected"
    made_up = any(stand_in(run) for row in group.rows for run in row.runs)
    warning = " Stand-in features: the figures mean nothing." if made_up else ""
    bare = f" No run has finished of {', '.join(group.empty)}." if group.empty else ""
    return f"Percent, AUSUC as a fraction; {shift}; {spread}; {marked}.{bare}{warning}"


def _tabular(columns: str, header: str, rows: Sequence[str], caption: str) -> str:
    body = "\n".join(f"    {row} \\\\" for row in rows)
    return "\n".join(
        [
            "\\begin{table}",
            "  \\centering",
            f"  \\caption{{{caption}}}",
            f"  \\begin{{tabular}}{{{columns}}}",
            "    \\toprule",
            f"    {header} \\\\",
            "    \\midrule",
            body,
            "    \\bottomrule",
            "  \\end{tabular}",
            "\\end{table}",
        ]
    )


def _long_table(columns: str, header: str, rows: Sequence[str], caption: str) -> str:
    """Lay out a table that may break over pages."""
    body = "\n".join(f"  {row} \\\\" for row in rows)
    return "\n".join(
        [
            f"\\begin{{longtable}}{{{columns}}}",
            f"  \\caption{{{caption}}} \\\\",
            "  \\toprule",
            f"  {header} \\\\",
            "  \\midrule",
            "  \\endhead",
            "  \\bottomrule",
            "  \\endfoot",
            body,
            "\\end{longtable}",
        ]
    )


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _exact(value: float) -> str:
    return f"{value:.6f}" if value == value else ""


def _printed(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
