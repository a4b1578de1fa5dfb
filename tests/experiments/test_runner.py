import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from zslearn.errors import RunFolderError
from zslearn.evaluation.events import holds
from zslearn.experiments.engines import LocalProcesses
from zslearn.experiments.execution import RunTask
from zslearn.experiments.experiment import read_experiment
from zslearn.experiments.folder import ExperimentFolder, counted
from zslearn.experiments.jobs import make_jobs

TINY = """
title: tiny
data: [glyphs]
splits: [1]
seeds: [0, 1, 2, 3]
rehearse: false
references: false
models:
  - model: skd
    settings: {n_updates: 20, teacher_updates: 3}
"""
SAME = ("metrics", "metrics_corrected", "per_class", "curve", "selection", "config", "data", "job")


def without_times(record):
    return {name: record[name] for name in SAME}


@pytest.mark.slow
def test_records_are_whole_and_do_not_depend_on_how_many_run_at_once(tiny, start, tmp_path):
    one, advances = start(tiny)
    two, _ = start(tiny, path=tmp_path / "two", engine=LocalProcesses(2))
    assert counted(one.status()) == {"finished": 2, "failed": 0, "missing": 0}
    for job, record in one.records():
        assert record["status"] == "finished"
        assert record["job"] == job
        assert record["hardware"]["threads"] == 1
        events = record["selection"]["events"]
        assert holds(events)
        names = [event["event"] for event in events]
        assert names.index("trained") < names.index("test view opened") < names.index("measured")
        assert without_times(two.read(job["key"])) == without_times(record)
    assert [advance.n_done for advance in advances] == [0, 1, 2]
    assert advances[0].seconds_left is None
    assert advances[-1].seconds_left == 0

    # A second run has nothing to do; one with a record missing or damaged does only that one.
    kept, lost = (one.record_path(job["key"]) for job, _ in one.records())
    before = kept.stat().st_mtime_ns
    assert start(tiny)[1][0].n_total == 0
    lost.write_text('{"status": "finis')
    folder, advances = start(tiny)
    assert advances[-1].n_total == 1
    assert kept.stat().st_mtime_ns == before
    assert counted(folder.status())["finished"] == 2


@pytest.mark.slow
def test_a_run_that_fails_is_recorded_and_the_others_go_on(start):
    text = TINY_WITH_NAN
    folder, advances = start(read_experiment(text, "tiny", "tiny.yaml"))
    status = {(line["model"], line["seed"]): line for line in folder.status()}
    assert status["skd", 0]["status"] == "failed"
    assert "is not finite" in status["skd", 0]["cause"]
    assert status["f-clswgan", 0]["status"] == "finished"
    record = folder.read(status["skd", 0]["key"])
    assert set(record) == {"status", "job", "cause"}
    assert [advance.cause is None for advance in advances] == [True, False, True]
    # It stays failed, until it is asked for again.
    assert start(read_experiment(text, "tiny", "tiny.yaml"))[1][0].n_total == 0
    assert start(read_experiment(text, "tiny", "tiny.yaml"), retry=True)[1][0].n_total == 1


TINY_WITH_NAN = """
title: tiny
data: [glyphs]
splits: [1]
rehearse: false
references: false
models:
  - model: skd
    settings: {n_updates: 20, teacher_updates: 1, learning_rate: 1.0e30}
  - model: f-clswgan
    settings: {n_updates: 2, teacher_updates: 2, classifier_epochs: 1}
"""


@pytest.mark.slow
def test_a_worker_that_is_killed_takes_no_other_run_with_it(tiny, tmp_path):
    jobs = make_jobs(dataclasses.replace(tiny, seeds=(0, 1)))
    with LocalProcesses(2) as engine:
        for job in jobs:
            engine.submit(RunTask(job=job))
        (_, victim), _ = engine._running.values()
        os.kill(victim.pid, signal.SIGKILL)
        answers = [engine.next() for _ in jobs]
    by_seed = {task.job.seed: answer for task, answer in answers}
    assert by_seed[0]["status"] == "failed"
    assert "killed (signal 9)" in by_seed[0]["cause"]
    assert by_seed[1]["status"] == "finished"


@pytest.mark.slow
def test_a_killed_experiment_leaves_no_worker_and_goes_on(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    words = [sys.executable, "-m", "zslearn", "benchmark", "run", "tiny.yaml", "--out", "out", "--jobs", "1", "--json"]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    records = tmp_path / "out" / "records"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(records.glob("[!.]*.json")):
        time.sleep(0.05)
    process.kill()
    process.wait()
    n_before = len(list(records.glob("[!.]*.json")))
    assert 1 <= n_before < 4
    time.sleep(1)
    assert len(list(records.glob("[!.]*.json"))) == n_before
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert answer["counts"] == {"finished": 4, "failed": 0, "missing": 0}
    assert f"{4 - n_before} runs and trials to do" in done.stderr


def test_a_folder_of_something_else_is_refused(tiny, tmp_path):
    jobs = make_jobs(tiny)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").touch()
    with pytest.raises(RunFolderError, match="exists already and is not"):
        ExperimentFolder.prepare(tmp_path / "a", tiny, jobs, "")
    other = dataclasses.replace(tiny, name="other")
    ExperimentFolder.prepare(tmp_path / "b", other, jobs, "")
    with pytest.raises(RunFolderError, match="expected the experiment tiny; received the experiment other"):
        ExperimentFolder.prepare(tmp_path / "b", tiny, jobs, "")
    with pytest.raises(RunFolderError, match="is not an experiment folder"):
        ExperimentFolder.open(tmp_path / "a")
    with (
        pytest.raises(RunFolderError, match="exists already and is not"),
        ExperimentFolder.held(tmp_path / "a", tiny, jobs, ""),
    ):
        pass
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["x"]
    (tmp_path / "b" / "experiment.json").write_text("{}")
    with pytest.raises(RunFolderError, match="not of this version"):
        ExperimentFolder.open(tmp_path / "b")


def test_a_thousand_records_are_listed_in_seconds(tiny, tmp_path):
    many = dataclasses.replace(tiny, seeds=tuple(range(1000)))
    jobs = make_jobs(many)
    folder = ExperimentFolder.prepare(tmp_path / "many", many, jobs, "")
    figures = {"t1": 0.5, "u": 0.5, "s": 0.5, "h": 0.5, "ausuc": 0.5}
    curve = {"unseen": [0.1234] * 400, "seen": [0.1234] * 400}
    for job in jobs:
        text = {"status": "finished", "metrics": figures, "metrics_corrected": figures, "curves": [curve] * 4}
        text |= {"references": {}, "seconds": {}, "selection": {"rehearsal": None}}
        folder.record_path(job.key).write_text(json.dumps(text))
    began = time.perf_counter()
    status = ExperimentFolder.open(folder.path).status()
    assert counted(status)["finished"] == 1000
    assert time.perf_counter() - began < 5
