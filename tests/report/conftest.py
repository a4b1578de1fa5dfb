from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import studies
from toy import toy_dataset as make_toy_dataset


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory) -> Path:
    """An experiment of one real run, with references and rehearsal."""
    folder = tmp_path_factory.mktemp("studies") / "one"
    dataset = make_toy_dataset()
    job = studies.job_of(dataset, "skd", 0)
    studies.finish(folder, dataset, job)
    return studies.describe(folder, [job])


@pytest.fixture(scope="session")
def real_record(finished_study) -> dict[str, Any]:
    (path,) = (finished_study / "records").iterdir()
    return json.loads(path.read_text())


@pytest.fixture(scope="session")
def real_sheet(finished_study) -> dict[str, Any]:
    (path,) = (finished_study / "sheets").iterdir()
    return json.loads(path.read_text())


@pytest.fixture
def study_of(tmp_path, real_record, real_sheet):
    """Makes an experiment folder of variations of the real record."""

    def make(*variations: dict[str, Any], sheets: bool = True, **described: Any) -> Path:
        jobs = []
        for number, variation in enumerate(variations):
            job, record = studies.varied(real_record, number=number, **variation)
            jobs.append(job)
            if record is not None:
                studies.write(tmp_path, job["key"], record, real_sheet if sheets else None)
        return studies.describe(tmp_path, jobs, **described)

    return make
