"""Experiment folders made from real tiny runs, as reports read them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zslearn.data.dataset import ZSLDataset
from zslearn.evaluation.protocol import run_protocol
from zslearn.records import make_record, source_facts
from zslearn.sheets import make_sheet

TINY = {"n_updates": 5}


def key_of(*words: object) -> str:
    return hashlib.sha256(repr(words).encode()).hexdigest()[:20]


def job_of(dataset: ZSLDataset, model: str, seed: int, arm: str | None = None, **more: Any) -> dict[str, Any]:
    """A job as experiment folders list it; ``marks`` and ``settings`` may be given."""
    facts = {"model": model, "data": dataset.name, "split": dataset.split, "seed": seed, "arm": arm}
    return {"key": key_of(*facts.values()), **facts, "settings": TINY, "marks": {"settings": "not tuned"}, **more}


def finish(folder: Path, dataset: ZSLDataset, job: Mapping[str, Any], **protocol: Any) -> None:
    """Run a job and write its record and sheet."""
    history: list[dict[str, Any]] = []

    def keep(progress: Any) -> None:
        told = progress.training
        entry = {"part": progress.part, "n_parts": progress.n_parts, "stage": told.stage, "step": told.step}
        history.append({**entry, "terms": dict(told.terms)})

    outcome = run_protocol(
        dataset, model=job["model"], settings=job["settings"], seed=job["seed"], on_progress=keep, **protocol
    )
    record = make_record(dataset, outcome, source_facts(dataset, dataset.name))
    write(folder, job["key"], {**record, "job": dict(job)}, make_sheet(dataset, outcome, history))


def write(folder: Path, key: str, record: Mapping[str, Any], sheet: Mapping[str, Any] | None = None) -> None:
    """Write a record, and its sheet if there is one."""
    for name, content in (("records", record), ("sheets", sheet)):
        if content is not None:
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / f"{key}.json").write_text(json.dumps(content), encoding="utf-8")


def describe(folder: Path, jobs: Sequence[Mapping[str, Any]], kind: str = "grid", **more: str) -> Path:
    """Write the experiment's description."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"experiment_version": 1, "name": "tiny", "title": "A tiny experiment", "note": "", "kind": kind}
    told |= {"command": "zslearn benchmark run tiny", "jobs": list(jobs), **more}
    (folder / "experiment.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


def varied(
    record: Mapping[str, Any],
    *,
    number: int,
    model: str = "skd",
    data: str = "toy",
    split: str = "official",
    seed: int = 0,
    arm: str | None = None,
    h: float | None = None,
    status: str = "finished",
    marks: Mapping[str, Any] | None = None,
    **changes: Any,
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return a job and its record: a real record with other names and, if wanted, other figures.

    Args:
        record: The real record.
        number: Makes the key.
        h: All five figures become this.
        status: ``finished``, ``failed``, or ``not run`` for no record.
        changes: Parts of the record to replace.
    """
    facts = {"model": model, "data": data, "split": split, "seed": seed, "arm": arm}
    marks = {"settings": "not tuned"} if marks is None else dict(marks)
    job = {"key": key_of(number, *facts.values()), **facts, "settings": TINY, "marks": marks}
    if status == "not run":
        return job, None
    if status != "finished":
        return job, {"status": status, "job": job, "cause": changes.get("cause", "a cause")}
    changed = {**record, "job": job, "model": model, "seed": seed, **changes}
    changed["data"] = {**record["data"], "name": data, "split": split, **changes.get("data_facts", {})}
    if h is not None:
        figures = dict.fromkeys(("t1", "u", "s", "h", "ausuc"), h)
        changed |= {"metrics": figures, "metrics_corrected": figures}
    return job, changed
