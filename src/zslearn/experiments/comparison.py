"""The table of a comparison: for each model its figures, what it was allowed to know, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from zslearn.errors import RunFolderError
from zslearn.evaluation.metrics import METRIC_TITLES
from zslearn.evaluation.statistics import summarise, t_interval
from zslearn.experiments.folder import FINISHED, ExperimentFolder, rehearsed

COLUMNS: Final[Mapping[str, str]] = {
    "model": "model",
    "runs": "runs",
    **METRIC_TITLES,
    "u_corrected": "U corrected",
    "s_corrected": "S corrected",
    "h_corrected": "H corrected",
    "h_behind": "behind the best",
    "unseen_semantics": "unseen semantics in training",
    "updates": "updates",
    "seconds": "seconds",
    "memory": "memory (GB)",
    "trials": "trials",
}
"""The columns by key, with their titles."""
_GIGA: Final[float] = 1e9


def compare_models(folder: ExperimentFolder) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Gather the rows of the table by data set and split.

    Figures are means and standard deviations over the seeds of a split: percent, AUSUC as a fraction. ``h_by_seed`` is
    corrected H of each seed. ``updates`` are those of the model itself, teachers not counted: as many as were set, for
    each run where they differ, and as were done on average; ``seconds`` the final training with all that comes after
    it; ``memory`` the most that the process had held by its end; ``trials`` the settings that rehearsals compared;
    ``made_by`` data, seed, settings, versions and machine of each run. Corrected figures are those of rehearsed runs.

    Args:
        folder: An experiment's folder; runs that are not finished are left out.

    Raises:
        RunFolderError: If a record is not as the table needs it.
    """
    finished: dict[tuple[str, str], dict[str, list[Mapping[str, Any]]]] = {}
    for job, record in folder.records():
        if record is not None and record["status"] == FINISHED:
            _check(folder.record_path(job["key"]), record)
            name = job["model"] if job["arm"] is None else f"{job['model']}: {job['arm']}"
            finished.setdefault((job["data"], job["split"]), {}).setdefault(name, []).append(record)
    return {
        group: [{"model": name, **_row(records)} for name, records in by_model.items()]
        for group, by_model in finished.items()
    }


