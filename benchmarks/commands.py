"""How long do single commands take from cold, and how much memory?

    python benchmarks/commands.py RUN ROWS [--photo FILE] [--out commands.json]

RUN is a run folder and ROWS a file of features for it, of which the first 1,000 are predicted; with a run that knows
its backbone and text encoder, a photograph is predicted and a class added as well. Every command runs five times in a
process of its own; told are the median times and the largest memory.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

N_ROWS = 1000
N_TIMES = 5


def main() -> None:
    """Time the commands and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--photo", type=Path, help="predict this photograph, and add a class by a sentence")
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows, answers = Path(name) / "rows.npy", str(Path(name) / "answers.csv")
        np.save(rows, np.load(arguments.rows, mmap_mode="r")[:N_ROWS])
        words = {
            "help": ["--help"],
            f"predict {N_ROWS} rows": ["predict", str(arguments.run), str(rows), "-o", answers],
        }
        if arguments.photo:
            copy = Path(name) / "copy"
            sentence = "Snowdrop: a small hanging white bell of three long petals, on a thin green stem."
            words["predict a photograph"] = ["predict", str(arguments.run), str(arguments.photo), "-o", answers]
            words["add a class"] = ["classes", str(copy), "add", f"snowdrop={sentence}"]
        figures = {}
        for title, command in words.items():
            taken = []
            for _ in range(N_TIMES):
                if title == "add a class":
                    shutil.rmtree(copy, ignore_errors=True)
                    shutil.copytree(arguments.run, copy)
                taken.append(timed(command))
            seconds, processor, memory = zip(*taken, strict=True)
            figures[title] = {
                "seconds": statistics.median(seconds),
                "processor_seconds": statistics.median(processor),
                "peak_mb": max(memory),
            }
            print(f"{title}: {figures[title]}")
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def timed(words: list[str]) -> tuple[float, float, float]:
    """Run a command; return its seconds, its processor seconds and its largest memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [shutil.which("zslearn", path=Path(sys.executable).parent) or "zslearn", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"zslearn {' '.join(words)} failed")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
