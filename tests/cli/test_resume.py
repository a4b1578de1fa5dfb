"""A run that stopped goes on to the same bits; whoever would make another run of it is refused."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import scipy.io

from toy import write_toy_folder
from zslearn.training.checkpoint import FOLDER

TINY = ["--set", "n_updates=20", "teacher_updates=10", "hidden_dim=8", "latent_dim=3"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_toy_folder(tmp_path_factory.mktemp("data") / "a toy ü", n_train=6, n_test=3)


@pytest.fixture(scope="module")
def whole(command, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    answer = command("run", "--data", data, "--out", folder, *TINY)
    assert answer.code == 0, answer.err
    assert not (folder / FOLDER).exists()
    return folder


@pytest.fixture
def stopped(command, data, tmp_path, monkeypatch):
    """A run that was interrupted by its user in the middle of the final training."""
    from zslearn.cli.progress import ProgressReport

    update = ProgressReport.update

    def interrupt(self, progress):
        update(self, progress)
        if progress.part == 3 and progress.training.stage == "generative":
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(ProgressReport, "update", interrupt)
        answer = command("run", "--data", data, "--out", tmp_path / "r", *TINY)
    assert answer.code == 130
    assert "stopping after this step; press Ctrl-C again to stop at once." in answer.err
    assert answer.err.endswith(f"interrupted: Go on with: zslearn run --resume '{tmp_path / 'r'}'\n") or (
        answer.err.endswith(f"interrupted: Go on with: zslearn run --resume {tmp_path / 'r'}\n")
    )
    assert json.loads((tmp_path / "r" / "record.json").read_text())["status"] == "interrupted"
    return tmp_path / "r"


def lasting(folder):
    """The record without what a clock or the system's memory decides."""
    record = json.loads((folder / "record.json").read_text())
    for name in ("seconds", "peak_memory_bytes", "resumed"):
        del record[name]
    return record


def test_an_interrupted_run_goes_on_to_the_same_bits(command, stopped, whole):
    answer = command("run", "--resume", stopped)
    assert answer.code == 0, answer.err
    for name in ("model.safetensors", "model.json", "history.jsonl"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes(), name
    assert lasting(stopped) == lasting(whole)
    assert json.loads((stopped / "record.json").read_text())["resumed"] == 1
    assert {path.name for path in stopped.iterdir()} == {path.name for path in whole.iterdir()}
    again = command("run", "--resume", stopped)
    assert again.code == 0
    assert again.err == "note: this run was finished already.\n"
    assert again.out == answer.out


def test_other_settings_are_refused(command, stopped):
    answer = command("run", "--resume", stopped, "--seed", 1, "--set", "n_updates=3")
    assert answer.code == 2
    assert "received --seed, --set). Leave them out" in answer.err


def test_other_data_are_refused(command, stopped, data):
    path = data / "res101.mat"
    before = path.read_bytes()
    content = scipy.io.loadmat(path)
    content["features"][0, 0] += 1
    scipy.io.savemat(path, {name: content[name] for name in ("features", "labels")})
    try:
        for words in ([], ["--allow-different-hardware"]):
            answer = command("run", "--resume", stopped, *words)
            assert answer.code == 2
            assert "have changed since it began (expected the checksum" in answer.err
    finally:
        path.write_bytes(before)


def test_other_hardware_is_refused_unless_allowed_and_recorded(command, stopped):
    path = stopped / "record.json"
    begun = json.loads(path.read_text())
    threads = begun["hardware"]["threads"]
    begun["hardware"]["threads"] = threads + 3
    path.write_text(json.dumps(begun))
    answer = command("run", "--resume", stopped)
    assert answer.code == 2
    assert f"(expected threads {threads + 3}; received threads {threads}). Resume it there, or add" in answer.err
    assert json.loads(path.read_text()) == begun
    answer = command("run", "--resume", stopped, "--allow-different-hardware")
    assert answer.code == 0, answer.err
    record = json.loads(path.read_text())
    assert record["hardware_changes"] == [{"what": "threads", "before": threads + 3, "after": threads}]
    assert record["hardware"]["threads"] == threads


def test_what_cannot_be_resumed(command, tmp_path, whole):
    answer = command("run", "--resume", tmp_path)
    assert answer.code == 2
    assert "is not a run folder" in answer.err
    (tmp_path / "record.json").write_text('{"status": "running", "model": "skd"}')
    assert "perhaps of an older version" in command("run", "--resume", tmp_path).err
    assert "goes with --resume" in command("run", "--allow-different-hardware", "--out", tmp_path / "x").err
    for seconds in ("-1", "nan"):
        assert "expected 0 or more" in command("run", "--checkpoint-every", seconds, "--out", tmp_path / "x").err
    assert not (tmp_path / "x").exists()
    assert command("evaluate", whole).code == 0


def test_of_a_damaged_record_only_what_was_asked_for_is_believed(command, stopped, whole):
    path = stopped / "record.json"
    begun = json.loads(path.read_text())
    begun["data"] = {name: begun["data"][name] for name in ("checksum", "split", "asked_for")} | {"warnings": 3}
    path.write_text(json.dumps(begun))
    assert command("run", "--resume", stopped).code == 0
    assert lasting(stopped) == lasting(whole)
    path.write_text(json.dumps({name: begun[name] for name in begun if name != "command"}))
    assert "perhaps of an older version" in command("run", "--resume", stopped).err


def test_an_unfinished_run_says_how_to_go_on(command, stopped):
    answer = command("evaluate", stopped)
    assert answer.code == 2
    assert f"status interrupted). Go on with: zslearn run --resume {stopped}" in answer.err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_process_goes_on_to_the_same_bits(command, data, whole, tmp_path, number):
    words = ["run", "--data", data, "--out", tmp_path / "r", *TINY, "--checkpoint-every", "0"]
    process = subprocess.Popen([sys.executable, "-m", "zslearn", *map(str, words)], stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob("r/checkpoints/scores-001*")) and process.poll() is None:
        time.sleep(0.01)
    running = command("run", "--resume", tmp_path / "r")
    assert running.code == 2
    assert f"the lock of process {process.pid}" in running.err
    process.send_signal(number)
    process.communicate()
    assert process.returncode == (-number if number == signal.SIGKILL else 130)
    assert command("run", "--resume", tmp_path / "r").code == 0
    assert (tmp_path / "r" / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert lasting(tmp_path / "r") == lasting(whole)
    assert np.isfinite(lasting(tmp_path / "r")["metrics"]["h"])
