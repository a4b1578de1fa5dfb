"""The pages on experiments and trackers do what they say, with a smaller budget."""

import re
import shlex
from pathlib import Path

import pytest

from zslearn.cli import main
from zslearn.experiments import catalog
from zslearn.experiments.experiment import read_experiment

PAGES = Path(__file__).parents[1] / "docs"
BENCH = (PAGES / "bench.md").read_text(encoding="utf-8")
TRACKERS = (PAGES / "trackers.md").read_text(encoding="utf-8")
QUICK = """title: Little
data: [glyphs]
splits: [0]
models: [{model: skd, settings: {n_updates: 3, teacher_updates: 3}}]
"""
TINY = ["--set", "n_updates=2", "teacher_updates=2"]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


def commands(page):
    lines = [line.split("#")[0].strip() for block in blocks(page, "sh") for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line]


@pytest.fixture
def little(tmp_path, monkeypatch):
    """A folder to work in, and a quick experiment that is even quicker."""
    monkeypatch.chdir(tmp_path)
    whole = catalog.packaged_text
    monkeypatch.setattr(catalog, "packaged_text", lambda name: QUICK if name == "quick" else whole(name))


@pytest.mark.docs
def test_the_commands_and_code_of_the_bench_page_run(little, capsys):
    ran = commands(BENCH)
    assert {words[1] for words in ran} == {"benchmark", "ablate", "sweep"}
    assert {words[2] for words in ran if words[1] == "benchmark"} == {
        "list", "run", "status", "copy", "validate",
    }  # fmt: skip
    for words in ran:
        assert main([*words[1:], *(TINY if words[1] in ("ablate", "sweep") else [])]) == 0, words
    for code in blocks(BENCH, "python"):
        exec(code, {})
    out = capsys.readouterr().out
    assert "real unseen samples" in out
    assert "['rehearsed', 'trained', 'references chosen', 'test view opened', 'measured']" in out
    assert "skd better than f-vaegan (p 0.016)\nskd no difference seen from ridge (p 1)" in out


def test_the_file_of_the_bench_page_is_valid():
    (text,) = blocks(BENCH, "yaml")
    experiment = read_experiment(text, "mine", "mine.yaml")
    assert experiment.trials == 12
    assert {choice.model for choice in experiment.models} > {"skd", "f-clswgan"}


def test_the_bench_page_names_every_field_and_control():
    from zslearn.experiments.arms import CONTROLS
    from zslearn.experiments.experiment import FIELDS

    for name in (*FIELDS, *CONTROLS):
        assert name in BENCH


@pytest.mark.docs
def test_the_commands_and_code_of_the_trackers_page_run(little, capsys):
    pytest.importorskip("tensorboard", reason="needs the extra tensorboard")
    for words in commands(TRACKERS):
        assert main([*words[1:], *TINY, "classifier_epochs=1"]) == 0, words
    for code in blocks(TRACKERS, "python"):
        exec(code, {})
    assert "test/corrected/h" in capsys.readouterr().out.splitlines()[-1]
    assert Path("terms.jsonl").read_text().count("\n") > 10
    assert list(Path("board").glob("events.*"))
