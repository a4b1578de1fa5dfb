"""The page on the zoo says what the registry says, and its commands run."""

import re
import shlex
from pathlib import Path

import pytest

from zslearn.cli import main
from zslearn.configuration import field_facts
from zslearn.models import MODELS, model_entry
from zslearn.models.host import TermsHost
from zslearn.models.published import published_data

PAGE = (Path(__file__).parents[1] / "docs" / "zoo.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([a-z-]+)` \| (\d{4}) \| ([^|]+) \| [^|]+ \| (yes|no) \|$", PAGE, flags=re.MULTILINE)
COMMANDS = [
    shlex.split(line) for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()
]
TINY = {"n_updates": 2, "teacher_updates": 2, "classifier_epochs": 1, "hidden_dim": 8, "batch_size": 8}


def test_the_table_holds_every_generative_model_as_registered():
    generative = {name for name, entry in MODELS.items() if entry.family == "generative"}
    assert {name for name, *_ in ROWS} == generative
    for name, year, source, _ in ROWS:
        assert (int(year), source) == (MODELS[name].year, MODELS[name].source)


def test_the_last_column_says_who_can_be_taught():
    for name, *_, encoder in ROWS:
        model = model_entry(name).load()
        has_one = name == "skd" or (issubclass(model, TermsHost) and model.visual is not TermsHost.visual)
        assert encoder == ("yes" if has_one else "no"), name


def test_models_said_to_have_no_published_settings_have_none():
    (without,) = re.findall(r"There are none for (.*?)\n\n", PAGE, flags=re.DOTALL)
    said = {name for name in re.findall(r"`([a-z-]+)`", without) if not published_data(name)}
    assert said == {name for name, *_ in ROWS if not published_data(name)} - {"skd"}


@pytest.mark.docs
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_runs(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tiny = []
    if words[1] == "run":
        known = field_facts(model_entry(words[words.index("--model") + 1]).load().Config)
        tiny = ["--set", *(f"{name}={value}" for name, value in TINY.items() if name in known)]
    assert main([*words[1:], *tiny]) == 0, capsys.readouterr().err
