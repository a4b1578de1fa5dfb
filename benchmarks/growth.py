"""How time and memory grow with rows and with classes.

    python benchmarks/growth.py [--rows 10000 100000 1000000] [--classes 100 1000 10000 20000]
        [--from-file-only] [--out growth.json]

Every size is measured in a process of its own, on made-up features: the figures say nothing of accuracy. Rows are read
from a file of float16 (``ZSLEARN_MEMORY_BYTES=0``: none of them is kept), and for comparison copied into memory. The
time of an epoch is that of one update of SKD's defaults times the batches in all rows. Of the classes, one in five is
unseen; evaluation scores 2,000 rows against all of them and takes T1, U, S, H and AUSUC. Updates and evaluation are
timed by the processor, whoever else is at work.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

FEATURE_DIM, SEMANTIC_DIM = 512, 64
N_CLASSES_OF_ROWS = 60
ROWS_PER_CLASS = 5
N_TEST_ROWS = 2000
N_UPDATES = 100
BATCH_SIZE = 128
_CHUNK = 20_000


def main() -> None:
    """Measure every size, print the tables and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--classes", type=int, nargs="*", default=[100, 1_000, 10_000, 20_000])
    parser.add_argument("--from-file-only", action="store_true", help="leave out rows in memory, which take gigabytes")
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    parser.add_argument("--measure", nargs=3, metavar=("WHAT", "SIZE", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        what, size, file = arguments.measure
        measured = grown_classes(int(size)) if what == "classes" else grown_rows(int(size), Path(file))
        print(json.dumps(measured))
        return
    figures: dict[str, list[dict[str, Any]]] = {"rows from a file": [], "rows in memory": [], "classes": []}
    with tempfile.TemporaryDirectory() as folder:
        for n_rows in arguments.rows:
            file = Path(folder) / f"{n_rows}.npy"
            write_rows(n_rows, file)
            figures["rows from a file"].append(in_a_process("rows", n_rows, file, "0"))
            if not arguments.from_file_only:
                figures["rows in memory"].append(in_a_process("rows", n_rows, file, "64G"))
            file.unlink()
        for n_classes in arguments.classes:
            figures["classes"].append(in_a_process("classes", n_classes, Path(folder), "1G"))
    for title, measured in figures.items():
        for before, line in itertools.pairwise(measured):
            line["ratios"] = {name: line[name] / before[name] for name in before if name != "ratios" and before[name]}
        print_table(title, measured)
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def in_a_process(what: str, size: int, file: Path, memory: str) -> dict[str, float]:
    """Measure one size in a process of its own, so that its largest memory is its own."""
    words = [sys.executable, __file__, "--measure", what, str(size), str(file)]
    environment = {**os.environ, "ZSLEARN_MEMORY_BYTES": memory}
    answer = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, float] = json.loads(answer.stdout)
    print(f"{what} {size:,}: {measured}", file=sys.stderr)
    return measured


def write_rows(n_rows: int, file: Path) -> None:
    """Write made-up rows of 60 classes, one class after the other."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(N_CLASSES_OF_ROWS, FEATURE_DIM)).astype(np.float32)
    matrix = np.lib.format.open_memmap(file, "w+", np.float16, (n_rows, FEATURE_DIM))
    labels = row_labels(n_rows)
    for start in range(0, n_rows, _CHUNK):
        rows = slice(start, start + _CHUNK)
        noise = rng.standard_normal((len(labels[rows]), FEATURE_DIM), dtype=np.float32)
        matrix[rows] = np.maximum(means[labels[rows]] + 2 * noise, 0)
    matrix.flush()


def row_labels(n_rows: int) -> np.ndarray:
    """Return the class of every row."""
    return np.arange(n_rows) * N_CLASSES_OF_ROWS // n_rows


def grown_rows(n_rows: int, file: Path) -> dict[str, float]:
    """Train on rows of a file."""
    import torch

    from zslearn.data.dataset import ZSLDataset
    from zslearn.data.tables import read_features
    from zslearn.recogniser import fit_recogniser
    from zslearn.records import peak_memory_bytes

    labels = row_labels(n_rows)
    unseen_ids = np.arange(0, N_CLASSES_OF_ROWS, 6)
    seen = ~np.isin(labels, unseen_ids)
    begun = time.perf_counter()
    dataset = ZSLDataset(
        name="rows",
        features=read_features(file),
        labels=labels,
        semantics=np.random.default_rng(1).normal(size=(N_CLASSES_OF_ROWS, SEMANTIC_DIM)),
        class_names=tuple(f"class {i}" for i in range(N_CLASSES_OF_ROWS)),
        seen_ids=np.setdiff1d(np.arange(N_CLASSES_OF_ROWS), unseen_ids),
        unseen_ids=unseen_ids,
        train_rows=np.flatnonzero(seen),
        test_seen_rows=np.empty(0, np.int64),
        test_unseen_rows=np.flatnonzero(~seen),
    )
    checked = time.perf_counter() - begun
    settings = {"n_updates": N_UPDATES, "teacher_updates": N_UPDATES, "batch_size": BATCH_SIZE, "warm_up": 0.0}
    clock: list[tuple[int, float]] = []
    fitted = fit_recogniser(
        dataset.training(),
        "skd",
        settings,
        seed=0,
        device=torch.device("cpu"),
        on_progress=lambda progress: clock.append((progress.total_step, time.process_time())),
    )
    # Between the reports of the second stage.
    (first, begun), (last, ended) = clock[len(clock) // 2], clock[-1]
    per_update = (ended - begun) / (last - first)
    return {
        "size": n_rows,
        "checking_seconds": checked,
        "preparation_seconds": fitted.seconds["preparation"],
        "update_seconds": per_update,
        "epoch_seconds": per_update * n_rows / BATCH_SIZE,
        "classifier_seconds": fitted.seconds["synthesis"] + fitted.seconds["classifier"],
        "peak_mb": peak_memory_bytes() / 2**20,
    }


def grown_classes(n_classes: int) -> dict[str, float]:
    """Train on few rows of many classes, and evaluate."""
    import torch

    from zslearn.data.dataset import TestView, TrainingView
    from zslearn.evaluation.protocol import measure
    from zslearn.recogniser import fit_recogniser
    from zslearn.records import peak_memory_bytes

    rng = np.random.default_rng(0)
    semantics = rng.normal(size=(n_classes, SEMANTIC_DIM))
    means = (semantics @ rng.normal(size=(SEMANTIC_DIM, FEATURE_DIM))).astype(np.float32)
    unseen_ids = np.arange(0, n_classes, 5)
    seen_ids = np.setdiff1d(np.arange(n_classes), unseen_ids)

    def drawn(labels: np.ndarray) -> np.ndarray:
        return means[labels] + 8 * rng.standard_normal((len(labels), FEATURE_DIM), dtype=np.float32)

    labels = np.repeat(seen_ids, ROWS_PER_CLASS)
    view = TrainingView(
        name="classes",
        features=drawn(labels),
        labels=labels,
        semantics=semantics,
        class_names=tuple(f"class {i}" for i in range(n_classes)),
        seen_ids=seen_ids,
        unseen_ids=unseen_ids,
    )
    settings = {"n_updates": 10, "teacher_updates": 10, "warm_up": 0.0}
    fitted = fit_recogniser(view, "skd", settings, seed=0, device=torch.device("cpu"))
    test_labels = rng.integers(n_classes, size=N_TEST_ROWS)
    test = TestView(features=drawn(test_labels), labels=test_labels, seen_ids=seen_ids, unseen_ids=unseen_ids)
    begun = time.process_time()
    scores = fitted.scores(test.features)
    scored = time.process_time()
    measurement = measure(scores, test, 0.0)
    done = time.process_time()
    return {
        "size": n_classes,
        "preparation_seconds": fitted.seconds["preparation"],
        "update_seconds": fitted.seconds["training"] / 20,
        "synthesis_seconds": fitted.seconds["synthesis"] + fitted.seconds["classifier"],
        "scoring_seconds": scored - begun,
        "metrics_seconds": done - scored,
        "evaluation_seconds": done - begun,
        "t1": measurement.plain.t1,
        "peak_mb": peak_memory_bytes() / 2**20,
    }


def print_table(title: str, measured: list[dict[str, Any]]) -> None:
    """Print figures, and how they grew since the line before."""
    if not measured:
        return
    names = [name for name in measured[0] if name != "size"]
    print(f"\n{title}; in brackets, the ratio to the line before")
    print("".join(f"{name.replace('_', ' '):>26}" for name in ("size", *names)))
    for line in measured:
        cells = [f"{line['size']:>26,}"]
        for name in names:
            ratio = f" ({line['ratios'][name]:.2f})" if name in line.get("ratios", ()) else ""
            cells.append(f"{line[name]:.4g}{ratio}".rjust(26))
        print("".join(cells))


ROWS_SHOWN = {
    "checking_seconds": ("checking that all numbers are finite, seconds", ".2f"),
    "preparation_seconds": ("statistics before the training, seconds", ".1f"),
    "epoch_seconds": ("an epoch of SKD, seconds", ".1f"),
    "peak_mb": ("largest memory of the process, MB", ",.0f"),
}
CLASSES_SHOWN = {
    "evaluation_seconds": ("evaluation of 2,000 rows, seconds", ".3f"),
    "scoring_seconds": ("of it scoring", ".3f"),
    "peak_mb": ("largest memory of the process, MB", ",.0f"),
}


def table(figures: dict[str, list[dict[str, Any]]]) -> str:
    """Lay out, for the page on scale, how what is read from a file and what many classes cost grows."""
    lines = ["| what | smaller | larger | ratio |", "| --- | --- | --- | --- |"]
    for kind, title, shown in (
        ("rows from a file", f"rows, {FEATURE_DIM} features in float16, read from the file", ROWS_SHOWN),
        ("classes", f"classes, {SEMANTIC_DIM} semantics, {FEATURE_DIM} features", CLASSES_SHOWN),
    ):
        for before, after in itertools.pairwise(figures[kind]):
            lines.append(f"| {title} | {before['size']:,} | {after['size']:,} | {after['size'] // before['size']} |")
            for name, (what, digits) in shown.items():
                ratio = f"{after[name] / before[name]:.2f}"
                lines.append(f"| {what} | {before[name]:{digits}} | {after[name]:{digits}} | {ratio} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
