"""What limits SKD, measured: controls, harder data, and whether the drawn letters can be read.

    python benchmarks/limits.py controls DATA OUT.jsonl      # knowledge taken away, or made perfect; no rehearsal
    python benchmarks/limits.py distances DATA OUT.jsonl     # of generated to real unseen samples; no rehearsal
    python benchmarks/limits.py noisy FOLDER OUT.jsonl       # 256 random signed directions and as much noise
    python benchmarks/limits.py few FOLDER OUT.jsonl         # 10 seen classes only
    python benchmarks/limits.py roots FOLDER OUT.jsonl       # references on square roots of the features
    python benchmarks/limits.py letters glyphs OUT.jsonl     # a reader of real letters reads the drawn ones
    python benchmarks/limits.py table OUT.jsonl

Cells that are in the output file already are not run again. Nothing is chosen on what these print.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ablation import FREE, LARGER, keep_cell, read_cells, show
from sklearn.neural_network import MLPClassifier

from zslearn import GenerativeZSL, ZSLDataset, load_data
from zslearn.evaluation.metrics import per_class_accuracy
from zslearn.evaluation.protocol import Outcome, run_protocol
from zslearn.experiments.arms import CONTROLS
from zslearn.experiments.controls import run_control
from zslearn.records import make_record
from zslearn.shapes import Features, Ids, Labels, Points

N_DIRECTIONS = 256
N_FEW = 10
N_DRAWN = 100
SHARE_READ = 0.7
DISTANCE_ARMS: Mapping[str, Mapping[str, float]] = {
    "all parts": {},
    "without SR": {"sr_weight": 0.0},
    "SR alone": {"sp_weight": 0.0, "kd_weight": 0.0},
    "base": {"sr_weight": 0.0, "sp_weight": 0.0, "kd_weight": 0.0},
}
DISTANCES = {
    "class mean": "mean_error",
    "Fréchet": "frechet",
    "Fréchet between halves of the real ones": "frechet_between_halves",
}
Cells = dict[str, dict[str, float]]


def main() -> None:
    """Run the cells that are missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=(*MEASURES, "table"))
    parser.add_argument("words", nargs="+", metavar="DATA OUT")
    parser.add_argument("--splits", type=int, nargs="+", default=[5, 6, 7, 8, 9])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    if arguments.what == "table":
        show(arguments.words, table)
        return
    data, out = arguments.words[0], Path(arguments.words[1])
    done = {cell(entry) for entry in read_cells(out)} if out.exists() else set()
    for seed in arguments.seeds:
        for split in arguments.splits:
            dataset = load_data(data, split=split)
            entry = {"what": arguments.what, "data": dataset.name, "split": split, "seed": seed}
            if cell(entry) not in done:
                keep_cell(out, {**entry, "cells": MEASURES[arguments.what](dataset, seed)})


