"""The field's benchmarks on stand-in features: does everything run, how long does it take, how much memory?

    python benchmarks/field.py SPLITS                       # AWA2, 37,322 rows of 2,048 made-up features
    python benchmarks/field.py SPLITS --data CUB --models skd eszsl --feature-dim 256

SPLITS is a folder with the split files of the field (SPLITS/AWA2/att_splits.mat ...). Features are made up from the
semantics beside a copy of the split file, so the figures mean nothing and the report says so; time and memory do.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from zslearn.data.stand_in import write_stand_in
from zslearn.experiments.catalog import packaged_text
from zslearn.experiments.engines import ENGINES
from zslearn.experiments.experiment import read_experiment
from zslearn.experiments.folder import ExperimentFolder, counted
from zslearn.experiments.jobs import make_jobs
from zslearn.experiments.runner import run_missing
from zslearn.report.page import write_report

N_UNSEEN = {"APY": 12, "AWA1": 10, "AWA2": 10, "CUB": 50, "FLO": 20, "SUN": 72}
"""How many unseen classes the official split of each data set has."""
FEW_UPDATES = {"n_updates": 20, "teacher_updates": 20, "classifier_epochs": 1, "hidden_dim": 256}
"""The budget here; the settings are otherwise those of the experiment."""


def main() -> None:
    """Make the data, run the experiment, write the report, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("splits", type=Path, help="folder with a folder for each data set")
    parser.add_argument("--data", default="AWA2", choices=sorted(N_UNSEEN))
    parser.add_argument("--models", nargs="+", default=["skd"])
    parser.add_argument("--feature-dim", type=int, default=2048)
    parser.add_argument("--out", type=Path, default=None, help="where to leave the experiment (default: nowhere)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        data = prepare(arguments.splits, arguments.data, Path(name) / "data", arguments.feature_dim)
        prepared = time.perf_counter()
        folder = run(arguments.data, data, arguments.out or Path(name) / "runs", arguments.models)
        ended = time.perf_counter()
        size = (folder / "report.html").stat().st_size
        records = [json.loads(path.read_text()) for path in (folder / "records").iterdir()]
    # Runs have a process of their own, which tells its peak on its record.
    peak = max(record["peak_memory_bytes"] for record in records)
    print(f"features made in {prepared - start:.0f} s; {' '.join(arguments.models)} run and reported in ", end="")
    print(f"{ended - prepared:.0f} s; peak memory of a run {peak / 2**30:.1f} GiB; report {size / 1e6:.1f} MB")


def prepare(splits: Path, data: str, target: Path, feature_dim: int) -> Path:
    """Put a copy of a split file and stand-in features into a folder of the data set's name."""
    (target / data).mkdir(parents=True)
    shutil.copyfile(splits / data / "att_splits.mat", target / data / "att_splits.mat")
    write_stand_in(target / data, n_unseen=N_UNSEEN[data], feature_dim=feature_dim)
    return target


def run(
    data: str, installed: Path, out: Path, models: Sequence[str], at_most: Mapping[str, float] = FEW_UPDATES
) -> Path:
    """Run the official experiment of a data set with a small budget and one seed, to its report.

    Args:
        data: The data set.
        installed: Where its folder is.
        out: The experiment's folder.
        models: The models, with the experiment's settings.
        at_most: Caps on settings.

    Returns:
        The experiment's folder.
    """
    document = yaml.safe_load(packaged_text(f"official-{data.lower()}"))
    document |= {
        "title": f"{document['title']}: stand-in features",
        "data": [str(installed / data)],
        "seeds": [0],
        "models": [{"model": model, "published": True} for model in models],
        "at_most": dict(at_most),
    }
    experiment = read_experiment(yaml.safe_dump(document), f"official-{data.lower()}", "field.py")
    jobs = make_jobs(experiment)
    folder = ExperimentFolder.prepare(out, experiment, jobs, f"python benchmarks/field.py SPLITS --data {data}")
    run_missing(jobs, folder, ENGINES["local"](1, None))
    counts = counted(folder.status())
    if counts["failed"]:
        causes = [line["cause"] for line in folder.status() if "cause" in line]
        raise SystemExit(f"{counts['failed']} runs failed: {causes}")
    write_report(out, out / "report.html")
    return out


if __name__ == "__main__":
    main()
