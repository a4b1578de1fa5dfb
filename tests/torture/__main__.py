"""Run the torture and print its figures: ``make torture``, or a small part of it with ``--quick``."""

from __future__ import annotations

import argparse
import functools
import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

# Workers are forked, and each computes on one core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from torture.cases import Figures
from torture.faults import faults
from torture.hostile import hostile
from torture.kills import kills
from torture.malformed import fetched, installed, malformed
from torture.material import make_fuzz_material, make_material
from torture.page import page

PARTS = ("kills", "malformed", "installed", "fetched", "page", "faults", "hostile")


def main() -> int:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which parts (default: all)")
    parser.add_argument("--quick", action="store_true", help="a small part of everything")
    parser.add_argument("--cases", type=int, nargs="+", metavar="N", help="only these of the malformed inputs")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes at a time")
    arguments = parser.parse_args()
    started = time.monotonic()
    n_problems = 0
    for figures in torture(arguments):
        print(figures, f"\n  after {time.monotonic() - started:.0f} s", sep="", flush=True)
        n_problems += len(figures.problems)
    print(f"{n_problems} problems in {time.monotonic() - started:.0f} s")
    return min(n_problems, 1)


def torture(arguments: argparse.Namespace) -> Iterator[Figures]:
    """Yield the figures of every part."""
    quick, n_workers = arguments.quick, arguments.workers
    parts = arguments.parts or (("malformed",) if arguments.cases else PARTS)
    warnings.simplefilter("ignore")
    logging.disable()
    scratch = Path(tempfile.mkdtemp(prefix="torture "))
    try:
        material = make_material(scratch)
        more = functools.cache(lambda: make_fuzz_material(material, scratch))
        n_malformed = 150 if quick else 10_000
        work = {
            "kills": lambda: kills(material, 8 if quick else 100, scratch),
            "malformed": lambda: malformed(more(), arguments.cases or range(n_malformed), n_workers, scratch),
            "installed": lambda: installed(
                more(), range(n_malformed, n_malformed + (4 if quick else 300)), n_workers, scratch
            ),
            "fetched": lambda: fetched(more(), 20 if quick else 500, n_workers, scratch),
            "page": lambda: page(more(), 100 if quick else 2000),
            "faults": lambda: faults(material, 3 if quick else 40, n_workers, scratch),
            "hostile": lambda: hostile(material, 56 if quick else 1000, n_workers, scratch),
        }
        for part in parts:
            yield work[part]()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
