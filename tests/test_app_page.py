"""The commands and the code of the page on the app do what they say."""

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from pages import Page, shortened
from zslearn.app.descriptions import MAX_UNNAMED
from zslearn.app.session import N_DRAWN
from zslearn.app.uploads import MAX_ROWS, MAX_UPLOAD_BYTES
from zslearn.cli import main
from zslearn.cli.app import LOOPBACK, PORT

APP = Page("docs/app.md")


@pytest.mark.docs
def test_every_command_and_the_code_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run, app, classes = APP.commands
    assert (run[0], app[0], classes[0]) == ("run", "app", "classes")
    assert main(shortened(run)) == 0
    with subprocess.Popen(
        [sys.executable, "-m", "zslearn", *app, "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as served:
        address = served.stdout.readline().strip()
        question = urllib.request.Request(
            f"{address}add", data=b'{"name": "round", "description": {"blend": {"O": 1, "0": 1}}}'
        )
        urllib.request.urlopen(question).close()
        with urllib.request.urlopen(f"{address}added.npz") as added:
            Path("added.npz").write_bytes(added.read())
        served.terminate()
    assert main(classes) == 0
    assert "1 added: round" in capsys.readouterr().out
    (code,) = APP.blocks("python")
    exec(code, {})
    assert re.search(r"^\[\('.', 0\.\d+\), ", capsys.readouterr().out, flags=re.MULTILINE)


def test_its_numbers_are_those_of_the_program():
    for said in (
        f"`http://{LOOPBACK}:{PORT}/`",
        f"at most {MAX_UNNAMED} without",
        f"{N_DRAWN} samples are drawn",
        f"at most {MAX_ROWS:,} rows",
        f"may hold {MAX_UPLOAD_BYTES >> 20} MiB",
    ):
        assert said in APP.text, said
    assert (APP.path.parent / "images" / "app.png").stat().st_size < 200_000
