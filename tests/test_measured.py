"""Every measured figure in the README and the docs has a source: records that it is made from again, or an entry.

A section that shows measured figures names its sources in a comment, ``<!-- figures: SOURCE; SOURCE -->``. A source is
a table that a script in ``benchmarks/`` makes from committed records, or an entry of ``benchmarks/measured.json`` that
says how the figures came about and has a record of its name in ``benchmarks/measured``.
"""

import json
import re
from pathlib import Path

import pytest

from measurements import entries, script
from zslearn import load_data
from zslearn.experiments.comparison import comparison_table

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")])
ENTRIES = json.loads((ROOT / "benchmarks" / "measured.json").read_text(encoding="utf-8"))
MARKER = re.compile(r"<!-- figures: (.+?) -->")
DECIMAL = re.compile(r"(?<![\w.])\d*\.\d+(?![\w.]*\w)")
WHOLE = re.compile(
    r"(?<![\w.,-])(\d[\d,]*)\s?(?:%(?! (?:bootstrap|interval))|(?:s|ms|MB|GB|GiB|MiB|Gflop|points?)(?!\w))"
)
PROSE = re.compile(
    rf"{WHOLE.pattern}|(?<![\w.])\d*\.\d+\s?(?:%|s|ms|MB|GB|GiB|MiB)(?!\w)|[+-]\d*\.\d+ points|±\s?\d"
    r"|\d*\.\d+ times|AUSUC[^|.]{0,12}\.\d|\b(?:T1|U|S|H) (?:of |is )?\d+\.\d"
)
"""What is taken for measured outside tables: numbers with a unit, differences, deviations, scores."""
GIVEN = {
    "app.md": {64},
    "figures.md": {0.015, 1.5},
    "glyphs.md": {0.08, 0.85, 1.1, 1.5},
    "own-data.md": {20, 880},
    "protocol.md": {20},
    "scale.md": {1},
    "speed.md": {2.13},
    "use.md": {0.1, 0.2},
}
"""Numbers in prose that nobody measured: limits, settings, and what others say of their files."""


def closing(whole):
    module = script("closing")
    return module.table(module.read_records(), whole=whole)


def closing_cost():
    records = script("closing").read_records()
    seconds = [sum(record["seconds"].values()) for record in records]
    peak = max(record["peak_memory_bytes"] for record in records) / 1e9
    return f"A run took {min(seconds):.0f} to {max(seconds):.0f} s on one busy core and at most {peak:.1f} GB."


def cells(module, folder):
    return "\n".join(script(module).table(entries(folder, name)) for name in ("glyphs", "FLO"))


def of_records(name):
    module = script(name)
    return module.table(module.read_records())


def kept(name):
    return json.loads((ROOT / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))


def trials():
    """The tables of trials whose runs were not kept, from what was written down at the time."""
    record = kept("measured/trials")
    lines = []
    for table in record["tables"]:
        rule = ["---"] * len(table["columns"])
        lines += [
            f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in (table["columns"], rule, *table["rows"])
        ]
    return "\n".join(lines)


def comparison(name):
    """The table of an experiment over all methods, from what ``zslearn benchmark table --json`` printed."""
    tables = kept(f"comparison/{name}")
    return comparison_table({(table["data"], table["split"]): table["rows"] for table in tables})


MADE = {
    "comparison, flo": lambda: comparison("flo"),
    "comparison, glyphs": lambda: comparison("glyphs"),
    "closing": lambda: closing(whole=True),
    "closing, best": lambda: closing(whole=False),
    "closing, cost": closing_cost,
    "ablation": lambda: cells("ablation", "ablations"),
    "trials": trials,
    "precision": lambda: of_records("precision"),
    "step": lambda: script("step").step_table(kept("step")),
    "step, zoo": lambda: script("step").zoo_table(kept("step")["zoo"]),
    "compiled": lambda: script("step").compiled_table(kept("compiled")),
    "schedules": lambda: of_records("schedules"),
    "orientation": lambda: of_records("orientation"),
    "growth": lambda: script("growth").table(kept("measured/growth")),
    "seeds": lambda: script("seeds").table(kept("seeds")),
    "limits": lambda: cells("limits", "limits"),
    "hypotheses": lambda: cells("hypotheses", "hypotheses"),
}
"""What is made from committed records again, by the name of the source."""


