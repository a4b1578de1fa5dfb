"""The page on reports: its commands and code run, and its words are those of the report."""

import re
from pathlib import Path

import pytest

from pages import Page
from zslearn.cli import main
from zslearn.report.figures import MAX_BARS
from zslearn.sheets import MAX_CONFUSED

PAGE = Page("docs/report.md")


@pytest.mark.docs
def test_every_command_and_the_code_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("vl_convert", reason="the extra report is not installed")
    monkeypatch.chdir(tmp_path)
    assert len(PAGE.commands) == 5
    for words in PAGE.commands:
        assert main(words) == 0, words
    assert "| kernel-ridge-cosine (closed form) | 1 |" in capsys.readouterr().out
    (code,) = PAGE.blocks("python")
    exec(code, {})
    made = {path: (tmp_path / path).read_text() for path in ("runs/first/report.html", "first.html")}
    assert made["first.html"] == made["runs/first/report.html"]
    assert r"\toprule" in (tmp_path / "runs/first/table.tex").read_text()
    assert (tmp_path / "runs/first/figures.csv").read_text().startswith("data,split,seed,method")


def test_the_page_speaks_of_what_the_report_shows():
    template = Path(__file__).parents[1] / "src" / "zslearn" / "report" / "page_parts" / "page.html"
    shown = template.read_text(encoding="utf-8")
    for heading in re.findall(r"^\| ([^|]+) \| ", PAGE.text, flags=re.MULTILINE):
        if heading not in ("column", "---"):
            assert heading in shown, heading
    for part in ("Before you read the figures", "A closer look", "Holes", "How to get these figures again"):
        assert f"**{part}" in PAGE.text
        assert part in shown
    assert f"{MAX_CONFUSED} most confused classes" in PAGE.text
    assert MAX_BARS >= 100
