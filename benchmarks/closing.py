"""Closing measurements: whole runs, rehearsal and references included, kept as compact records.

    python benchmarks/closing.py run glyphs --splits 5 6 7 8 9                 # class splits, seed 0
    python benchmarks/closing.py run FOLDER --splits official --seeds 0 1 2 3 4
    python benchmarks/closing.py table                                          # what is kept, summed up

Every run on an official split is an opening: write it down in openings.md. A run that is kept is not made again
unless its record is removed.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from places import kept_already

from zslearn import load_data
from zslearn.evaluation.protocol import run_protocol
from zslearn.evaluation.statistics import t_interval
from zslearn.files import write_json
from zslearn.records import make_record, source_facts

RECORDS = Path(__file__).with_name("records")
_KEPT = ("model", "seed", "setting", "metrics", "metrics_corrected", "references", "versions", "hardware", "seconds")


def main() -> None:
    """Run, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("data", nargs="?", default="glyphs")
    parser.add_argument("--splits", nargs="+", default=["5", "6", "7", "8", "9"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    if arguments.what == "table":
        print(table(read_records()))
        return
    for split in arguments.splits:
        for seed in arguments.seeds:
            dataset = load_data(arguments.data, split=split)
            path = RECORDS / f"{dataset.name}-{dataset.split}-s{seed}.json"
            if not kept_already(path):
                outcome = run_protocol(dataset, seed=seed)
                write_json(path, compact(make_record(dataset, outcome, source_facts(dataset, dataset.name))))


def compact(record: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of a record what a table needs."""
    data = {name: record["data"][name] for name in ("name", "split", "checksum")}
    chosen = record["selection"]["rehearsal"]["chosen"]
    return {
        "data": data,
        **{name: record[name] for name in _KEPT},
        "chosen": record["selection"]["alternatives"][chosen],
        "peak_memory_bytes": record["peak_memory_bytes"],
    }


def read_records() -> list[dict[str, Any]]:
    """Read all records that are kept."""
    return [json.loads(path.read_text()) for path in sorted(RECORDS.glob("*.json"))]


def groups(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Sort records by data set and kind of split: official, development (0 to 4), closing (5 to 9)."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        split = record["data"]["split"]
        kind = "official" if split == "official" else "splits 0-4" if int(split) < 5 else "splits 5-9"
        found[f"{record['data']['name']}, {kind}"].append(record)
    return dict(sorted(found.items()))


def row(records: Sequence[Mapping[str, Any]], name: str | None) -> list[str]:
    """The cells of one method: corrected T1, U, S, H in percent, and AUSUC, with standard deviations."""
    figures = [
        record["metrics_corrected"] if name is None else record["references"][name]["corrected"] for record in records
    ]
    cells = []
    for key, factor, digits in (("t1", 100, 1), ("u", 100, 1), ("s", 100, 1), ("h", 100, 1), ("ausuc", 1, 3)):
        values = np.array([factor * each[key] for each in figures])
        spread = f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
        cells.append(f"{values.mean():.{digits}f}{spread}")
    return cells


def best_reference(members: Sequence[Mapping[str, Any]]) -> str:
    """The reference with the best mean corrected H."""
    means = {
        name: np.mean([each["references"][name]["corrected"]["h"] for each in members])
        for name in members[0]["references"]
    }
    return max(means, key=lambda name: means[name])


def table(records: Sequence[Mapping[str, Any]], *, whole: bool = True) -> str:
    """Lay out every group, and the paired gain in corrected H over the best reference.

    Args:
        records: What to sum up.
        whole: Whether every reference has a row; only the best one otherwise.
    """
    lines = ["| data (runs) | method | T1 | U | S | H | AUSUC |", "| --- | --- | --- | --- | --- | --- | --- |"]
    notes = []
    for group, members in groups(records).items():
        label, best = f"{group} ({len(members)})", best_reference(members)
        lines.append(f"| {label} | skd | " + " | ".join(row(members, None)) + " |")
        for name in members[0]["references"] if whole else [best]:
            lines.append(f"| | {name} | " + " | ".join(row(members, name)) + " |")
        ours = np.array([100 * each["metrics_corrected"]["h"] for each in members])
        gains = ours - np.array([100 * each["references"][best]["corrected"]["h"] for each in members])
        note = f"- {label}: H {gains.mean():+.1f} points over {best}"
        if len(gains) > 1:
            lower, upper = t_interval(gains)
            note += f", 95 % interval [{lower:+.1f}, {upper:+.1f}]"
        notes.append(note)
    return "\n".join([*lines, "", *notes])


if __name__ == "__main__":
    main()
