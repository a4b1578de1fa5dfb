"""The commands of the page on stopping and going on do what it says, to a run that is stopped in its middle."""

import json
import signal

import pytest

from pages import Page, shortened
from zslearn.cli import main
from zslearn.cli.progress import ProgressReport

pytestmark = pytest.mark.docs

PAGE = Page("docs/resume.md")


def test_a_run_is_stopped_and_goes_on_as_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    begin, go_on, elsewhere = PAGE.commands
    update = ProgressReport.update

    def interrupt(self, progress):
        update(self, progress)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(ProgressReport, "update", interrupt)
        assert main(shortened(begin)) == 130
    (shown,) = PAGE.blocks("text")
    assert capsys.readouterr().err.strip().splitlines()[-2:] == shown.splitlines()
    record = tmp_path / "night" / "record.json"
    begun = json.loads(record.read_text())
    assert begun["status"] == "interrupted"
    assert list((tmp_path / "night" / "checkpoints").iterdir())
    begun["hardware"]["threads"] += 1
    record.write_text(json.dumps(begun))
    assert main(go_on) == 2
    assert "add --allow-different-hardware" in capsys.readouterr().err
    assert main(elsewhere) == 0
    finished = json.loads(record.read_text())
    assert [change["what"] for change in finished["hardware_changes"]] == ["threads"]
    assert "training_warnings" in finished
    assert not (tmp_path / "night" / "checkpoints").exists()
    assert main(go_on) == 0
    assert "finished already" in capsys.readouterr().err
