"""The interactive figures of a report, as Vega-Lite specifications without data, and the columns that fill them.

Names from records stand in data alone, never in a specification's expressions. What filters choose are parameters:
``shownGroups``, ``shownMethods`` and ``metric``; the page's script sets them.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from zslearn.evaluation.metrics import METRIC_TITLES
from zslearn.report.study import Figures, Run
from zslearn.report.summary import Digest, Group, Row

Spec = dict[str, Any]
Columns = dict[str, list[Any]]
Curve = tuple[list[float], list[float]]

PALETTE: Final = (
    *("#3b7dd8", "#e8762b", "#2a9d6f", "#d64550", "#8a63d2"),
    *("#1aa6b7", "#c2569b", "#8f7a4d", "#c9a227", "#6b7f95"),
)
"""Colours of models, to be told apart on light and dark ground."""
GREY: Final = "#8a94a6"
"""The colour of references."""
SEEN_COLOUR, UNSEEN_COLOUR = "#6b8fb8", "#e8762b"
_ROLES: Final = {"combination of parts": PALETTE[0], "other arm": PALETTE[5], "control or closed form": GREY}
"""What the rows of an ablation are, with their colours."""
MAX_BARS: Final = 200
"""Rows, at most, of the figure that compares methods; the table has them all."""
MAX_CURVES: Final = 60
"""Seen-unseen curves, at most, of a group of data: one group is shown at a time."""
_CURVE_STEPS, _CONTOUR_STEPS = 100, 24
_PERCENT = "percent; AUSUC times 100"

DAMAGED: Final = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
"""What reading a part of a record raises that is not as it should be."""

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_DATA = {"name": "rows"}
_SHOWN = "indexof(shownGroups, datum.group) >= 0 && indexof(shownMethods, datum.method) >= 0"
_DASHES = ([6, 3], [2, 2], [8, 3, 2, 3], [4, 4])
_LOOK: Spec = {
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "titlePadding": 8},
    "legend": {"labelFontSize": 12, "titleFontSize": 12, "symbolStrokeWidth": 2},
    "view": {"stroke": None},
}


def specifications(digest: Digest) -> dict[str, Spec]:
    """Return the figures of a digest by name, without their data."""
    shown = [
        {"name": "shownGroups", "value": [group.name for group in digest.groups]},
        {"name": "shownMethods", "value": digest.methods},
    ]
    figures = {"methods": _methods(digest, shown), "curves": _curves(digest, shown)}
    if digest.study.kind == "sweep":
        figures["sweep"] = _sweep(shown, _sweep_places(digest), digest.metric)
    return {**figures, **_closer()}


def overview_columns(digest: Digest) -> dict[str, Columns]:
    """Return the columns of the figures that show several methods."""
    columns = {"methods": _method_columns(digest), "curves": _curve_columns(digest)}
    if digest.study.kind == "sweep":
        columns["sweep"] = _sweep_columns(digest)
    return columns


def left_out(digest: Digest) -> dict[str, Counter[str]]:
    """Return how many methods of which group the figures have no room for, by the figure's name."""
    return {
        "methods": Counter(group.name for group, _ in _ordered(digest)[MAX_BARS:]),
        "curves": +Counter({group.name: len(_curves_in(group)) - MAX_CURVES for group in digest.groups}),
    }


def closer_columns(run: Run, row: Row, sheet: Mapping[str, Any]) -> dict[str, Columns]:
    """Return the columns of the figures that show one method on one group closely.

    Args:
        run: The run that stands for it.
        row: All its runs; accuracies are their means.
        sheet: The run's sheet; may be empty.
    """
    return {
        "classes": _sound(lambda: _class_columns(row, run)),
        "confusion": _sound(lambda: _confusion_columns(sheet)),
        "map": _sound(lambda: _map_columns(sheet)),
        "training": _sound(lambda: _training_columns(sheet)),
        "answers": _sound(lambda: _answer_columns(run)),
        "errors": _sound(lambda: _error_columns(run)),
    }


def _sound(make: Callable[[], Columns]) -> Columns:
    """Return columns; empty ones where the record or sheet behind them is not as it should be."""
    try:
        columns = make()
        # Shares of huge numbers are infinite, and no JSON.
        json.dumps(columns, allow_nan=False)
    except DAMAGED:
        return {"class": []}
    return columns


