from __future__ import annotations

import pytest

from zslearn.experiments.engines import LocalProcesses
from zslearn.experiments.experiment import Experiment, read_experiment
from zslearn.experiments.folder import ExperimentFolder
from zslearn.experiments.jobs import make_jobs
from zslearn.experiments.runner import run_missing

TINY = """
title: tiny
data: [glyphs]
splits: [1]
seeds: [0, 1]
rehearse: false
references: false
models:
  - model: skd
    settings: {n_updates: 3, teacher_updates: 3}
"""


@pytest.fixture(scope="session")
def tiny() -> Experiment:
    """Two runs that take less than a second together."""
    return read_experiment(TINY, "tiny", "tiny.yaml")


@pytest.fixture
def start(tmp_path):
    """Executes what is missing of an experiment in a folder, and returns the folder and the advances."""

    def run(experiment, *, path=tmp_path / "tiny", engine=None, **options):
        jobs = make_jobs(experiment)
        folder = ExperimentFolder.prepare(path, experiment, jobs, "zslearn benchmark run tiny")
        advances = []
        run_missing(jobs, folder, engine or LocalProcesses(1), on_advance=advances.append, **options)
        return folder, advances

    return run