def cell(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells one measurement from another."""
    return entry["what"], entry["data"], entry["split"], entry["seed"]


def controls(dataset: ZSLDataset, seed: int) -> Cells:
    """T1 and AUSUC as they are, and under every control."""
    settings = FREE if dataset.name == "glyphs" else {}

    def protocol(given: ZSLDataset) -> Outcome:
        return run_protocol(given, settings=settings, seed=seed, rehearse=False, references=False)

    outcome = protocol(dataset)
    return {
        "as it is": _free_of_offset(outcome),
        **{name: _free_of_offset(run_control(name, dataset, seed, protocol)[1]) for name in CONTROLS},
    }


def distances(dataset: ZSLDataset, seed: int) -> Cells:
    """How far generated unseen samples are from real ones, in deviations within a class, with and without the parts."""
    cells = {}
    for arm, parts in DISTANCE_ARMS.items():
        settings = {**(FREE if dataset.name == "glyphs" else {}), **parts}
        outcome = run_protocol(dataset, settings=settings, seed=seed, rehearse=False, references=False)
        classes = make_record(dataset, outcome, {})["diagnostics"]["generated"]["classes"]
        cells[arm] = {name: float(np.mean([each[key] for each in classes])) for name, key in DISTANCES.items()}
    return cells


def noisy(dataset: ZSLDataset, seed: int) -> Cells:
    """The model and its references on random signed projections of the features with noise of the same variance."""
    rng = np.random.default_rng(1000 + int(dataset.split))
    signs = rng.choice([-1.0, 1.0], size=(dataset.features.shape[1], N_DIRECTIONS))
    projected = dataset.features.astype(np.float64) @ signs
    projected = (projected - projected.mean(axis=0)) / projected.std(axis=0)
    features = (projected + rng.normal(size=projected.shape)).astype(np.float32)
    return _beside_references(replace(dataset, features=features), seed)


def roots(dataset: ZSLDataset, seed: int) -> Cells:
    """The references on square roots of the features too, which the model takes of its own accord."""
    return _beside_references(replace(dataset, features=np.sqrt(dataset.features)), seed, {"feature_power": 1.0})


def few(dataset: ZSLDataset, seed: int) -> Cells:
    """The model and its references with ten seen classes, which are too few for a rehearsal: nothing is corrected."""
    rng = np.random.default_rng(2000 + int(dataset.split))
    return _beside_references(_with_seen(dataset, rng.choice(dataset.seen_ids, N_FEW, replace=False)), seed)


def letters(dataset: ZSLDataset, seed: int) -> Cells:
    """The share of unseen letters, drawn and real, that a network trained on real ones of all classes names."""
    view, test = dataset.training(), dataset.test()
    is_unseen = np.isin(test.labels, test.unseen_ids)
    kept = is_unseen & (np.random.default_rng(seed).uniform(size=len(test.labels)) < SHARE_READ)
    reader = MLPClassifier(hidden_layer_sizes=(256,), early_stopping=True, random_state=seed)
    reader.fit(np.concatenate([view.features, test.features[kept]]), np.concatenate([view.labels, test.labels[kept]]))
    names = [dataset.class_names[class_id] for class_id in test.unseen_ids]
    estimator = GenerativeZSL(settings=LARGER, rehearse=False, seed=seed).fit_view(view)
    drawn = np.asarray(estimator.synthesize(names, N_DRAWN)).reshape(-1, view.features.shape[1])
    fresh = is_unseen & ~kept
    return {
        "drawn, never seen": _named(reader, drawn, np.repeat(test.unseen_ids, N_DRAWN)),
        "real": _named(reader, test.features[fresh], test.labels[fresh]),
    }


def table(entries: list[dict[str, Any]]) -> str:
    """Lay out the mean and deviation of every cell over the units of split and seed."""
    grouped: dict[tuple[str, str], dict[str, list[dict[str, float]]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        for name, cell in entry["cells"].items():
            grouped[entry["what"], entry["data"]][name].append(cell)
    lines = []
    for (what, data), rows in grouped.items():
        names = list(next(iter(rows.values()))[0])
        n_units = len(next(iter(rows.values())))
        lines += [f"| {what}, {data} ({n_units}) | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
        for row, cells in rows.items():
            shown = [_shown(name, np.array([cell[name] for cell in cells])) for name in names]
            lines.append(f"| {row} | " + " | ".join(shown) + " |")
        lines.append("")
        if "skd" in rows:
            lines += [*_leads(what, data, [entry for entry in entries if entry["what"] == what]), ""]
    return "\n".join(lines)


def _leads(what: str, data: str, entries: list[dict[str, Any]]) -> list[str]:
    """Lay out how far the corrected H of each unit lies above its best reference."""
    gains = []
    for entry in entries:
        found = {name: cell["corrected H (%)"] for name, cell in entry["cells"].items()}
        gains.append(f"{found.pop('skd') - max(found.values()):+.1f}")
    splits = [f"split {entry['split']}" for entry in entries]
    title = f"{what}, {data}: skd above the best reference"
    return [
        f"| {' | '.join([title, *splits])} |",
        "| --- |" + " --- |" * len(splits),
        f"| {' | '.join(['corrected H (points)', *gains])} |",
    ]


def _free_of_offset(outcome: Outcome) -> dict[str, float]:
    metrics = outcome.measurement.plain
    return {"T1 (%)": 100 * metrics.t1, "AUSUC": metrics.ausuc}


def _beside_references(dataset: ZSLDataset, seed: int, settings: Mapping[str, Any] | None = None) -> Cells:
    outcome = run_protocol(dataset, settings=settings, seed=seed)
    measured = {"skd": outcome.measurement, **outcome.reference_measurements}
    return {
        name: {
            "T1 (%)": 100 * each.corrected.t1,
            "plain H (%)": 100 * each.plain.h,
            "corrected H (%)": 100 * each.corrected.h,
            "AUSUC": each.corrected.ausuc,
        }
        for name, each in measured.items()
    }


def _with_seen(dataset: ZSLDataset, seen_ids: Ids) -> ZSLDataset:
    """Leave out all other seen classes and their rows."""
    kept = np.sort(np.concatenate([seen_ids, dataset.unseen_ids]))
    rows = np.flatnonzero(np.isin(dataset.labels, kept))

    def renumbered(part: Ids) -> Ids:
        return np.searchsorted(rows, np.intersect1d(part, rows))

    return replace(
        dataset,
        features=dataset.features[rows],
        labels=np.searchsorted(kept, dataset.labels[rows]),
        semantics=dataset.semantics[kept],
        class_names=tuple(dataset.class_names[class_id] for class_id in kept),
        seen_ids=np.searchsorted(kept, np.sort(seen_ids)),
        unseen_ids=np.searchsorted(kept, dataset.unseen_ids),
        train_rows=renumbered(dataset.train_rows),
        test_seen_rows=renumbered(dataset.test_seen_rows),
        test_unseen_rows=renumbered(dataset.test_unseen_rows),
    )


def _named(reader: MLPClassifier, images: Features, labels: Labels) -> dict[str, float]:
    right = per_class_accuracy(labels, reader.predict(images).astype(np.int64), np.unique(labels))
    return {"named correctly (%)": 100 * float(right.mean())}


def _shown(name: str, values: Points) -> str:
    digits = 3 if name == "AUSUC" else 1
    spread = f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{values.mean():.{digits}f}{spread}"


MEASURES: Mapping[str, Callable[[ZSLDataset, int], Cells]] = {
    "controls": controls,
    "distances": distances,
    "noisy": noisy,
    "few": few,
    "roots": roots,
    "letters": letters,
}


if __name__ == "__main__":
    main()