def _base(height: int, **more: Any) -> Spec:
    return {
        "$schema": _SCHEMA,
        "width": "container",
        "height": height,
        "data": _DATA,
        "background": None,
        # Where a font is drawn wider than it was measured, long labels reach beyond the axis.
        "padding": {"left": 16, "top": 5, "right": 5, "bottom": 5},
        "config": _LOOK,
        **more,
    }


def _colours(digest: Digest) -> Spec:
    colours = itertools.cycle(PALETTE)
    return _by_method(digest, [next(colours) if digest.is_model(method) else GREY for method in digest.methods])


def _dashes(digest: Digest) -> Spec:
    """Tell apart the lines of references, which share a colour, and those of models beyond the palette."""
    others = itertools.cycle(_DASHES)
    models = itertools.chain.from_iterable([each] * len(PALETTE) for each in itertools.cycle(([1, 0], *_DASHES)))
    return _by_method(digest, [next(models if digest.is_model(method) else others) for method in digest.methods])


def _by_method(digest: Digest, values: list[Any]) -> Spec:
    return {"domain": digest.methods, "range": values}


def _percent_axis(title: str, **more: Any) -> Spec:
    return {"type": "quantitative", "title": title, "axis": {"format": ".4~g", "tickCount": 6}, **more}


def _columns_of(width: int) -> Spec:
    """As many columns of a legend as fit."""
    return {"expr": f"max(1, floor(width / {width}))"}


def _methods(digest: Digest, shown: list[Spec]) -> Spec:
    """Each method's mean with its interval, for the figure that is chosen."""
    tooltip = [
        {"field": "method", "title": "method"},
        {"field": "group", "title": "data"},
        {"field": "mean", "title": "mean", "format": ".2f"},
        {"field": "sd", "title": "standard deviation", "format": ".2f"},
        {"field": "lower", "title": "interval from", "format": ".2f"},
        {"field": "upper", "title": "to", "format": ".2f"},
        {"field": "n", "title": "runs"},
    ]
    several = len(digest.groups) > 1
    y = {
        "field": "label" if several else "method",
        "type": "nominal",
        "sort": None,
        "title": None,
        "axis": {"labelLimit": 230, "ticks": False, "domain": False},
    }
    colour = {"field": "method", "type": "nominal", "scale": _colours(digest), "legend": None}
    bars = digest.study.kind == "ablation"
    if bars:
        scale = {"domain": list(_ROLES), "range": list(_ROLES.values())}
        colour = {"field": "role", "type": "nominal", "scale": scale, "legend": {"title": None, "orient": "top"}}
    mark: Spec = {"type": "bar", "height": {"band": 0.62}, "opacity": 0.85} if bars else {"type": "point"}
    if not bars:
        mark |= {"filled": True, "size": 90, "opacity": 1}
    x = _percent_axis(_PERCENT, scale={"zero": bars})
    return _base(
        # The script fits the height to the rows that are shown.
        200,
        params=[*shown, {"name": "metric", "value": digest.metric}],
        transform=[{"filter": f"{_SHOWN} && datum.metric == metric"}],
        layer=[
            *([{"mark": mark, "encoding": _xy("mean", x, y, colour, tooltip)}] if bars else []),
            {
                "mark": {"type": "rule", "strokeWidth": 2.5, "opacity": 0.75},
                "encoding": {
                    "x": {"field": "lower", **x},
                    "x2": {"field": "upper"},
                    "y": y,
                    "color": {"value": GREY} if bars else colour,
                    "tooltip": tooltip,
                },
            },
            *([] if bars else [{"mark": mark, "encoding": _xy("mean", x, y, colour, tooltip)}]),
        ],
    )


def _xy(field: str, x: Spec, y: Spec, colour: Spec, tooltip: list[Spec]) -> Spec:
    return {"x": {"field": field, **x}, "y": y, "color": colour, "tooltip": tooltip}


