"""The benchmarks that keep cells, and go on where they stopped."""

import json
import sys

import pytest

from measurements import BENCHMARKS, script
from own import own_folder
from zslearn.errors import ConfigError

TINY = {"n_updates": 2, "teacher_updates": 2, "hidden_dim": 8}


@pytest.fixture(scope="module")
def ablation():
    return script("ablation")


@pytest.fixture(scope="module")
def limits():
    return script("limits")


def test_cells_that_are_kept_are_not_run_again_and_not_taken_for_those_of_other_settings(ablation, tmp_path):
    out = tmp_path / "cells.jsonl"
    ablation.run_cells("glyphs", out, {"base": TINY}, splits=[0], seeds=[0])
    kept = out.read_bytes()
    ablation.run_cells("glyphs", out, {"base": TINY}, splits=[0], seeds=[0])
    assert out.read_bytes() == kept
    with pytest.raises(ConfigError, match="holds the arm base with other settings .*Name another file"):
        ablation.run_cells("glyphs", out, {"base": {**TINY, "n_updates": 3}}, splits=[0], seeds=[0])
    assert out.read_bytes() == kept


@pytest.mark.parametrize("name", ["glyphs", "FLO"])
def test_the_cells_of_the_pages_are_those_of_the_arms_as_they_are(ablation, name):
    cells = ablation.read_cells(BENCHMARKS / "ablations" / f"{name}.jsonl")
    base = ablation.BASES.get(name, {})
    assert {entry["arm"]: entry["settings"] for entry in cells} == {
        arm: {**base, **settings} for arm, settings in ablation.ARMS.items()
    }


def test_a_file_of_cells_is_whole_at_any_time(ablation, tmp_path):
    out = tmp_path / "cells.jsonl"
    ablation.keep_cell(out, {"arm": "first"})
    with out.open() as opened:
        ablation.keep_cell(out, {"arm": "second"})
        # Who reads meanwhile has the file as it was: it was replaced, not added to.
        assert opened.read() == '{"arm": "first"}\n'
    assert ablation.read_cells(out) == [{"arm": "first"}, {"arm": "second"}]


def test_limits_of_other_data_are_other_cells(limits, tmp_path, monkeypatch):
    def n_rows(dataset, seed):
        return {"rows": {"number": float(len(dataset.labels))}}

    monkeypatch.setitem(limits.MEASURES, "few", n_rows)
    folder, out = own_folder(tmp_path / "animals"), tmp_path / "limits.jsonl"
    for data in ("glyphs", folder, folder):
        monkeypatch.setattr(sys, "argv", ["limits.py", "few", str(data), str(out), "--splits", "0"])
        limits.main()
    cells = [json.loads(line) for line in out.read_text().splitlines()]
    assert [entry["data"] for entry in cells] == ["glyphs", "animals"]
    assert cells[0]["cells"] != cells[1]["cells"]
