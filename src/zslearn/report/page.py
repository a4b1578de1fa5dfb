"""The report: one page that opens from disk, or the same tables as Markdown, LaTeX and CSV."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from zslearn import __version__
from zslearn.errors import require_extra, unknown_name
from zslearn.evaluation.metrics import METRIC_TITLES
from zslearn.evaluation.statistics import Summary
from zslearn.files import write_bytes
from zslearn.report import Format
from zslearn.report.documents import UNMEASURED, to_csv, to_latex, to_markdown
from zslearn.report.figures import (
    DAMAGED,
    closer_columns,
    compact,
    left_out,
    metric_choices,
    middle_run,
    overview_columns,
    specifications,
    sweep_fields,
)
from zslearn.report.published import CAVEAT, FEATURES, REMARKS, SOURCES
from zslearn.report.study import Run, Study, read_study
from zslearn.report.summary import Digest, Group, Row, figure_text, gain_text, summed_up

MAX_CLOSER_BYTES: Final = 1_000_000
"""How much of the page the close views may take; those of later methods are left out, and the page says so."""


def make_report(folder: Path, format: Format = "html") -> str:
    """Return the report of a run folder or an experiment folder as text.

    Args:
        folder: The folder.
        format: ``html``, ``md``, ``latex`` or ``csv``.

    Raises:
        RunFolderError: If there is nothing to report on.
        UnknownNameError: If there is no such format.
        MissingExtraError: If the extra ``report`` is not installed, which ``html`` needs.
    """
    writers: Mapping[str, Callable[[Digest], str]] = {
        "html": to_html,
        "md": to_markdown,
        "latex": to_latex,
        "csv": to_csv,
    }
    if format not in writers:
        raise unknown_name("format", format, writers)
    return writers[format](summed_up(read_study(folder)))


def write_report(folder: Path, path: Path, format: Format = "html") -> None:
    """Write the report of a run folder or an experiment folder to a file, atomically.

    Args:
        folder: The folder.
        path: The file to make or replace.
        format: As of `make_report`.

    Raises:
        RunFolderError: If there is nothing to report on.
        OSError: If the file cannot be written; it is then as it was.
    """
    write_bytes(path, make_report(folder, format).encode())


def to_html(digest: Digest) -> str:
    """Return the page: style, script, figures and data are in it, and nothing is fetched.

    Raises:
        MissingExtraError: If the extra ``report`` is not installed.
    """
    jinja2 = require_extra("jinja2", "report")
    vl_convert = require_extra("vl_convert", "report")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"percent": _percent, "fraction": _fraction}
    closer, without_view = _closer(digest)
    columns = overview_columns(digest)
    content = {
        "figures": specifications(digest),
        "columns": {name: compact(each) for name, each in columns.items()},
        "closer": closer,
        "groups": [group.name for group in digest.groups],
        "methods": digest.methods,
    }
    page: str = environment.from_string(_part("page.html")).render(
        digest=digest,
        study=digest.study,
        facts=_facts(digest),
        metrics=METRIC_TITLES,
        metric_choices=metric_choices(digest.metric),
        figure_text=figure_text,
        gain_text=gain_text,
        cells=_cells,
        test_selected=digest.test_selected,
        selected=_selected,
        diagnostics=_diagnostics(digest),
        closer=[{"group": each["group"], "method": each["method"]} for each in closer],
        without_view=without_view,
        left_out=left_out(digest),
        sweep_fields=sweep_fields(digest) if digest.study.kind == "sweep" else [],
        published=_published(digest),
        sources=SOURCES,
        remarks=REMARKS,
        caveat=CAVEAT,
        settings=_settings(digest),
        environments=_environments(digest.study),
        version=__version__,
        style=_part("page.css"),
        script=_part("page.js"),
        library=vl_convert.javascript_bundle(),
        content=script_json(content),
    )
    return page


def script_json(value: Any) -> str:
    r"""Return JSON that may stand in a script element: no text in it can end the element or begin another.

    Example:
        >>> script_json({"name": "</script>"})
        '{"name":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _part(name: str) -> str:
    return files("zslearn.report").joinpath("page_parts", name).read_text(encoding="utf-8")