def _method_columns(digest: Digest) -> Columns:
    columns: Columns = {
        name: [] for name in ("group", "method", "role", "label", "metric", "mean", "sd", "lower", "upper", "n")
    }
    names = [group.data for group in digest.groups]
    for group, row in _ordered(digest)[:MAX_BARS]:
        for metric in METRIC_TITLES:
            summary = row.summary(metric)
            if not summary.n:
                continue
            figures = (summary.mean, summary.sd, summary.lower, summary.upper)
            _add(
                columns,
                group=group.name,
                method=row.method,
                role=_role(row),
                label=f"{row.method} · {group.name if names.count(group.data) > 1 else group.data}",
                metric=metric,
                n=summary.n,
                **dict(zip(("mean", "sd", "lower", "upper"), (round(100 * each, 2) for each in figures), strict=True)),
            )
    return columns


def _ordered(digest: Digest) -> list[tuple[Group, Row]]:
    return [(group, row) for group in digest.groups for row in group.ordered]


def _role(row: Row) -> str:
    """What a row is in an ablation."""
    marks = row.runs[0].marks if row.runs else {}
    combination, arm, control = _ROLES
    return combination if "parts" in marks else control if "control" in marks or not row.runs else arm


def _curves(digest: Digest, shown: list[Spec]) -> Spec:
    """Seen against unseen accuracy at every offset, with lines of equal H behind."""
    legend = {"title": None, "orient": "bottom", "columns": _columns_of(210), "labelLimit": 190}
    legend |= {"symbolType": "stroke", "symbolSize": 500}
    colour = {"field": "method", "type": "nominal", "scale": _colours(digest)}
    contours = [{"h": h, "u": u, "s": h * u / (2 * u - h)} for h in (20, 40, 60, 80) for u in _contour(h)]
    square = {"scale": {"domain": [0, 100]}}
    x, y = (_percent_axis(f"accuracy on {side} classes (%)", **square) for side in ("unseen", "seen"))
    tooltip = [
        {"field": "method", "title": "method"},
        {"field": "unseen", "title": "unseen (%)", "format": ".1f"},
        {"field": "seen", "title": "seen (%)", "format": ".1f"},
    ]
    places = {"x": {"field": "unseen", **x}, "y": {"field": "seen", **y}}
    return _base(
        420,
        params=[{"name": "shownGroups", "value": shown[0]["value"][:1]}, shown[1]],
        layer=[
            {
                "data": {"values": contours},
                "mark": {"type": "line", "color": GREY, "opacity": 0.35, "strokeWidth": 1},
                "encoding": {"x": {"field": "u", **x}, "y": {"field": "s", **y}, "detail": {"field": "h"}},
            },
            {
                "data": {"values": [{"h": h, "text": f"H {h}"} for h in (20, 40, 60, 80)]},
                "mark": {"type": "text", "fontSize": 10, "opacity": 0.8},
                "encoding": {"x": {"field": "h", **x}, "y": {"field": "h", **y}, "text": {"field": "text"}},
            },
            {
                "transform": [{"filter": f"{_SHOWN} && datum.point == 'curve'"}],
                "mark": {"type": "line", "strokeWidth": 2, "interpolate": "step-after", "clip": True},
                "encoding": {
                    **places,
                    "color": {**colour, "legend": legend},
                    "strokeDash": {"field": "method", "type": "nominal", "scale": _dashes(digest), "legend": legend},
                    "order": {"field": "order"},
                    "detail": {"field": "method"},
                    "tooltip": tooltip[:1],
                },
            },
            {
                "transform": [{"filter": f"{_SHOWN} && datum.point != 'curve'"}],
                "mark": {"type": "point", "size": 75, "filled": True, "strokeWidth": 2, "opacity": 1},
                "encoding": {
                    **places,
                    "color": {**colour, "legend": legend},
                    "shape": {
                        "field": "point",
                        "type": "nominal",
                        "scale": {"domain": ["corrected", "plain"], "range": ["circle", "diamond"]},
                        "legend": {"title": None, "orient": "top", "symbolFillColor": GREY, "symbolStrokeColor": GREY},
                    },
                    "tooltip": [*tooltip, {"field": "point", "title": "label shift"}],
                },
            },
        ],
    )


def _contour(h: int) -> list[float]:
    """Return unseen accuracies along a line of equal H, closer together where it is steep."""
    steps = range(_CONTOUR_STEPS + 1)
    first, last = 100 * h / (200 - h) - h / 2, 100 - h / 2
    return [round(h / 2 + first * (last / first) ** (step / _CONTOUR_STEPS), 2) for step in steps]


