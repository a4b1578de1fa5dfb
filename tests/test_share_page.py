"""The commands and the code of the page on sharing do what they say."""

import numpy as np
import pytest

import zslearn
from pages import Page, shortened
from zslearn.cli import main

pytestmark = pytest.mark.docs

PAGE = Page("docs/share.md")


def test_every_command_and_the_code_run(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    monkeypatch.chdir(tmp_path)
    assert main(shortened(["run"])) == 0
    features = zslearn.load_data("glyphs").training().features[:10]
    np.save("rows.npy", features)
    assert len(PAGE.commands) == 4
    for words in PAGE.commands:
        assert main(words) == 0, words
    (code,) = PAGE.blocks("python")
    scope = {}
    exec(code, scope)
    assert scope["answers"] == zslearn.GenerativeZSL.load("model").predict(features).tolist()
