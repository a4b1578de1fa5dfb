"""The result table: the model and the references, plain and corrected, and one sentence on what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAME_WIDTH = 24
_COLUMNS = ("T1", "U", "S", "H", "AUSUC", "U", "S", "H")


def result_table(record: Mapping[str, Any]) -> str:
    """Lay out a record's figures: percent, AUSUC as a fraction; the best corrected H is marked.

    Args:
        record: A finished run's record, or a measurement of the same form.
    """
    rows = {record["model"]: (record["metrics"], record["metrics_corrected"])}
    rows |= {name: (plain, plain["corrected"]) for name, plain in record["references"].items()}
    best = max(corrected["h"] for _, corrected in rows.values())
    group = f"{'':{_NAME_WIDTH}}{'':8}{'plain':^21}{'':8}{'corrected':^21}"
    header = f"{'':{_NAME_WIDTH}}" + _cells(_COLUMNS)
    lines = [group.rstrip(), header, "-" * len(header)]
    for name, (plain, corrected) in rows.items():
        percent = [f"{100 * value:.1f}" for value in (plain["t1"], plain["u"], plain["s"], plain["h"])]
        right = [f"{100 * corrected[key]:.1f}" for key in ("u", "s", "h")]
        mark = " *" if corrected["h"] == best else ""
        lines.append(f"{name:{_NAME_WIDTH}}" + _cells([*percent, f"{plain['ausuc']:.3f}", *right]) + mark)
    return "\n".join(lines)


def verdict(record: Mapping[str, Any]) -> str:
    """Say in one sentence what the figures mean."""
    ours = record["metrics_corrected"]["h"]
    references = record["references"]
    name = max(references, key=lambda each: references[each]["corrected"]["h"])
    gap = 100 * (ours - references[name]["corrected"]["h"])
    side = "above" if gap > 0 else "below"
    place = f"{abs(gap):.1f} points {side} the best closed form, {name}"
    gain = 100 * (ours - record["metrics"]["h"])
    correction = (
        f"the rehearsed label-shift correction changed its H by {gain:+.1f} points"
        if record["selection"]["rehearsal"] is not None
        else "there were too few seen classes to rehearse a label-shift correction"
    )
    return (
        f"{record['model']} recognises unseen classes among all with a corrected H of {100 * ours:.1f} %, {place}; "
        f"{correction}. One run is one seed: compare methods over several."
    )


def _cells(values: Any) -> str:
    return "".join(f"{value:>7}" if index != 4 else f"{value:>8}" for index, value in enumerate(values))