def _curve_columns(digest: Digest) -> Columns:
    columns: Columns = {name: [] for name in ("group", "method", "unseen", "seen", "point", "order")}
    for group in digest.groups:
        for row, run, curve in _curves_in(group)[:MAX_CURVES]:
            points = list(zip(*curve, strict=True))
            # Both ends, and of those between as many as the eye can tell apart.
            for order, (unseen, seen) in enumerate([*points[:: len(points) // _CURVE_STEPS + 1], points[-1]]):
                where = {"unseen": round(100 * unseen, 1), "seen": round(100 * seen, 1)}
                _add(columns, group=group.name, method=row.method, point="curve", order=order, **where)
            for point, figures in zip(("plain", "corrected"), _figures_in(run, row), strict=True):
                where = {"unseen": round(100 * figures["u"], 1), "seen": round(100 * figures["s"], 1)}
                _add(columns, group=group.name, method=row.method, point=point, order=0, **where)
    return columns


def _curves_in(group: Group) -> list[tuple[Row, Run, Curve]]:
    """Return the methods that there is a curve of, the best first, each with the run that it comes from."""
    found = ((row, _curve_of(group, row)) for row in group.ordered)
    return [(row, *told) for row, told in found if told is not None]


def _curve_of(group: Group, row: Row) -> tuple[Run, Curve] | None:
    """Return the run in the middle and its curve; a reference's is taken from a model's record.

    A control's record has no such curve, as its references were measured on data that it has changed.
    """
    runs = row.runs or tuple(
        run for each in group.rows for run in each.runs if row.method in run.references and "control" not in run.marks
    )
    if not runs:
        return None
    run = middle_run(runs, row, group.metric)
    told = run.part("curve") if row.runs else run.part("reference_curves", row.method)
    unseen, seen = (_shares(told.get(name)) for name in ("unseen", "seen"))
    return (run, (unseen, seen)) if unseen and len(unseen) == len(seen) else None


def middle_run(runs: Sequence[Run], row: Row, metric: str) -> Run:
    """Return the run whose figure of the row's method is in the middle; it stands for them where one must be shown."""
    return sorted(runs, key=lambda run: _figures_in(run, row)[1][metric])[len(runs) // 2]


def _figures_in(run: Run, row: Row) -> tuple[Figures, Figures]:
    """Return plain and corrected figures of a row's method in a run: its own, or those of a reference beside it."""
    return (run.plain, run.corrected) if row.runs else run.references[row.method]


def sweep_fields(digest: Digest) -> list[str]:
    """Return the settings that a sweep moves, sorted."""
    return list(_sweep_places(digest))


def _sweep_places(digest: Digest) -> dict[str, list[float]]:
    """The settings that a sweep moves, sorted, with their values."""
    columns = _sweep_columns(digest)
    pairs = sorted(set(zip(columns["field"], columns["value"], strict=True)))
    return {field: [value for name, value in pairs if name == field] for field, _ in pairs}


def _sweep(shown: list[Spec], places: Mapping[str, Sequence[float]], metric: str) -> Spec:
    """The chosen figure over the values of the chosen setting."""
    axis = {"values": {"expr": "places[field]"}, "format": ".4~g", "labelOverlap": True}
    scale = {"type": "symlog", "constant": 0.1}
    x = {"field": "value", "type": "quantitative", "scale": scale, "title": "value", "axis": axis}
    y = _percent_axis(_PERCENT, scale={"zero": False})
    colour = {
        "field": "line",
        "type": "nominal",
        "scale": {"range": list(PALETTE)},
        "legend": {"title": None, "orient": "bottom", "columns": 1, "labelLimit": 320},
    }
    chosen = "indexof(shownGroups, datum.group) >= 0 && datum.metric == metric && datum.field == field"
    return _base(
        320,
        params=[
            shown[0],
            {"name": "metric", "value": metric},
            {"name": "field", "value": next(iter(places), "")},
            {"name": "places", "value": places},
        ],
        transform=[{"filter": chosen}],
        layer=[
            {
                "mark": {"type": "area", "opacity": 0.18},
                "encoding": {"x": x, "y": {"field": "lower", **y}, "y2": {"field": "upper"}, "color": colour},
            },
            {
                "mark": {"type": "line", "point": {"size": 60, "filled": True}, "strokeWidth": 2},
                "encoding": {
                    "x": x,
                    "y": {"field": "mean", **y},
                    "color": colour,
                    "tooltip": [
                        {"field": "line", "title": "model"},
                        {"field": "field", "title": "setting"},
                        {"field": "value", "title": "value"},
                        {"field": "mean", "title": "mean", "format": ".2f"},
                        {"field": "lower", "title": "interval from", "format": ".2f"},
                        {"field": "upper", "title": "to", "format": ".2f"},
                        {"field": "n", "title": "runs"},
                    ],
                },
            },
        ],
    )


def _sweep_columns(digest: Digest) -> Columns:
    """The arms say which field they move and to what; the arm as set stands on every field's line."""
    names = ("group", "line", "field", "value", "metric", "mean", "lower", "upper", "n")
    columns: Columns = {name: [] for name in names}
    for group in digest.groups:
        for row in group.rows:
            if not row.runs:
                continue
            run = row.runs[0]
            as_set, field = run.marks.get("as_set"), run.marks.get("field")
            places = dict(as_set) if isinstance(as_set, dict) else {field: run.marks.get("value")} if field else {}
            for name, value in places.items():
                if isinstance(value, int | float):
                    for metric in METRIC_TITLES:
                        summary = row.summary(metric)
                        if not summary.n:
                            continue
                        _add(
                            columns,
                            group=group.name,
                            line=f"{run.model} · {group.name}",
                            field=str(name),
                            value=value,
                            metric=metric,
                            mean=round(100 * summary.mean, 2),
                            lower=round(100 * summary.lower, 2),
                            upper=round(100 * summary.upper, 2),
                            n=summary.n,
                        )
    return columns


def _closer() -> dict[str, Spec]:
    """The figures of one method on one group; they are drawn anew for each that is chosen."""
    sides = {"domain": ["seen", "unseen"], "range": [SEEN_COLOUR, UNSEEN_COLOUR]}
    side = {"field": "side", "type": "nominal", "scale": sides, "legend": {"title": None, "orient": "top"}}
    named = {
        "type": "nominal",
        "sort": None,
        "title": None,
        "axis": {"labelLimit": 90, "labelAngle": -60, "labelOverlap": True},
    }
    classes = _base(
        230,
        mark={"type": "bar"},
        encoding={
            "x": {"field": "class", **named},
            "y": _percent_axis("accuracy (%)", field="accuracy", scale={"domain": [0, 100]}),
            "color": side,
            "tooltip": [
                {"field": "class"},
                {"field": "side", "title": "kind"},
                {"field": "accuracy", "title": "accuracy (%)", "format": ".1f"},
            ],
        },
    )
    labels: Spec = {"labelLimit": 80, "labelOverlap": True, "ticks": False}

    def confused(place: str) -> Spec:
        return {"type": "nominal", "sort": {"field": place, "op": "min"}}

    confusion = _base(
        460,
        mark={"type": "rect"},
        encoding={
            "x": {
                "field": "answered",
                "title": "answered",
                **confused("column"),
                "axis": {**labels, "labelAngle": -60},
            },
            "y": {"field": "true", "title": "true class", **confused("row"), "axis": labels},
            "color": {"value": UNSEEN_COLOUR},
            # Opacity, so that little is pale on light ground and dim on dark.
            "opacity": {
                "field": "share",
                "type": "quantitative",
                "title": "% of the true class",
                "scale": {"type": "sqrt", "domain": [0, 100], "range": [0.05, 1]},
                "legend": {"orient": "top", "symbolType": "square", "symbolStrokeWidth": 0, "values": [1, 10, 50, 100]},
            },
            "tooltip": [
                {"field": "true", "title": "true class"},
                {"field": "answered"},
                {"field": "count", "title": "rows"},
                {"field": "share", "title": "% of the true class", "format": ".1f"},
            ],
        },
    )
    legend = {"title": None, "orient": "bottom", "columns": _columns_of(110), "labelLimit": 100}
    places = {
        "x": {"field": "x", "type": "quantitative", "axis": None},
        "y": {"field": "y", "type": "quantitative", "axis": None},
    }
    placed = _base(
        440,
        layer=[
            {
                "transform": [{"filter": "datum.kind == 'training'"}],
                "mark": {"type": "point", "filled": True, "size": 14, "color": GREY, "opacity": 0.45},
                "encoding": {**places, "tooltip": [{"field": "kind"}]},
            },
            {
                "transform": [{"filter": "datum.kind != 'training'"}],
                "params": [{"name": "chosen", "select": {"type": "point", "fields": ["class"]}, "bind": "legend"}],
                "mark": {"type": "point", "size": 40},
                "encoding": {
                    **places,
                    "color": {"field": "class", "type": "nominal", "scale": {"range": list(PALETTE)}, "legend": legend},
                    "strokeWidth": {"condition": {"test": "datum.kind == 'generated'", "value": 2}, "value": 1},
                    "shape": {
                        "field": "kind",
                        "type": "nominal",
                        "scale": {"domain": ["real", "generated"], "range": ["circle", "M-1,-1L1,1M1,-1L-1,1"]},
                        "legend": {"title": None, "orient": "top"},
                    },
                    "opacity": {"condition": {"param": "chosen", "value": 0.85}, "value": 0.08},
                    "tooltip": [{"field": "class"}, {"field": "kind"}],
                },
            },
        ],
    )
    legend = {"title": None, "orient": "bottom", "columns": _columns_of(190), "labelLimit": 140}
    legend |= {"symbolType": "stroke", "symbolSize": 300}
    term = {"field": "term", "type": "nominal", "legend": legend}
    # More terms than colours are told apart by their dashes.
    dashes = [dash for dash in ([1, 0], *_DASHES) for _ in PALETTE]
    training = _base(
        300,
        mark={"type": "line", "point": {"size": 18}, "strokeWidth": 1.6},
        encoding={
            "x": {"field": "step", "type": "quantitative", "title": "step of its stage", "axis": {"tickCount": 8}},
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": "weighted loss term",
                "scale": {"type": "symlog", "constant": 1},
                "axis": {"tickCount": 6},
            },
            "color": {**term, "scale": {"range": list(PALETTE)}},
            "strokeDash": {**term, "scale": {"range": dashes}},
            "tooltip": [{"field": "term"}, {"field": "step"}, {"field": "value", "format": ".4g"}],
        },
    )
    answers = _base(
        230,
        mark={"type": "bar"},
        encoding={
            "x": {"field": "class", **named},
            "y": {"field": "share", "type": "quantitative", "title": "% of unseen rows", "axis": {"tickCount": 5}},
            "color": side,
            "tooltip": [
                {"field": "class", "title": "answered"},
                {"field": "side", "title": "kind"},
                {"field": "count", "title": "rows"},
                {"field": "share", "title": "% of unseen rows", "format": ".1f"},
            ],
        },
    )
    errors = _base(
        260,
        layer=[
            {
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0.9, "color": UNSEEN_COLOUR},
                "encoding": {
                    "x": {
                        "field": "distance",
                        "type": "quantitative",
                        "title": "semantic distance to the nearest seen class",
                        "scale": {"zero": False},
                    },
                    "y": {
                        "field": "error",
                        "type": "quantitative",
                        "title": "error of the generated mean",
                        "scale": {"zero": False},
                    },
                    "tooltip": [
                        {"field": "class"},
                        {"field": "nearest", "title": "nearest seen class"},
                        {"field": "distance", "title": "semantic distance", "format": ".2f"},
                        {"field": "error", "title": "error of the mean", "format": ".2f"},
                        {"field": "frechet", "title": "Fréchet distance", "format": ".1f"},
                        {"field": "halves", "title": "Fréchet between halves of real rows", "format": ".1f"},
                        {"field": "mmd", "title": "MMD squared", "format": ".3f"},
                    ],
                },
            }
        ],
    )
    return {
        "classes": classes,
        "confusion": confusion,
        "map": placed,
        "training": training,
        "answers": answers,
        "errors": errors,
    }


def _class_columns(row: Row, run: Run) -> Columns:
    """Mean accuracy of every class over the runs of the shown run's split, seen ones first, the best first."""
    found: dict[str, list[float]] = {}
    for each in row.runs:
        # In another split, other classes are unseen.
        if each.split == run.split:
            for name, value in each.part("per_class").items():
                if isinstance(value, int | float):
                    found.setdefault(name, []).append(float(value))
    unseen = _unseen(run)
    columns: Columns = {name: [] for name in ("class", "side", "accuracy")}
    means = {name: sum(values) / len(values) for name, values in found.items()}
    for name in sorted(means, key=lambda each: (each in unseen, -means[each])):
        side = "unseen" if name in unseen else "seen"
        _add(columns, **{"class": name, "side": side, "accuracy": round(100 * means[name], 1)})
    return columns


def _unseen(run: Run) -> set[str]:
    return set(map(str, run.record.get("unseen_classes") or ()))


def _confusion_columns(sheet: Mapping[str, Any]) -> Columns:
    columns: Columns = {name: [] for name in ("true", "answered", "row", "column", "count", "share")}
    told = sheet.get("confusion")
    if not isinstance(told, dict):
        return columns
    names, rows = told["classes"], told["rows"]
    for true, answered, count in zip(told["true"], told["answered"], told["count"], strict=True):
        share = round(100 * count / max(1, rows[true]), 1)
        named = {"true": str(names[true]), "answered": str(names[answered])}
        _add(columns, **named, row=true, column=answered, count=count, share=share)
    return columns


def _map_columns(sheet: Mapping[str, Any]) -> Columns:
    columns: Columns = {name: [] for name in ("class", "kind", "x", "y")}
    told = sheet.get("map")
    for group in told["groups"] if isinstance(told, dict) else ():
        for x, y in zip(group["x"], group["y"], strict=True):
            _add(columns, **{"class": str(group["class"]), "kind": str(group["kind"]), "x": x, "y": y})
    return columns


def _training_columns(sheet: Mapping[str, Any]) -> Columns:
    columns: Columns = {name: [] for name in ("term", "step", "value")}
    for stage in sheet.get("training") or ():
        for term, points in stage["terms"].items():
            for step, value in zip(points["step"], points["value"], strict=True):
                _add(columns, term=str(term), step=step, value=value)
    return columns


def _answer_columns(run: Run) -> Columns:
    columns: Columns = {name: [] for name in ("class", "side", "count", "share")}
    told = run.part("diagnostics", "answers_of_unseen")
    unseen = _unseen(run)
    for name, count in run.part("diagnostics", "answers_of_unseen", "counts").items():
        share = round(100 * count / max(1, told.get("n_rows", 0)), 2)
        _add(columns, **{"class": name, "side": "unseen" if name in unseen else "seen", "count": count, "share": share})
    return columns


def _error_columns(run: Run) -> Columns:
    fields = {
        "class": "class",
        "nearest": "nearest_seen",
        "distance": "semantic_distance",
        "error": "mean_error",
        "frechet": "frechet",
        "halves": "frechet_between_halves",
        "mmd": "mmd_squared",
    }
    columns: Columns = {name: [] for name in fields}
    for told in run.part("diagnostics", "generated").get("classes") or ():
        _add(columns, **{name: _rounded(told.get(field)) for name, field in fields.items()})
    return columns


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _shares(values: Any) -> list[float]:
    if not isinstance(values, list) or not all(isinstance(value, int | float) and 0 <= value <= 1 for value in values):
        return []
    return values


def compact(columns: Columns) -> dict[str, Any]:
    """Return columns in which each text stands once, with the places where it belongs.

    Example:
        >>> compact({"class": ["a", "b", "a"], "x": [1, 2, 3]})
        {'class': {'of': ['a', 'b'], 'at': [0, 1, 0]}, 'x': [1, 2, 3]}
    """
    told: dict[str, Any] = {}
    for name, cells in columns.items():
        if cells and all(isinstance(cell, str) for cell in cells):
            places = {cell: place for place, cell in enumerate(dict.fromkeys(cells))}
            told[name] = {"of": list(places), "at": [places[cell] for cell in cells]}
        else:
            told[name] = cells
    return told


def _add(columns: Columns, **cells: Any) -> None:
    for name, cell in cells.items():
        columns[name].append(cell)


def metric_choices(first: str) -> list[tuple[str, str]]:
    """Return the figures that may be chosen, with what they are called."""
    return [
        (metric, METRIC_TITLES[metric]) for metric in (first, *(other for other in METRIC_TITLES if other != first))
    ]