def comparison_table(groups: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]) -> str:
    """Lay the rows out as Markdown, the best corrected H (or else AUSUC) first, means before standard deviations.

    By how much corrected H is behind that of the best row stands with Student's 95 % interval of the differences seed
    by seed, where there are two seeds or more. The best is chosen on the same rows, and each of the others has its
    interval: neither is corrected for, so that a difference that is just clear may be chance.
    """
    blocks = []
    for (data, split), rows in groups.items():
        ordered = sorted(_behind_the_best(rows), key=lambda row: (-_mean(row["h_corrected"]), -_mean(row["ausuc"])))
        cells = [list(COLUMNS.values()), *([_cell(key, row[key]) for key in COLUMNS] for row in ordered)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [_line(line, widths) for line in cells]
        lines.insert(1, _line(["-" * width for width in widths], widths))
        name = f"{data}, official split" if split == "official" else f"{data}, class split {split}"
        blocks.append(
            f"{name}: percent, AUSUC as a fraction, mean ± standard deviation over seeds\n\n" + "\n".join(lines)
        )
    return "\n\n".join(blocks)


def _check(path: Path, record: Mapping[str, Any]) -> None:
    try:
        _row([record])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunFolderError(
            f"{path.name} is damaged",
            received=f"{type(error).__name__}: {error}",
            remedy="Remove it from the folder of records, and run the experiment again.",
        ) from error


def _behind_the_best(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Add by how much corrected H the best model has more, over the seeds that both have, with its interval if any."""
    best = max(rows, key=lambda row: _mean(row["h_corrected"]))
    found = []
    for row in rows:
        seeds = sorted(row["h_by_seed"].keys() & best["h_by_seed"].keys()) if row is not best else []
        behind = None
        if seeds:
            gains = np.array([best["h_by_seed"][seed] - row["h_by_seed"][seed] for seed in seeds])
            interval = t_interval(gains) if len(seeds) > 1 else None
            behind = {"mean": float(gains.mean()), "interval": interval}
        found.append({**row, "h_behind": behind})
    return found


def _row(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    settings = {record["setting"]["unseen_semantics_in_training"] for record in records}
    # Without a rehearsal nothing is corrected.
    corrected = [record for record in records if rehearsed(record)]
    return {
        "runs": len(records),
        **{key: _spread(records, "metrics", key) for key in METRIC_TITLES},
        **{f"{key}_corrected": _spread(corrected, "metrics_corrected", key) for key in ("u", "s", "h")},
        "h_by_seed": {
            str(record["seed"]): 100 * h for record in corrected if (h := record["metrics_corrected"]["h"]) is not None
        },
        "unseen_semantics": settings.pop() if len(settings) == 1 else None,
        "updates": _updates(records),
        "seconds": float(np.mean([sum(_of_final_fit(record)) for record in records])),
        "memory": max(record["peak_memory_bytes"] for record in records) / _GIGA,
        "trials": max(_n_trials(record["selection"]) for record in records),
        "made_by": [_making(record) for record in records],
    }


def _making(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a run was made from, for whoever wants to make it again."""
    data = {name: record["data"][name] for name in ("name", "split", "checksum")}
    return {"data": data, **{name: record[name] for name in ("seed", "config", "versions", "hardware")}}


def _spread(records: Sequence[Mapping[str, Any]], kind: str, key: str) -> dict[str, float | None] | None:
    values = [float(record[kind][key]) for record in records if record[kind][key] is not None]
    if not values:
        return None
    factor = 1.0 if key == "ausuc" else 100.0
    summary = summarise(factor * np.array(values))
    return {"mean": summary.mean, "sd": summary.sd if summary.n > 1 else None}


def _updates(records: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The updates that were set, of each run where they differ, and those that were done on average.

    A rehearsal may choose another length for another seed; what time cut off is missing at the end of a training.
    """
    if "n_updates" not in records[0]["config"]:
        return None
    planned = [record["config"]["n_updates"] for record in records]
    done = float(np.mean([each * _share(record) for each, record in zip(planned, records, strict=True)]))
    return {"planned": planned[0] if len(set(planned)) == 1 else planned, "done": done}


def _share(record: Mapping[str, Any]) -> float:
    """The share of its own stage, the last one, that a model got done; a step of it may hold several updates."""
    *_, stage = record["updates"].values()
    return float(stage["done"] / stage["planned"])


def _of_final_fit(record: Mapping[str, Any]) -> Iterator[float]:
    for part, seconds in record["seconds"].items():
        if part not in ("rehearsal", "references", "evaluation"):
            yield seconds


def _n_trials(selection: Mapping[str, Any]) -> int:
    """How many settings the rehearsals compared: those of a search, and the alternatives that a model offers itself."""
    searched = selection.get("search")
    return max(1, len(searched["trials"]) if searched else 0) * len(selection["alternatives"])


def _mean(figure: Mapping[str, float] | None) -> float:
    return -math.inf if figure is None else figure["mean"]


def _cell(key: str, value: Any) -> str:
    digits = 3 if key == "ausuc" else 1
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case {"mean": mean, "interval": (lower, upper)}:
            return f"{mean:.{digits}f} [{lower:.{digits}f}, {upper:.{digits}f}]"
        case {"mean": mean, "interval": None} | {"mean": mean, "sd": None}:
            return f"{mean:.{digits}f}"
        case {"mean": mean, "sd": sd}:
            return f"{mean:.{digits}f} ± {sd:.{digits}f}"
        case {"planned": [*planned], "done": done}:
            each = f"{min(planned)} to {max(planned)}"
            return each if done == np.mean(planned) else f"{done:.0f} of {each}"
        case {"planned": planned, "done": done}:
            return f"{planned}" if done == planned else f"{done:.0f} of {planned}"
        case float():
            return f"{value:.1f}"
    return str(value)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
