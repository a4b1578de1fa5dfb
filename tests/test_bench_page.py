"""The pages on experiments and trackers do what they say, with a smaller budget."""

from functools import partial
from pathlib import Path

import pytest

from budgets import n_alternatives
from pages import Page, shortened
from zslearn.cli import main
from zslearn.evaluation.protocol import run_protocol
from zslearn.experiments.experiment import read_experiment

BENCH, TRACKERS = Page("docs/bench.md"), Page("docs/trackers.md")
TINY = ["--set", "n_updates=2", "teacher_updates=2"]


@pytest.mark.docs
def test_the_commands_and_code_of_the_bench_page_run(little_experiments, capsys):
    ran = BENCH.commands
    assert {words[0] for words in ran} == {"benchmark", "ablate", "sweep"}
    assert {words[1] for words in ran if words[0] == "benchmark"} == {
        "list", "run", "status", "copy", "validate",
    }  # fmt: skip
    for words in ran:
        assert main([*words, *(TINY if words[0] in ("ablate", "sweep") else [])]) == 0, words
    for code in BENCH.blocks("python"):
        exec(code, {})
    out = capsys.readouterr().out
    assert "real unseen samples" in out
    assert "['rehearsed', 'trained', 'references chosen', 'test view opened', 'measured']" in out
    assert "skd better than f-vaegan (p 0.016)\nskd no difference seen from ridge (p 1)" in out


def test_the_file_of_the_bench_page_is_valid():
    (text,) = BENCH.blocks("yaml")
    experiment = read_experiment(text, "mine", "mine.yaml")
    assert experiment.trials == 12
    models = {choice.model: choice for choice in experiment.models}
    assert set(models) > {"skd", "f-clswgan"}
    assert n_alternatives(models["skd"]) == 1
    assert models["skd"].settings["n_updates"] == models["f-clswgan"].settings["n_updates"]


def test_the_bench_page_names_every_field_and_control():
    from zslearn.experiments.arms import CONTROLS
    from zslearn.experiments.experiment import FIELDS

    for name in (*FIELDS, *CONTROLS):
        assert name in BENCH.text


@pytest.mark.docs
def test_the_commands_and_code_of_the_trackers_page_run(little_experiments, capsys):
    pytest.importorskip("tensorboard", reason="needs the extra tensorboard")
    for words in TRACKERS.commands:
        assert main(shortened(words)) == 0, words
    first, *_ = TRACKERS.blocks("python")
    exec(first, {})
    assert "test/corrected/h" in capsys.readouterr().out.splitlines()[-1]
    assert Path("terms.jsonl").read_text().count("\n") > 10
    assert list(Path("board").glob("events.*"))


# What the trackers warn of among their own dependencies is theirs.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.docs
@pytest.mark.parametrize("code", TRACKERS.blocks("python")[1:], ids=lambda code: code.split()[1])
def test_the_trackers_that_people_use_are_told(code, little_experiments, toy_dataset, monkeypatch):
    pytest.importorskip(code.split()[1], reason="needs the extra test-trackers")
    monkeypatch.setenv("WANDB_MODE", "offline")
    settings = {"n_updates": 2, "teacher_updates": 2}
    exec(code, {"run_protocol": partial(run_protocol, settings=settings), "dataset": toy_dataset})
