"""The page on methods without a generator says what the registry says, and its commands run."""

import re

import pytest

from pages import Page, shortened
from zslearn.cli import main
from zslearn.experiments.catalog import packaged
from zslearn.models import MODELS, model_entry

PAGE = Page("docs/classic.md")
ROWS = re.findall(r"^\| `([a-z-]+)` \| (\d{4}) \| ([a-z ]+) \| ([^|]+) \| (yes|no) \|$", PAGE.text, flags=re.MULTILINE)


def test_the_table_holds_every_model_without_a_generator_as_registered():
    registered = {
        (name, entry.year, entry.family, entry.source) for name, entry in MODELS.items() if entry.family != "generative"
    }
    assert {(name, int(year), family, source) for name, year, family, source, _ in ROWS} == registered


def test_the_last_column_says_what_the_defaults_read():
    for name, *_, reads in ROWS:
        config = model_entry(name).load().Config()
        if MODELS[name].family == "closed form":
            assert (reads == "yes") == config.reads_unseen_semantics, name
        else:
            assert (reads == "yes") == config.unseen_semantics, name


def test_every_method_is_explained():
    explained = re.findall(r"^\* \*\*(.+?)\*\*:", PAGE.text, flags=re.MULTILINE)
    assert {name for names in explained for name in re.findall(r"`([a-z-]+)`", names)} == {name for name, *_ in ROWS}


def test_comparisons_that_are_named_exist():
    named = set(re.findall(r"comparison-[a-z]+", PAGE.text))
    assert named == {name for name in packaged() if name.startswith("comparison-")}


@pytest.mark.docs
@pytest.mark.parametrize("words", [words for words in PAGE.commands if words[0] != "benchmark"], ids=" ".join)
def test_every_command_runs(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(shortened(words)) == 0, capsys.readouterr().err


@pytest.mark.docs
def test_the_comparison_runs_and_prints_its_table(little_experiments, capsys):
    commands = [words for words in PAGE.commands if words[0] == "benchmark"]
    assert [words[1] for words in commands] == ["run", "table"]
    for words in commands:
        assert main(words) == 0, words
    assert "skd" in capsys.readouterr().out
