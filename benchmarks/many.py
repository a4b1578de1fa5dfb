"""How long do many records take to be listed and reported?

    zslearn benchmark run quick
    python benchmarks/many.py runs/quick                    # a thousand runs from the records of that folder
    python benchmarks/many.py runs/quick --runs 5000

Each record of the folder is taken again and again under other seeds, with its sheet. The commands are those of a user,
their start included.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path


def main() -> None:
    """Make the folder, run both commands, print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="an experiment folder with finished runs")
    parser.add_argument("--runs", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        many = Path(name) / "many"
        multiply(arguments.folder, many, arguments.runs)
        listed = timed(["benchmark", "status", str(many)])
        reported = timed(["report", str(many)])
        size = (many / "report.html").stat().st_size
    for what, (seconds, busy) in {"listed": listed, "reported": reported}.items():
        print(f"{arguments.runs:,} records {what} in {seconds:.1f} s, {busy:.1f} s of one processor")
    print(f"the page has {size / 1e6:.1f} MB")


def multiply(source: Path, target: Path, n_runs: int) -> None:
    """Write an experiment folder of so many runs: the finished ones of another under other seeds."""
    plan = json.loads((source / "experiment.json").read_text())
    records = [json.loads(path.read_text()) for path in sorted((source / "records").glob("[!.]*.json"))]
    finished = [record for record in records if record["status"] == "finished"]
    for part in ("records", "sheets"):
        (target / part).mkdir(parents=True)
    jobs = []
    for number, record in zip(range(n_runs), itertools.cycle(finished), strict=False):
        key = hashlib.sha256(str(number).encode()).hexdigest()[:20]
        sheet = source / "sheets" / f"{record['job']['key']}.json"
        if sheet.exists():
            shutil.copyfile(sheet, target / "sheets" / f"{key}.json")
        seed = number // len(finished) * len(plan["jobs"]) + record["seed"]
        jobs.append({**record["job"], "key": key, "seed": seed})
        written = json.dumps({**record, "job": jobs[-1], "seed": seed}, indent=2)
        (target / "records" / f"{key}.json").write_text(written)
    (target / "experiment.json").write_text(json.dumps({**plan, "jobs": jobs}))


def timed(words: Sequence[str]) -> tuple[float, float]:
    """Run a command of zslearn; return the seconds that it took and those of the processor."""
    start, before = time.perf_counter(), _busy()
    subprocess.run([sys.executable, "-m", "zslearn", *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start, _busy() - before


def _busy() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
