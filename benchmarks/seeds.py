"""What does training several seeds as one batched computation cost, beside one seed?

    python benchmarks/seeds.py                      # SKD, CADA-VAE and f-CLSWGAN with 1, 5 and 10 seeds
    python benchmarks/seeds.py --seeds 5 --rounds 3 --out other.json

An update of the last stage is timed, at 512 features, a width of 512 and batches of 128; as in step.py the ways take
turns, each in a process of its own. Figures go to seeds.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from step import Library, Sizes, both_clocks, both_medians, machine, take_turns

from zslearn.files import write_json

RESULT = Path(__file__).with_name("seeds.json")
SIZES = Sizes(feature_dim=512, hidden_dim=512, batch_size=128, n_rows=6000, n_seen=80)
MODELS = ("skd", "cada-vae", "f-clswgan")
SETTINGS = {"hidden_dim": SIZES.hidden_dim, "batch_size": SIZES.batch_size}


def main() -> None:
    """Measure, print a table, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[5, 10])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    found = {model: measure(model, arguments.seeds, arguments.rounds, arguments.threads) for model in MODELS}
    report = {"machine": {**machine(), "threads": arguments.threads}, "sizes": asdict(SIZES), "models": found}
    print(table(report))
    write_json(arguments.out, report)


def measure(model: str, n_seeds: list[int], n_rounds: int, n_threads: int) -> dict[str, Any]:
    """Time updates of one seed and of several at once."""
    ways = {str(n): Library(model, SETTINGS, "float32", SIZES, n_seeds=n) for n in (1, *n_seeds)}
    return take_turns(ways, n_rounds, n_threads)


def table(report: Mapping[str, Any]) -> str:
    """Lay out the cost of several seeds as a multiple of that of one."""
    several = [n for n in next(iter(report["models"].values())) if n != "1"]
    columns = ("model", "one seed, seconds (processor)", *(f"{n} seeds / one" for n in several))
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    for model, ways in report["models"].items():
        times = (both_clocks(ways, n, "1") for n in several)
        lines.append(f"| {' | '.join([model, both_medians(ways['1']), *times])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
