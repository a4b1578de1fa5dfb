from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from zslearn.cli import main

TINY = ["--set", "n_updates=5", "teacher_updates=5", "classifier_epochs=1"]


@dataclass
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def command():
    """Runs one command as the console script would."""

    def run(*words: object) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(word) for word in words])
        return Answer(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def finished(command, tmp_path_factory) -> tuple[Path, Answer]:
    """A finished tiny run on the letters, and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "a run"
    answer = command("run", "--split", 1, "--out", folder, *TINY)
    assert answer.code == 0, answer.err
    return folder, answer


@pytest.fixture
def record(finished):
    return json.loads((finished[0] / "record.json").read_text())
