"""What each part of SKD does: the eight on/off combinations of SR, SP and KD, control arms and settings.

One schedule for all cells of a data set, no rehearsal: T1 and AUSUC, which do not depend on the offset. Cells
that are in the output file already are not run again.

    python benchmarks/ablation.py glyphs out.jsonl --splits 5 6 7 --seeds 0 1 2 3 4
    python benchmarks/ablation.py FOLDER out.jsonl ...        # any folder in the layout of Xian et al.
    python benchmarks/ablation.py --table out.jsonl
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zslearn import load_data
from zslearn.errors import ConfigError
from zslearn.evaluation.metrics import evaluate_scores
from zslearn.files import write_bytes
from zslearn.models.skd import SKD
from zslearn.recogniser import fit_recogniser

PARTS = ("sr", "sp", "kd")
_, FREE, LARGER = SKD.alternatives(n_rows=1, feature_dim=1, non_negative=True)
"""The two free generators that the rehearsal offers for the letters, of which it chooses the larger one."""
BASES: Mapping[str, Mapping[str, Any]] = {"glyphs": {**FREE, "n_updates": 500}}
"""The schedule of a data set; the defaults where none is named."""
ARMS: dict[str, dict[str, Any]] = {
    "+".join(part for part, on in zip(PARTS, states, strict=True) if on) or "base": {
        f"{part}_weight": 0.0 for part, on in zip(PARTS, states, strict=True) if not on
    }
    for states in itertools.product((False, True), repeat=3)
}
ARMS |= {
    "teacher: similarity": {"kd_teacher": "similarity"},
    "teacher: average": {"kd_teacher": "average"},
    "teacher: plain": {"kd_teacher": "plain"},
    "no verdict of the student": {"kd_verdict_weight": 0.0},
    "no unseen semantics": {"unseen_semantics": False},
    "no anchor": {"anchor": False},
}


_COLUMNS = (("t1", 100, 1), ("ausuc", 1, 3))
"""Which metrics tables show, their factor and their digits."""


def main() -> None:
    """Run the cells that are missing, or print the table."""
    parser = cell_parser(__doc__, splits=[5, 6, 7], seeds=[0, 1, 2, 3, 4])
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    arguments = parser.parse_args()
    if arguments.table:
        show(arguments.words, table)
        return
    data, out = arguments.words
    arms = {arm: {**BASES.get(data, {}), **ARMS[arm]} for arm in arguments.arms}
    run_cells(data, Path(out), arms, splits=arguments.splits, seeds=arguments.seeds)


def cell_parser(description: str, *, splits: list[int], seeds: list[int]) -> argparse.ArgumentParser:
    """Return a parser of data, output, splits and seeds, with these defaults."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="+", metavar="DATA OUT")
    parser.add_argument("--splits", type=int, nargs="+", default=splits)
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds)
    return parser


def show(paths: Sequence[str], table: Callable[[list[dict[str, Any]]], str]) -> None:
    """Print the table of each file of cells."""
    for path in paths:
        print(table(read_cells(Path(path))))


def read_cells(path: Path) -> list[dict[str, Any]]:
    """Read the cells of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def keep_cell(path: Path, entry: Mapping[str, Any]) -> None:
    """Add a cell to a file of this process alone, written anew: whoever is killed meanwhile leaves no half line."""
    kept = path.read_bytes() if path.exists() else b""
    write_bytes(path, kept + json.dumps(entry).encode() + b"\n")


def run_cells(
    data: str, out: Path, arms: Mapping[str, Mapping[str, Any]], *, splits: Sequence[int], seeds: Sequence[int]
) -> None:
    """Run every missing cell, one line of JSON each.

    Raises:
        ConfigError: If the file holds a cell with other settings.
    """
    done = {cell(entry): entry["settings"] for entry in read_cells(out)} if out.exists() else {}
    for seed, split in itertools.product(seeds, splits):
        dataset = load_data(data, split=split)
        view, test = dataset.training(), dataset.test()
        for arm, settings in arms.items():
            entry: dict[str, Any] = {"data": dataset.name, "split": split, "seed": seed, "arm": arm}
            if cell(entry) in done:
                _check_same(out, arm, settings, done[cell(entry)])
                continue
            start = time.perf_counter()
            recogniser = fit_recogniser(view, "skd", settings, seed=seed, device=torch.device("cpu"))
            measured = evaluate_scores(
                recogniser.scores(test.features), test.labels, seen_ids=test.seen_ids, unseen_ids=test.unseen_ids
            )
            entry |= {"settings": settings, "metrics": measured.as_dict(), "seconds": time.perf_counter() - start}
            keep_cell(out, entry)


def cell(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells one run from another."""
    return entry["data"], entry["split"], entry["seed"], entry["arm"]


