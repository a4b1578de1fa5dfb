"""The README's commands and code do what they say, with the README's own words."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io

import zslearn
from toy import toy_dataset as make_toy_dataset
from zslearn.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TINY = ["--set", "n_updates=5", "teacher_updates=5", "classifier_epochs=1"]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with the data that the README speaks of."""
    monkeypatch.chdir(tmp_path)
    dataset = make_toy_dataset()
    folder = tmp_path / "FOLDER"
    folder.mkdir()
    locations = {
        "trainval_loc": dataset.train_rows,
        "test_seen_loc": dataset.test_seen_rows,
        "test_unseen_loc": dataset.test_unseen_rows,
    }
    names = np.array([[name] for name in dataset.class_names], dtype=object)
    scipy.io.savemat(
        folder / "att_splits.mat",
        {
            "att": dataset.semantics.T,
            "allclasses_names": names,
            **{name: rows[:, None] + 1 for name, rows in locations.items()},
        },
    )
    scipy.io.savemat(folder / "res101.mat", {"features": dataset.features.T, "labels": dataset.labels[:, None] + 1})
    np.save(tmp_path / "rows.npy", zslearn.load_data("glyphs").training().features[:10])
    return tmp_path


def test_every_command_runs(workplace, capsys):
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("zslearn")]
    assert {words[1] for words in commands} == {"run", "evaluate", "predict", "synthesize", "show"}
    assert main(["run", *TINY]) == 0
    for words in commands:
        assert main([*words[1:], *(TINY if words[1] == "run" else [])]) == 0, words
    assert "unseen" not in capsys.readouterr().err
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
    (code,) = blocks("python")
    exec(code, scope)
    estimator = scope["estimator"]
    assert "zebra" in estimator.unseen_classes_
    assert estimator.synthesize(["zebra"], 100).shape == (1, 100, 20)
    loaded = zslearn.GenerativeZSL.load(workplace / "model")
    assert (loaded.predict(scope["X_new"]) == estimator.predict(scope["X_new"])).all()


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make ([a-z-]+)", README):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_links_and_pictures_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_the_two_commands_are_make_demo_and_make_test():
    assert shutil.which("make")
    first = blocks("sh")[0].splitlines()
    assert [line.split("#")[0].strip() for line in first] == ["make demo", "make test"]