def sections(page):
    """The sections of a page, without blocks of code."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.split(r"(?m)^(?=#+ )", text)


def measured(section, given=frozenset()):
    """The lines of a section that show measured figures: every one with a figure, where the section has a source."""
    cells = re.compile(f"{DECIMAL.pattern}|{WHOLE.pattern}")
    prose = re.compile(f"{DECIMAL.pattern}|{PROSE.pattern}") if sources(section) else PROSE
    return [
        line
        for line in section.splitlines()
        if not MARKER.match(line)
        and (cells if line.startswith("|") else prose).search(line)
        and not (figures(line) and figures(line) <= given)
    ]


def figures(line):
    """The decimals of a line, and its whole numbers with a unit."""
    return {float(number.replace(",", "")) for number in (*DECIMAL.findall(line), *WHOLE.findall(line))}


def is_known(figure, known):
    """Whether a figure is among the known ones, or one of them, or its per cent, rounded to a whole number."""
    return figure in known or figure in {round(scale * value) for value in known for scale in (1, 100)}


def sources(section):
    return [name.strip() for marker in MARKER.findall(section) for name in marker.split(";")]


SECTIONS = [
    pytest.param(page, section, id=f"{page.name}: {section.splitlines()[0].lstrip('# ')}")
    for page in PAGES
    for section in sections(page)
    if measured(section, GIVEN.get(page.name, set())) or sources(section)
]


@pytest.mark.parametrize(("page", "section"), SECTIONS)
def test_measured_figures_come_from_their_sources(page, section):
    named, given = sources(section), GIVEN.get(page.name, set())
    assert named, f"{page.name} shows measured figures without a source: {measured(section, given)[0]}"
    made = [line for name in named if name in MADE for line in MADE[name]().splitlines()]
    entries = [ENTRIES[name] for name in named if name not in MADE]
    assert all(entry["page"] == str(page.relative_to(ROOT)) for entry in entries)
    known = {figure for line in made for figure in figures(line)}
    known |= {float(figure) for entry in entries for figure in entry["figures"]}
    for line in measured(section, given):
        if line not in made:
            assert made == [] or not line.startswith("| "), f"no record says so: {line}"
            assert {figure for figure in figures(line) - given if not is_known(figure, known)} == set(), line


def test_every_entry_says_how_and_is_shown():
    shown = {name for page in PAGES for section in sections(page) for name in sources(section)}
    assert set(ENTRIES) <= shown
    assert shown <= {*ENTRIES, *MADE}
    for name, entry in ENTRIES.items():
        assert len(entry["how"]) > 20, name
        page = (ROOT / entry["page"]).read_text(encoding="utf-8")
        for figure in entry["figures"]:
            assert re.search(rf"(?<![\d.]){re.escape(str(figure))}0?(?![\d])", page), (name, figure)


@pytest.mark.parametrize("name", sorted(set(ENTRIES) - {"glyphs-seen"}))
def test_figures_of_entries_are_those_of_their_records(name):
    record = kept(f"measured/{name}")
    held = list(numbers(record))
    for figure in map(str, ENTRIES[name]["figures"]):
        digits = len(figure.partition(".")[2])
        assert any(f"{scale * value:.{digits}f}" == figure for value in held for scale in (1, 100, 1e-9)), figure


def numbers(record):
    """Every number of a record."""
    if isinstance(record, dict | list):
        for value in record.values() if isinstance(record, dict) else record:
            yield from numbers(value)
    elif isinstance(record, int | float) and not isinstance(record, bool):
        yield record


def test_the_cost_of_the_closing_measurements_is_that_of_the_records():
    assert closing_cost() in " ".join((ROOT / "docs" / "figures.md").read_text(encoding="utf-8").split())


@pytest.mark.slow
def test_classifiers_name_letters_as_often_as_the_page_says():
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import NearestCentroid
    from sklearn.svm import SVC

    dataset = load_data("glyphs", split=0)
    view, rows = dataset.training(), dataset.test_seen_rows
    classifiers = (SVC(), LogisticRegression(max_iter=2000), NearestCentroid())
    found = [
        100 * classifier.fit(view.features, view.labels).score(dataset.features[rows], dataset.labels[rows])
        for classifier in classifiers
    ]
    assert found == pytest.approx(ENTRIES["glyphs-seen"]["figures"], abs=0.5)


@pytest.mark.parametrize(
    ("section", "shows"),
    [
        ("## A\n| a | 0.5 |\n", True),
        ("## A\n| a | 38 ms |\n", True),
        ("H is 61.3 % on average", True),
        ("it took 0.02 s", True),
        ("61 ± 2", True),
        ("AUSUC of .51", True),
        ("H +1.1 points over it", True),
        ("T1 95.0 and more", True),
        ("33 % of the letters", True),
        ("12 points, or 253 MB", True),
        ("95 % bootstrap intervals, p 0.05, Python 3.11, 20 rows, within 1.5 points", False),
        ("| a | b |\n| --- | --- |\n| `n_updates` | 500 |", False),
    ],
)
def test_what_counts_as_a_measured_figure(section, shows):
    assert bool(measured(section)) == shows


def test_a_figure_that_no_record_holds_is_noticed(tmp_path):
    page = ROOT / "README.md"
    (section,) = (each for each in sections(page) if "closing, best" in sources(each))
    row = next(line for line in measured(section) if line.startswith("| FLO"))
    (number, *_) = DECIMAL.findall(row)
    with pytest.raises(AssertionError, match="no record says so"):
        test_measured_figures_come_from_their_sources(page, section.replace(row, row.replace(number, "99.9", 1)))
    with pytest.raises(AssertionError, match="without a source"):
        test_measured_figures_come_from_their_sources(page, MARKER.sub("", section))
    page = ROOT / "docs" / "figures.md"
    (section,) = (each for each in sections(page) if sources(each) == ["limits"])
    assert " 33 %" in section
    with pytest.raises(AssertionError, match="41 % of the drawn"):
        test_measured_figures_come_from_their_sources(page, section.replace(" 33 %", " 41 %"))
