"""``zslearn run --seeds N``: each seed's run is its own, and the summary is of all."""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time

import pytest

from toy import write_toy_folder
from zslearn.cli import build_parser
from zslearn.cli.seeds import seed_runs

TINY = ("--set", "n_updates=20", "teacher_updates=10", "hidden_dim=8", "latent_dim=3")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_toy_folder(tmp_path_factory.mktemp("data") / "toy", n_train=6, n_test=3)


def zslearn(*words, cwd):
    """Run a command on one thread in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "zslearn", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_each_seed_is_its_own_run_and_the_summary_is_of_all(data, tmp_path):
    ended = zslearn("run", "--data", data, "--seed", 3, "--seeds", 2, "--json", *TINY, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    folder = tmp_path / summary.pop("folder")
    assert summary["seeds"] == [3, 4]
    assert json.loads((folder / "seeds.json").read_text())["summary"] == summary
    alone = zslearn("run", "--data", data, "--seed", 4, "--out", "alone", *TINY, cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    together = folder / summary["runs"][1]
    assert {path.name for path in together.iterdir()} == {path.name for path in (tmp_path / "alone").iterdir()}
    # To the bit, which is more than a tolerance on the first updates.
    name = "model.safetensors"
    assert (together / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    records = [json.loads((folder / run / "record.json").read_text()) for run in summary["runs"]]
    assert [record["seed"] for record in records] == [3, 4]
    for part in ("metrics", "metrics_corrected"):
        for figure, spread in summary[part].items():
            values = [record[part][figure] for record in records]
            assert spread["values"] == values
            assert spread["mean"] == pytest.approx(statistics.mean(values))
            assert spread["sd"] == pytest.approx(statistics.stdev(values))


@pytest.mark.slow
def test_stopped_seeds_go_on(data, tmp_path):
    longer = [word.replace("n_updates=20", "n_updates=100") for word in TINY]
    words = [sys.executable, "-m", "zslearn", "run", "--data", str(data), "--seeds", "2", "--out", "my seeds", *longer]
    running = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "my seeds" / "seeds.json").exists() and running.poll() is None:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 130
    assert said.endswith("interrupted: Go on with: zslearn run --resume 'my seeds'\n")
    ended = zslearn("run", "--resume", "my seeds", "--allow-different-hardware", "--checkpoint-every", 5, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert [line.split()[0] for line in lines if line.startswith(("mean", "standard"))] == ["mean", "standard"]
    assert "skd, seed 1" in ended.stdout


@pytest.mark.slow
def test_seeds_that_failed_are_counted_and_can_be_tried_again(data, tmp_path):
    wild = ["--set", "learning_rate=1e30", "n_updates=60", "teacher_updates=2", "hidden_dim=8", "latent_dim=3"]
    ended = zslearn("run", "--data", data, "--seeds", 2, "--out", "my seeds", *wild, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    records = [json.loads((tmp_path / "my seeds" / f"s{seed}" / "record.json").read_text()) for seed in (0, 1)]
    assert [record["status"] for record in records] == ["failed", "failed"]
    last = ended.stderr.splitlines()[-1]
    # Whichever of the two ends first.
    told = re.fullmatch(r"error: 2 of 2 seeds failed, the first of them seed ([01]) \(received (.*)\)\. (.*)", last)
    assert told[2] == records[int(told[1])]["cause"].rstrip(".")
    assert told[3] == "Try these again with: zslearn run --resume 'my seeds'"
    assert "summary" not in json.loads((tmp_path / "my seeds" / "seeds.json").read_text())


def asked_for(*words):
    """The runs of a command, none of which is begun."""
    arguments = build_parser().parse_args(list(map(str, words)))
    arguments.words = list(map(str, words))
    return seed_runs(arguments)


def test_seeds_that_go_on_elsewhere_find_their_data_and_hear_what_is_added(data, tmp_path, monkeypatch):
    monkeypatch.chdir(data.parent)
    asked_for("run", "--data", data.name, "--config=c.yaml", "--seeds", 2, "--out", tmp_path).write()
    (tmp_path / "s0").mkdir()
    (tmp_path / "s0" / "record.json").touch()
    monkeypatch.chdir(tmp_path)
    added = ["--device", "cpu", "--checkpoint-every=5", "--allow-different-hardware"]
    runs = asked_for("run", "--resume", tmp_path, "-q", "--split", "official", "--model=skd", *added)
    assert runs.command(0)[3:] == ["run", "--resume", str(tmp_path / "s0"), *added]
    begins = build_parser().parse_args(runs.command(1)[3:])
    assert (begins.data, begins.config) == (str(data), data.parent / "c.yaml")
    assert (begins.seed, begins.device, begins.checkpoint_every) == (1, "cpu", 5)
    assert not begins.allow_different_hardware


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", 0], "the number of seeds is out of range (expected 1 to 1000; received 0)"),
        (["--seeds", 2, "--log", "jsonl:x"], "--seeds does not go with --log"),
        (["--seeds", 2, "--resume", "nowhere"], "a resumed run keeps the options that it began with"),
    ],
)
def test_what_does_not_go_with_several_seeds_is_refused(command, words, message):
    answer = command("run", *words)
    assert answer.code == 2
    assert message in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.slow
def test_what_a_run_refuses_several_refuse_in_one_line(tmp_path):
    ended = zslearn("run", "--seeds", 2, "--set", "n_updates=-5", cwd=tmp_path)
    assert ended.returncode == 2
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error")]
    assert line.startswith("error: the setting 'n_updates' has a wrong value")
    assert line.endswith("NAME.")
    assert list(tmp_path.iterdir()) == []
