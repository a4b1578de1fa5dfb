import json
import os
import pickle
import signal
import struct
import sys
import threading
import time

import pytest

from zslearn.errors import ConfigError, MissingExtraError
from zslearn.experiments.engines import LocalProcesses, RayCluster, usable_processors
from zslearn.experiments.execution import RunTask, execute
from zslearn.experiments.experiment import read_experiment
from zslearn.experiments.folder import counted
from zslearn.experiments.jobs import make_jobs

SAME = ("metrics", "metrics_corrected", "per_class", "curve", "selection", "config", "data", "job")
TEXT = """
title: tiny
data: [glyphs]
splits: [1]
seeds: [0, 1, 2, 3]
rehearse: false
references: false
models:
  - model: skd
    settings: {n_updates: 20, teacher_updates: 20}
"""


def test_there_is_one_worker_for_each_processor_unless_told():
    assert LocalProcesses().room == usable_processors() >= 1
    assert LocalProcesses(3).room == 3
    with pytest.raises(ConfigError, match="the number of jobs is too small"):
        LocalProcesses(0)


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"zslearn\[cluster\]"):
        RayCluster()


@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore")
def test_an_address_without_a_cluster_is_refused():
    pytest.importorskip("ray", reason="needs the extra cluster")
    with pytest.raises(ConfigError, match="there is no Ray cluster at nowhere .*Start one with 'ray start --head'"):
        RayCluster("nowhere").__enter__()


def test_tasks_can_be_sent_to_other_processes(tiny):
    task = RunTask(job=make_jobs(tiny)[0])
    assert pickle.loads(pickle.dumps(task)) == task


def test_what_nobody_foresaw_is_an_answer_with_its_traceback(tiny, monkeypatch):
    def broken(*arguments, **options):
        raise KeyError("x")

    monkeypatch.setattr("zslearn.experiments.execution.run_protocol", broken)
    answer = execute(RunTask(job=make_jobs(tiny)[0]))
    assert (answer["status"], answer["cause"]) == ("failed", "KeyError: 'x'")
    assert "Traceback" in answer["traceback"]


def test_a_worker_that_dies_within_its_answer_fails_alone(tiny):
    task = RunTask(job=make_jobs(tiny)[0])
    with LocalProcesses(1) as engine:
        ours, theirs = engine._context.Pipe(duplex=False)
        worker = engine._context.Process(target=signal.raise_signal, args=(signal.SIGKILL,))
        worker.start()
        # How a message of a hundred bytes begins, and ten of them.
        os.write(theirs.fileno(), struct.pack("!i", 100) + bytes(10))
        theirs.close()
        engine._running[ours] = task, worker
        ended, answer = engine.next()
        assert engine.room == 1
    assert ended is task
    assert answer["status"] == "failed"
    assert "killed (signal 9)" in answer["cause"]


def test_memory_that_ran_out_is_called_so(tiny, monkeypatch):
    def large(*arguments, **options):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")

    monkeypatch.setattr("zslearn.experiments.execution.run_protocol", large)
    assert execute(RunTask(job=make_jobs(tiny)[0]))["cause"].startswith("out of memory: ")


@pytest.mark.cluster
@pytest.mark.timeout(600)
# Ray and what it starts warn of their own future and leave sockets to the garbage collector.
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_loses_a_node_has_every_record_in_the_end(start, tmp_path):
    pytest.importorskip("ray", reason="needs the extra cluster")
    from ray.cluster_utils import Cluster

    experiment = read_experiment(TEXT, "tiny", "tiny.yaml")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        node = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        lost = threading.Event()

        def lose(folder):
            while not list(folder.glob("[!.]*.json")):
                time.sleep(0.05)
            cluster.remove_node(node, allow_graceful=False)
            lost.set()

        path = tmp_path / "ray"
        (path / "records").mkdir(parents=True)
        plan = {"experiment_version": 1, "name": "tiny", **dict.fromkeys(("title", "kind", "command"), ""), "jobs": []}
        (path / "experiment.json").write_text(json.dumps(plan))
        killer = threading.Thread(target=lose, args=(path / "records",), daemon=True)
        killer.start()
        folder, _ = start(experiment, path=path, engine=RayCluster(cluster.address, 2))
        killer.join(timeout=60)
        assert lost.is_set()
    finally:
        cluster.shutdown()
    assert counted(folder.status()) == {"finished": 4, "failed": 0, "missing": 0}
    local, _ = start(experiment, path=tmp_path / "local", engine=LocalProcesses(2))
    for job, record in local.records():
        again = folder.read(job["key"])
        assert {name: again[name] for name in SAME} == {name: record[name] for name in SAME}
