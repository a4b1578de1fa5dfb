"""Every figure in the README and the docs comes from a record."""

import statistics
import sys
from pathlib import Path

import pytest

from measurements import entries, script
from zslearn import load_data

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def closing():
    return script("closing")


def test_the_readme_shows_what_the_records_hold(closing):
    shown = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in closing.table(closing.read_records(), whole=False).splitlines():
        assert line in shown


def test_the_page_of_figures_shows_what_the_records_hold(closing):
    shown = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    for line in closing.table(closing.read_records()).splitlines():
        assert line in shown


def test_records_are_complete_and_of_one_version_of_the_data(closing):
    records = closing.read_records()
    assert len(records) >= 20
    splits = {(record["data"]["name"], record["data"]["split"], record["seed"]) for record in records}
    assert len(splits) == len(records)
    for name in ("glyphs", "FLO"):
        seeds = [record for record in records if record["data"]["name"] == name]
        assert {record["data"]["split"] for record in seeds} >= {"official", *map(str, range(5, 10))}
        assert len({record["data"]["checksum"] for record in seeds}) == len(
            {record["data"]["split"] for record in seeds}
        )


def test_records_of_the_letters_are_of_the_letters_that_are_built_in(closing):
    records = [record["data"] for record in closing.read_records() if record["data"]["name"] == "glyphs"]
    assert records
    for data in records:
        assert load_data("glyphs", split=data["split"]).checksum == data["checksum"]


def test_whoever_asks_for_a_run_that_is_kept_is_told_where(closing, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["closing.py", "run", "glyphs", "--splits", "5"])
    closing.main()
    assert capsys.readouterr().out == f"kept already: {closing.RECORDS / 'glyphs-5-s0.json'}\n"


def as_an_opening(records):
    """The figures of an opening as ``openings.md`` writes them."""
    cells = []
    for name in ("t1", "u", "s", "h", "ausuc"):
        values = [100 * record["metrics_corrected"][name] for record in records]
        spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
        cells.append(f"{name.upper()} {statistics.mean(values):.1f}{spread}")
    return ", ".join(cells)


def test_every_official_record_is_written_down_as_an_opening(closing):
    openings = (ROOT / "benchmarks" / "openings.md").read_text(encoding="utf-8").splitlines()
    opened = {name: of for name, of in closing.groups(closing.read_records()).items() if name.endswith(", official")}
    assert len(opened) >= 2
    for members in opened.values():
        begins, ends = f"| {members[0]['data']['name']} | official |", f"| {as_an_opening(members)} |"
        assert any(begins in line and line.endswith(ends) for line in openings), ends


@pytest.mark.parametrize("name", ["glyphs", "FLO"])
@pytest.mark.parametrize(("module", "folder"), [("ablation", "ablations"), ("limits", "limits")])
def test_the_page_of_figures_shows_the_ablations_and_the_limits(module, folder, name):
    shown = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    assert script(module).table(entries(folder, name)) in shown
