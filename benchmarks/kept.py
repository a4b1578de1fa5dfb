"""Keep the figures of runs that a page shows.

    python benchmarks/kept.py RUN [RUN ...] --out benchmarks/measured/NAME.json

Of each run's record what a reader may want to check is kept: figures, references, cost, versions and machine.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from zslearn.files import write_json

KEPT = (
    "model",
    "seed",
    "metrics",
    "metrics_corrected",
    "references",
    "seconds",
    "peak_memory_bytes",
    "versions",
    "hardware",
)


def main() -> None:
    """Read the records, write what is kept of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args()
    write_json(arguments.out, {"runs": [kept(run) for run in arguments.runs]})


def kept(run: Path) -> dict[str, Any]:
    """Return what is kept of a run; of its data no path."""
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    data = {name: record["data"][name] for name in ("name", "split", "checksum")}
    total = {"total_seconds": sum(record["seconds"].values())}
    return {"data": data, **{name: record[name] for name in KEPT}, **total}


if __name__ == "__main__":
    main()
