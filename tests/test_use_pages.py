"""The commands and the code of the pages on use and on scikit-learn do what they say."""

import io
import shlex
from pathlib import Path

import numpy as np
import pytest
import sklearn

import zslearn
from pages import Page, shortened
from zslearn.cli import main
from zslearn.data.glyph_semantics import ATTRIBUTES

pytestmark = pytest.mark.docs

USE, SKLEARN = Page("docs/use.md"), Page("docs/sklearn.md")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with a run and the files that the page speaks of."""
    folder = tmp_path_factory.mktemp("use")
    assert main(shortened(["run", "--out", str(folder / "my-run")])) == 0
    features = zslearn.load_data("glyphs").training().features[:10]
    np.save(folder / "rows.npy", features)
    lines = "\n".join(",".join(map(str, row)) for row in features.tolist())
    for name in ("rows.csv", "more.csv"):
        (folder / name).write_text(lines)
    vector = ",".join(["1"] * len(ATTRIBUTES))
    (folder / "new.csv").write_text(f"name,{','.join(ATTRIBUTES)}\nblock,{vector}\n")
    return folder


def test_every_command_runs(workplace, monkeypatch, capsys):
    pytest.importorskip("pyarrow", reason="needs the extra data")
    monkeypatch.chdir(workplace)
    assert len(USE.lines) == 8
    for line in USE.lines:
        piped, _, command = line.rpartition("|")
        if piped:
            given = Path(piped.split()[1]).read_bytes()
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
        program, *words = shlex.split(command)
        assert program == "zslearn"
        assert main(words) == 0, line
    assert Path("answers.parquet").stat().st_size
    assert "1 dropped: hook" in capsys.readouterr().out
    assert zslearn.GenerativeZSL.load("my-run").added_classes_.tolist() == ["block"]


def test_the_code_runs(toy_dataset, monkeypatch):
    monkeypatch.setattr(
        "zslearn.estimator.GenerativeZSL.__init__.__kwdefaults__",
        {"settings": {"n_updates": 3, "teacher_updates": 3}, "rehearse": False, "seed": 0, "device": "auto"},
    )
    view = toy_dataset.training()
    names = np.array(view.class_names)
    scope = {
        "X": view.features,
        "y": names[view.labels],
        "semantics": dict(zip(names.tolist(), view.semantics, strict=True)),
        "X_new": toy_dataset.test().features[:7],
    }
    code = "\n".join(SKLEARN.blocks("python")).replace(
        '{"sp_weight"', '{"n_updates": 3, "teacher_updates": 3, "sp_weight"'
    )
    with sklearn.config_context():
        exec(code, scope)
    assert scope["pipeline"].predict(scope["X_new"]).shape == (7,)
    assert set(scope["search"].best_params_) == {"settings"}
    assert scope["search"].best_score_ > 0
