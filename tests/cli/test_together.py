"""``torchrun -m zslearn run``: processes that share every batch do what one does, and one of them writes and speaks."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from toy import write_toy_folder
from zslearn import GenerativeZSL, load_data

pytestmark = pytest.mark.slow

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
TINY = ("--set", "n_updates=20", "teacher_updates=10", "hidden_dim=8", "latent_dim=3", "classifier=softmax")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_toy_folder(tmp_path_factory.mktemp("data") / "toy", n_train=8, n_test=3)


def launched(*words, launch=("-m", "zslearn"), cwd):
    """Run a command in two processes, and return how torchrun ended."""
    return subprocess.run(
        [*TORCHRUN, *launch, *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False, timeout=300
    )


def own_lines(ended):
    """What the processes said, without what torchrun adds when one fails."""
    return [line for line in ended.stderr.splitlines() if line.startswith(("error", "interrupted"))]


def test_a_run_in_two_processes_is_a_run(command, data, tmp_path):
    ended = launched("run", "--data", data, "--out", "together", *TINY, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("Run folder: together") == 1
    alone = command("run", "--data", data, "--out", tmp_path / "alone", *TINY)
    assert alone.code == 0, alone.err
    assert {path.name for path in (tmp_path / "together").iterdir()} == {
        path.name for path in (tmp_path / "alone").iterdir()
    }
    record = json.loads((tmp_path / "together" / "record.json").read_text())
    assert record["hardware"]["processes"] == 2
    assert record["command"].startswith("torchrun --nproc-per-node 2 -m zslearn run ")
    features = load_data(data).test().features
    one, other = (GenerativeZSL.load(tmp_path / name).decision_scores(features) for name in ("together", "alone"))
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_it_stops_gently_and_goes_on_in_two_processes(data, tmp_path):
    longer = [word.replace("n_updates=20", "n_updates=100") for word in TINY]
    words = [*TORCHRUN, "-m", "zslearn", "run", "--data", data, "--out", "stopped", *longer]
    running = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    history = tmp_path / "stopped" / "history.jsonl"
    while not history.exists() and running.poll() is None:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=120)
    assert "interrupted: Go on with: zslearn run --resume stopped" in said
    record = json.loads((tmp_path / "stopped" / "record.json").read_text())
    assert record["status"] == "interrupted"
    ended = launched("run", "--resume", "stopped", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert json.loads((tmp_path / "stopped" / "record.json").read_text())["resumed"] == 1


def test_batches_that_cannot_be_shared_meet_one_line(data, tmp_path):
    ended = launched("run", "--data", data, *TINY, "batch_size=33", cwd=tmp_path)
    assert ended.returncode == 1
    (line,) = own_lines(ended)
    assert line.startswith("error: 2 processes cannot share the batches evenly (expected a batch size that 2 divides")
    assert list(tmp_path.iterdir()) == []


def test_processes_with_different_data_meet_one_line(tmp_path):
    for rank in (0, 1):
        write_toy_folder(tmp_path / str(rank) / "toy", seed=rank, n_train=8, n_test=3)
    script = f'ZSLEARN_DATA=$RANK exec {sys.executable} -m zslearn run --data toy "$@"'
    ended = launched("bash", *TINY, launch=("--no-python", "bash", "-c", script), cwd=tmp_path)
    assert ended.returncode == 1
    (line,) = own_lines(ended)
    assert line.startswith("error: process 1 does not have the data of process 0 (expected the checksum ")
    assert line.endswith("Give every process the same files.")
    assert not (tmp_path / "runs").exists()
