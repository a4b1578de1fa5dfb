"""The page on speed: its command runs."""

import pytest
import torch

from pages import Page, follow
from zslearn.devices import has_bf16

PAGE = Page("docs/speed.md")


@pytest.mark.docs
@pytest.mark.skipif(not has_bf16(torch.device("cpu")), reason="this processor has no bf16")
def test_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    follow(PAGE)
    (record,) = tmp_path.glob("runs/*/record.json")
    assert '"precision": "bf16"' in record.read_text()
