"""The page on the zoo says what the registry says, and its commands run."""

import re

import pytest

from pages import Page, shortened
from toy import write_toy_folder
from zslearn.cli import main
from zslearn.models import MODELS, model_entry
from zslearn.models.host import TermsHost
from zslearn.models.published import published_data

PAGE = Page("docs/zoo.md")
ROWS = re.findall(r"^\| `([a-z-]+)` \| (\d{4}) \| ([^|]+) \| [^|]+ \| (yes|no) \|$", PAGE.text, flags=re.MULTILINE)
TINY = {"n_updates": 2, "teacher_updates": 2, "classifier_epochs": 1, "hidden_dim": 8, "batch_size": 8}


def test_the_table_holds_every_generative_model_as_registered():
    generative = {name for name, entry in MODELS.items() if entry.family == "generative"}
    assert {name for name, *_ in ROWS} == generative
    for name, year, source, _ in ROWS:
        assert (int(year), source) == (MODELS[name].year, MODELS[name].source)


def test_the_last_column_says_who_can_be_taught():
    for name, *_, encoder in ROWS:
        model = model_entry(name).load()
        has_one = issubclass(model, TermsHost) and model.visual is not TermsHost.visual
        assert encoder == ("yes" if has_one else "no"), name


def test_models_said_to_have_no_published_settings_have_none():
    (without,) = re.findall(r"There are none for (.*?)\n\n", PAGE.text, flags=re.DOTALL)
    assert set(re.findall(r"`([a-z-]+)`", without)) == {
        *(name for name, *_ in ROWS if name != "skd" and not published_data(name)),
        "f-clswgan",
    }
    assert not {"AWA1", "AWA2"} & set(published_data("f-clswgan"))


@pytest.mark.docs
@pytest.mark.parametrize("words", PAGE.commands, ids=" ".join)
def test_every_command_runs(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for folder in ("CUB", "FLO"):
        write_toy_folder(tmp_path / folder)
    assert main(shortened(words, TINY)) == 0, capsys.readouterr().err
