"""Is training in bf16 as good as in float32? Whole runs of both, pair by pair.

    python benchmarks/precision.py run glyphs                 # class split 0, seeds 0 to 9; goes on where it stopped
    python benchmarks/precision.py run FOLDER --split 0
    python benchmarks/precision.py table                      # what is kept, and whether `auto` may take bf16

``--precision auto`` takes bf16 only where the 90 % interval of the paired difference in T1 and in corrected H lies
within 1.5 points of 0 on both data sets. Class splits 0 to 4 only: no official test view is opened.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from places import kept_already, place

from zslearn import load_data
from zslearn.data.dataset import ZSLDataset
from zslearn.data.mapped import any_negative
from zslearn.evaluation.protocol import run_protocol
from zslearn.evaluation.statistics import PairedGain, paired_gain
from zslearn.files import write_json
from zslearn.models import model_entry
from zslearn.records import hardware, versions

RECORDS = Path(__file__).with_name("precision")
PRECISIONS = ("float32", "bf16")
FIGURES = ("t1", "h_corrected")
LARGEST_DIFFERENCE, LEVEL, N_PAIRS = 1.5, 0.9, 10


def main() -> None:
    """Run, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("data", nargs="?", default="glyphs")
    parser.add_argument("--split", choices=tuple("01234"), default="0")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--model", default="skd")
    arguments = parser.parse_args()
    if arguments.what == "table":
        print(table(read_records()))
        return
    dataset = load_data(arguments.data, split=arguments.split)
    RECORDS.mkdir(exist_ok=True)
    for seed in arguments.seeds:
        for precision in PRECISIONS:
            asked = facts(dataset, arguments.model, seed, precision)
            stem = f"{dataset.name}-{dataset.split}-{arguments.model}-s{seed}-{precision}"
            path = place(RECORDS, stem, lambda record, asked=asked: asked.items() <= record.items())
            if not kept_already(path):
                write_json(path, {**asked, **measure(dataset, arguments.model, seed, precision)})


def facts(dataset: ZSLDataset, model: str, seed: int, precision: str) -> dict[str, Any]:
    """Return what tells one run from another: the defaults and what the rehearsal chooses among, too."""
    model_class, features = model_entry(model).load(), dataset.training_in_place().features
    n_rows, feature_dim = features.shape
    offered = model_class.alternatives(n_rows=n_rows, feature_dim=feature_dim, non_negative=not any_negative(features))
    return {
        "data": {"name": dataset.name, "split": dataset.split, "checksum": dataset.checksum},
        "model": model,
        "settings": {"defaults": asdict(model_class.Config()), "alternatives": [dict(each) for each in offered]},
        "seed": seed,
        "precision": precision,
    }


def measure(
    dataset: ZSLDataset, model: str, seed: int, precision: str, settings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Make one whole run, rehearsal included, and keep what the comparison needs."""
    outcome = run_protocol(
        dataset, model=model, settings={**(settings or {}), "precision": precision}, seed=seed, references=False
    )
    return {
        "t1": outcome.measurement.corrected.t1,
        "h_corrected": outcome.measurement.corrected.h,
        "seconds": dict(outcome.seconds),
        "versions": dict(versions()),
        "hardware": dict(hardware(str(outcome.estimator.recogniser_.device), precision)),
    }


def read_records() -> list[dict[str, Any]]:
    """Read all records that are kept."""
    return [json.loads(path.read_text()) for path in sorted(RECORDS.glob("*.json"))]


def differences(records: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, str], dict[str, PairedGain]]:
    """Return bf16 minus float32 in points, with intervals, for each model, data set and settings, and each figure."""
    runs: dict[tuple[str, str, str], dict[tuple[int, str], Mapping[str, Any]]] = defaultdict(dict)
    for record in records:
        data, settings = record["data"], json.dumps(record["settings"], sort_keys=True)
        group = record["model"], f"{data['name']}, split {data['split']}", settings
        runs[group][record["seed"], record["precision"]] = record
    gains = {}
    for group, members in sorted(runs.items()):
        seeds = sorted({seed for seed, _ in members if all((seed, each) in members for each in PRECISIONS)})
        if seeds:
            gains[group] = {
                figure: paired_gain(
                    *(np.array([100 * members[seed, each][figure] for seed in seeds]) for each in ("bf16", "float32")),
                    level=LEVEL,
                )
                for figure in FIGURES
            }
    return gains


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """Lay out the differences, and say of each whether it is small enough, once there are ten pairs."""
    lines = [
        "| model | data | pairs | figure | bf16 - float32 | 90 % interval | within 1.5 points |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (model, data, _), gains in differences(records).items():
        for figure, gain in gains.items():
            inside = "yes" if gain.lower >= -LARGEST_DIFFERENCE and gain.upper <= LARGEST_DIFFERENCE else "no"
            interval = f"[{gain.lower:+.2f}, {gain.upper:+.2f}]" if gain.n_pairs > 1 else "-"
            name = {"t1": "T1", "h_corrected": "H, corrected"}[figure]
            lines.append(
                f"| {model} | {data} | {gain.n_pairs} | {name} | {gain.mean:+.2f} | {interval} | "
                f"{inside if gain.n_pairs >= N_PAIRS else 'too few pairs'} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