def _percent(value: float, digits: int = 1) -> str:
    return _fraction(100 * value, digits)


def _fraction(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if value == value else UNMEASURED


def _cells(group: Group, row: Row) -> list[dict[str, Any]]:
    """The figures of a row as the page shows them, corrected and plain."""
    cells = []
    for metric in METRIC_TITLES:
        told = {"metric": metric, "best": group.leaders.get(metric) == row.method}
        told |= _shown(metric, row.summary(metric), "corrected")
        # T1 and AUSUC do not depend on the correction.
        if metric in ("u", "s", "h") and row.plain != row.corrected:
            told |= _shown(metric, row.summary(metric, plain=True), "plain")
        cells.append(told)
    return cells


def _shown(metric: str, summary: Summary, side: str) -> dict[str, str]:
    form = _fraction if metric == "ausuc" else _percent
    several = summary.n > 1
    return {
        side: form(summary.mean),
        f"{side}_sd": form(summary.sd) if several else "",
        f"{side}_interval": f"{form(summary.lower)} to {form(summary.upper)}" if several else "",
    }


def _selected(row: Row) -> str:
    """The mean of the best H on test over the runs, where it was sought."""
    return "" if row.test_selected is None else _percent(row.test_selected)


def _facts(digest: Digest) -> list[tuple[str, str]]:
    runs = digest.study.runs
    seconds = sum(value for run in runs for value in run.part("seconds").values() if isinstance(value, int | float))
    took = (
        f"{seconds / 3600:.1f} h"
        if seconds >= 3600
        else f"{seconds / 60:.1f} min"
        if seconds >= 60
        else f"{seconds:.0f} s"
    )
    facts = [("runs finished", f"{len(runs):,}")]
    facts += [(status, str(n)) for status, n in digest.study.n_holes.items()]
    facts += [("data sets", str(len({group.data for group in digest.groups})))]
    facts += [("methods", str(len(digest.methods))), ("seeds", str(len({run.seed for run in runs})))]
    return [*facts, ("computing time", took)]


def _diagnostics(digest: Digest) -> list[dict[str, Any]]:
    """One row of means over the runs for each model."""
    rows = []
    for group in digest.groups:
        for row in group.rows:
            told = [run for run in row.runs if run.part("diagnostics")]
            if told:
                rows.append(
                    {
                        "group": group.name,
                        "method": row.method,
                        "plain": _mean(run.part("confusion").get("unseen_as_seen") for run in told),
                        "corrected": _mean(run.part("confusion_corrected").get("unseen_as_seen") for run in told),
                        "seen": _mean(run.part("confusion_corrected").get("seen_as_unseen") for run in told),
                        **_of_generated(told),
                    }
                )
    return rows


def _of_generated(runs: list[Run]) -> dict[str, float | None]:
    generated = [run.part("diagnostics", "generated") for run in runs]
    classes = [each for told in generated for each in _mappings(told.get("classes"))]
    near = {
        side: [run.part("diagnostics", "generated", "nearest_training_row", side).get("ratio") for run in runs]
        for side in ("seen", "unseen")
    }
    return {
        "frechet": _mean(each.get("frechet") for each in classes),
        "halves": _mean(each.get("frechet_between_halves") for each in classes),
        "mmd": _mean(each.get("mmd_squared") for each in classes),
        "error": _mean(each.get("mean_error") for each in classes),
        "follows": _mean(told.get("error_follows_distance") for told in generated),
        "copying": _mean(near["seen"]),
        "drift": _mean(near["unseen"]),
    }


def _mappings(values: Any) -> list[Mapping[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _mean(values: Iterable[Any]) -> float | None:
    numbers = [value for value in values if isinstance(value, int | float)]
    return sum(numbers) / len(numbers) if numbers else None


def _closer(digest: Digest) -> tuple[list[dict[str, Any]], list[str]]:
    """The close views, as many as fit: the best method of each group first, then the next ones."""
    shown = [[(group, row) for row in group.ordered if row.runs] for group in digest.groups]
    views: list[dict[str, Any]] = []
    without_view: list[str] = []
    budget = MAX_CLOSER_BYTES
    for group, row in (pair for rank in itertools.zip_longest(*shown) for pair in rank if pair is not None):
        view = _view(group, row) if budget > 0 else None
        size = len(script_json(view)) if view is not None else 0
        if view is None or size > budget:
            without_view.append(f"{row.method} on {group.name}")
            continue
        budget -= size
        views.append(view)
    return views, without_view


def _view(group: Group, row: Row) -> dict[str, Any]:
    run = middle_run(row.runs, row, group.metric)
    sheet = run.sheet() or {}
    try:
        parts = ("class", "mean", "generated", "real")
        images = [{name: str(strip[name]) for name in parts} for strip in sheet.get("images") or ()]
        told = sheet["confusion"]
        n_left_out = int(told["n_classes"]) - len(told["classes"])
    except DAMAGED:
        images, n_left_out = [], 0
    return {
        "group": group.name,
        "method": row.method,
        "run": f"split {run.split}, seed {run.seed}" if run.split != "official" else f"official split, seed {run.seed}",
        "nRuns": len(row.runs),
        "by": METRIC_TITLES[group.metric],
        "columns": {name: compact(columns) for name, columns in closer_columns(run, row, sheet).items()},
        "images": images,
        "confusionLeftOut": n_left_out,
    }


def _published(digest: Digest) -> list[dict[str, Any]]:
    tables = []
    for group in digest.groups:
        rows = [
            {
                "method": result.method,
                "year": result.year,
                "features": FEATURES[result.features],
                "semantics": result.semantics,
                "figures": [getattr(result, name) for name in ("t1", "u", "s", "h")],
                "source": result.source,
                "remarks": result.remarks,
                "ours": "not run" if ours is None else _percent(ours.summary("h").mean),
            }
            for result, ours in group.published
        ]
        if rows:
            tables.append({"group": group, "rows": rows})
    return tables


def _settings(digest: Digest) -> list[dict[str, Any]]:
    """For each model its most frequent configuration, and how each method differs from it."""
    told = []
    by_model: dict[str, list[tuple[Group, Row]]] = {}
    for group in digest.groups:
        for row in group.rows:
            if row.runs:
                by_model.setdefault(row.runs[0].model, []).append((group, row))
    for model, pairs in by_model.items():
        configs = [dict(row.runs[0].part("config")) for _, row in pairs]
        common = {
            name: Counter(json.dumps(config.get(name)) for config in configs).most_common(1)[0][0]
            for name in dict.fromkeys(name for config in configs for name in config)
        }
        rows = []
        for (group, row), config in zip(pairs, configs, strict=True):
            differing = {name: value for name, value in config.items() if json.dumps(value) != common[name]}
            rows.append(
                {
                    "group": group.name,
                    "method": row.method,
                    "mark": row.settings,
                    "differing": ", ".join(f"{name} {json.dumps(value)}" for name, value in differing.items()),
                    "chosen": _chosen(row),
                }
            )
        told.append({"model": model, "common": common, "rows": rows})
    return told


def _chosen(row: Row) -> str:
    """How the first run came to its choices, in a few words."""
    selection, search = row.runs[0].part("selection"), row.runs[0].part("selection", "search")
    offset = row.runs[0].part("selection", "rehearsal").get("offset")
    on = str(selection.get("chosen_on", "not told"))
    told = f"on {on}, offset {offset:.3g}" if isinstance(offset, int | float) else on
    return f"{told}; searched in {search.get('budget')} trials for {search.get('objective')}" if search else told


def _environments(study: Study) -> list[dict[str, str]]:
    """The different versions and machines, each with the number of runs."""
    counted: Counter[tuple[str, str]] = Counter()
    for run in study.runs:
        versions = ", ".join(f"{name} {version}" for name, version in run.part("versions").items())
        machine = ", ".join(f"{name} {value}" for name, value in run.part("hardware").items())
        counted[versions, machine] += 1
    return [{"versions": v, "machine": m, "runs": str(n)} for (v, m), n in counted.most_common()]
