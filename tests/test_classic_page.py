"""The page on methods without a generator says what the registry says, and its commands run."""

import re
import shlex
from pathlib import Path

import pytest

from zslearn.cli import main
from zslearn.configuration import field_facts
from zslearn.experiments.catalog import packaged
from zslearn.models import MODELS, model_entry

PAGE = (Path(__file__).parents[1] / "docs" / "classic.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([a-z-]+)` \| (\d{4}) \| ([a-z ]+) \| ([^|]+) \| (yes|no) \|$", PAGE, flags=re.MULTILINE)
COMMANDS = [
    shlex.split(line) for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()
]


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
    explained = re.findall(r"^\* \*\*(.+?)\*\*:", PAGE, flags=re.MULTILINE)
    assert {name for names in explained for name in re.findall(r"`([a-z-]+)`", names)} == {name for name, *_ in ROWS}


def test_comparisons_that_are_named_exist():
    named = set(re.findall(r"comparison-[a-z]+", PAGE))
    assert named == {name for name in packaged() if name.startswith("comparison-")}


@pytest.mark.docs
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_runs(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tiny = []
    if words[1] == "run":
        fields = field_facts(model_entry(words[words.index("--model") + 1]).load().Config)
        tiny = ["--set", "n_updates=2"] if "n_updates" in fields else []
    assert main([*words[1:], *tiny]) == 0, capsys.readouterr().err
