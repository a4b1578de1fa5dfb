"""The commands and the code of the page on sharing do what they say."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import zslearn
from zslearn.cli import main

pytestmark = pytest.mark.docs

PAGE = (Path(__file__).parents[1] / "docs" / "share.md").read_text(encoding="utf-8")
TINY = ["--set", "n_updates=5", "teacher_updates=5", "classifier_epochs=1"]


def test_every_command_and_the_code_run(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    monkeypatch.chdir(tmp_path)
    assert main(["run", *TINY]) == 0
    features = zslearn.load_data("glyphs").training().features[:10]
    np.save("rows.npy", features)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) == 4
    for line in lines:
        assert main(shlex.split(line)[1:]) == 0, line
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    scope = {}
    exec(code, scope)
    assert scope["answers"] == zslearn.GenerativeZSL.load("model").predict(features).tolist()
