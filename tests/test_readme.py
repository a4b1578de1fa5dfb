"""The README's commands and code do what they say, with the README's own words."""

import re
import shutil

import numpy as np
import pytest

import zslearn
from pages import ROOT, Page, shortened
from toy import toy_dataset as make_toy_dataset
from toy import write_toy_folder
from zslearn.cli import main

README = Page("README.md")


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with the data that the README speaks of."""
    monkeypatch.chdir(tmp_path)
    write_toy_folder(tmp_path / "FOLDER")
    np.save(tmp_path / "rows.npy", zslearn.load_data("glyphs").training().features[:10])
    return tmp_path


def test_every_command_runs(workplace):
    assert {words[0] for words in README.commands} == {"run", "evaluate", "predict", "synthesize", "show"}
    assert main(shortened(["run"])) == 0
    for words in README.commands:
        assert main(shortened(words)) == 0, words
    assert (workplace / "answers.csv").read_text().startswith("row,label,score,seen\n")
    with np.load(workplace / "drawn.npz") as drawn:
        assert drawn["labels"].tolist() == ["J"] * 100 + ["8"] * 100


def test_the_code_runs(workplace, monkeypatch):
    dataset = make_toy_dataset()
    names = ["zebra" if i == dataset.unseen_ids[0] else name for i, name in enumerate(dataset.class_names)]
    view = dataset.training()
    monkeypatch.setattr(
        "zslearn.estimator.GenerativeZSL.__init__.__kwdefaults__",
        {"settings": {"n_updates": 5, "teacher_updates": 5}, "rehearse": True, "seed": 0, "device": "auto"},
    )
    scope = {
        "X": view.features,
        "y": np.array(names)[view.labels],
        "semantics": dict(zip(names, dataset.semantics, strict=True)),
        "X_new": dataset.test().features[:7],
    }
    (code,) = README.blocks("python")
    exec(code, scope)
    estimator = scope["estimator"]
    assert "zebra" in estimator.unseen_classes_
    assert estimator.synthesize(["zebra"], 100).shape == (1, 100, 20)
    loaded = zslearn.GenerativeZSL.load(workplace / "model")
    assert (loaded.predict(scope["X_new"]) == estimator.predict(scope["X_new"])).all()


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make ([a-z-]+)", README.text):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_two_commands_are_make_demo_and_make_test():
    assert shutil.which("make")
    assert README.lines[:2] == ["make demo", "make test"]
