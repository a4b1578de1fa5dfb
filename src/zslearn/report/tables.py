"""The result table: the model and the references, plain and corrected, and one sentence on what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAME_WIDTH = 24
_UNMEASURED = "-"
_COLUMNS = ("T1", "U", "S", "H", "AUSUC", "U", "S", "H")


def result_table(record: Mapping[str, Any]) -> str:
    """Lay out a record's figures: percent, AUSUC as a fraction; the best corrected H is marked.

    A dash stands for what could not be measured, as there are no test rows for it.

    Args:
        record: A finished run's record, or a measurement of the same form.
    """
    rows = {record["model"]: (record["metrics"], record["metrics_corrected"])}
    rows |= {name: (plain, plain["corrected"]) for name, plain in _others(record).items()}
    best = max((h for _, corrected in rows.values() if (h := corrected["h"]) is not None), default=None)
    return figures_table(rows, best)


def figures_table(rows: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]], best_h: float | None = None) -> str:
    """Lay out figures, a line for each name: percent, AUSUC as a fraction.

    Args:
        rows: The plain and the corrected figures by name.
        best_h: The corrected H that is marked, a fraction.
    """
    group = f"{'':{_NAME_WIDTH}}{'':8}{'plain':^21}{'':8}{'corrected':^21}"
    header = f"{'':{_NAME_WIDTH}}" + _cells(_COLUMNS)
    lines = [group.rstrip(), header, "-" * len(header)]
    for name, (plain, corrected) in rows.items():
        percent = [_percent(plain[key]) for key in ("t1", "u", "s", "h")]
        area = _UNMEASURED if plain["ausuc"] is None else f"{plain['ausuc']:.3f}"
        right = [_percent(corrected[key]) for key in ("u", "s", "h")]
        mark = " *" if corrected["h"] == best_h and best_h is not None else ""
        lines.append(f"{name:{_NAME_WIDTH}}" + _cells([*percent, area, *right]) + mark)
    return "\n".join(lines)


def verdict(record: Mapping[str, Any]) -> str:
    """Say in one sentence what the figures mean."""
    ours = record["metrics_corrected"]["h"]
    if ours is None:
        return _unmeasured(record)
    references = _others(record)
    name = max(references, key=lambda each: references[each]["corrected"]["h"])
    gap = 100 * (ours - references[name]["corrected"]["h"])
    side = "above" if gap > 0 else "below"
    place = f"{abs(gap):.1f} points {side} the best closed form, {name}"
    gain = 100 * (ours - record["metrics"]["h"])
    correction = (
        f"the rehearsed label-shift correction changed its H by {gain:+.1f} points"
        if record["selection"]["rehearsal"] is not None
        else f"no label-shift correction was rehearsed ({_why_not_rehearsed(record)})"
    )
    return (
        f"{record['model']} recognises unseen classes among all with a corrected H of {100 * ours:.1f} %, {place}; "
        f"{correction}. One run is one seed: compare methods over several."
    )


def _unmeasured(record: Mapping[str, Any]) -> str:
    """Say what is missing for a corrected H, and what there is instead."""
    metrics, rehearsal = record["metrics_corrected"], record["selection"]["rehearsal"]
    missing = [side for side, key in (("seen", "s"), ("unseen", "u")) if metrics[key] is None]
    what = "nothing could be measured" if len(missing) > 1 else "H could not be measured"
    instead = (
        f"There was no rehearsal either ({_why_not_rehearsed(record)}): nothing is known about how good it is."
        if rehearsal is None
        else "In the rehearsal, with seen classes playing unseen, its corrected H was "
        f"{100 * rehearsal['corrected']['h']:.1f} %."
    )
    return (
        f"There are no test rows of {' and none of '.join(missing)} classes: {what} (-). "
        f"{record['model']} is trained and saved. {instead}"
    )


def _why_not_rehearsed(record: Mapping[str, Any]) -> str:
    return str(record["selection"]["chosen_on"]).removeprefix("nothing: ")


def _percent(value: float | None) -> str:
    return _UNMEASURED if value is None else f"{100 * value:.1f}"


def _others(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the references but for the model itself, which may be one of them."""
    return {name: figures for name, figures in record["references"].items() if name != record["model"]}


def _cells(values: Any) -> str:
    return "".join(f"{value:>7}" if index != 4 else f"{value:>8}" for index, value in enumerate(values))