def _check_same(out: Path, arm: str, wanted: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
    """Refuse to take a cell for one with other settings."""
    if wanted != kept:
        raise ConfigError(
            f"{out} holds the arm {arm} with other settings",
            expected=str(wanted),
            received=str(kept),
            remedy="Name another file, or remove what was run with the other settings.",
        )


def table(entries: list[dict[str, Any]]) -> str:
    """Lay out the combinations, then the other arms beside the whole, with paired gains over the units they share.

    Gains are told for each split too, as its seeds share its classes: so few splits bear no interval.
    """
    values: dict[str, dict[tuple[int, int], dict[str, float]]] = defaultdict(dict)
    for entry in entries:
        values[entry["arm"]][entry["split"], entry["seed"]] = entry["metrics"]
    combinations = [arm for arm in values if is_combination(arm)]
    others = [arm for arm in values if arm not in combinations]
    name = entries[0]["data"]
    sections = [_section(f"{name}, combinations", values, combinations)]
    if others:
        sections.append(_section(f"{name}, other arms", values, ["+".join(PARTS), *others]))
    return "\n".join(sections)


def _section(title: str, values: Mapping[str, Mapping[tuple[int, int], Mapping[str, float]]], arms: list[str]) -> str:
    units = sorted(set.intersection(*(set(values[arm]) for arm in arms)))
    cells = {
        (arm, metric): factor * np.array([values[arm][unit][metric] for unit in units])
        for arm in arms
        for metric, factor, _ in _COLUMNS
    }
    lines = [f"| {title} ({len(units)} units) | T1 (%) | AUSUC |", "| --- | --- | --- |"]
    for arm in arms:
        shown = [
            f"{cells[arm, metric].mean():.{digits}f} ± {cells[arm, metric].std(ddof=1):.{digits}f}"
            for metric, _, digits in _COLUMNS
        ]
        lines.append(f"| {arm} | " + " | ".join(shown) + " |")
    splits = np.array([split for split, _ in units])
    lines += ["", "| gain (split by split) | T1 (points) | AUSUC |", "| --- | --- | --- |"]
    for name, with_part, without_part in comparisons(arms):
        shown = []
        for metric, _, digits in _COLUMNS:
            sides = [np.mean([cells[arm, metric] for arm in side], axis=0) for side in (with_part, without_part)]
            gains = sides[0] - sides[1]
            by_split = ", ".join(f"{gains[splits == split].mean():+.{digits}f}" for split in sorted(set(splits)))
            shown.append(f"{gains.mean():+.{digits}f} ({by_split})")
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def comparisons(arms: list[str]) -> list[tuple[str, list[str], list[str]]]:
    """Name what is compared: each part averaged over the states of the others, then single arms with all parts."""
    combinations = [arm for arm in arms if is_combination(arm)]
    found = []
    for part in PARTS:
        with_part = [arm for arm in combinations if part in arm.split("+")]
        without = ["+".join(other for other in arm.split("+") if other != part) or "base" for arm in with_part]
        if with_part and set(without) <= set(combinations):
            found.append((f"{part.upper()}, averaged over the other parts", with_part, without))
            whole = "+".join(PARTS)
            found.append((f"{part.upper()}, beside the other two", [whole], [whole_without(part)]))
    whole = "+".join(PARTS)
    found += [(f"all parts against: {arm}", [whole], [arm]) for arm in arms if arm not in combinations]
    return found


def is_combination(arm: str) -> bool:
    """Whether an arm is one of the eight on/off combinations."""
    return set(arm.split("+")) <= {*PARTS, "base"}


def whole_without(part: str) -> str:
    """The arm with the other two parts."""
    return "+".join(other for other in PARTS if other != part)


if __name__ == "__main__":
    main()
