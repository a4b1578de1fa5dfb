"""Who opens a test view: nobody who still has to choose."""

import ast
from collections import defaultdict

from pages import ROOT

SOURCE = ROOT / "src" / "zslearn"
OPENERS = {
    "evaluation/protocol.py": {"run_protocol"},
    # They describe a run that is finished.
    "records.py": {"_diagnostics"},
    "sheets.py": {"make_sheet"},
    "report/pictures.py": {"_pictures_of_samples"},
    "cli/evaluate.py": {"run"},
    # They use test rows on purpose, and say so.
    "experiments/controls.py": {"_refitted"},
    "experiments/execution.py": {"_test_selected"},
}
ROW_READERS = {
    "app/samples.py": {"__init__"},
    "experiments/controls.py": {"_halved"},
    # They count the rows.
    "evaluation/protocol.py": {"run_protocol"},
    "experiments/jobs.py": {"_check_serves"},
}
"""Who asks where the test rows are; the package `data`, which makes the parts, is not listed."""


def users(*attributes):
    """The functions that use one of the attributes, by file."""
    found = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        place = path.relative_to(SOURCE).as_posix()
        if place == "data/dataset.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in attributes:
                around = [each for each in functions if each.lineno <= node.lineno <= (each.end_lineno or 0)]
                found[place].add(max(around, key=lambda each: each.lineno).name if around else "")
    return dict(found)


def test_test_views_are_opened_by_the_protocol_and_after_it():
    assert users("test", "test_in_place") == OPENERS


def test_test_rows_are_sought_by_few():
    elsewhere = {
        place: names
        for place, names in users("test_seen_rows", "test_unseen_rows").items()
        if not place.startswith("data/")
    }
    assert elsewhere == ROW_READERS
