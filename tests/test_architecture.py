"""The figure of the architecture is what the imports say."""

import ast
from graphlib import TopologicalSorter
from xml.etree import ElementTree

import zslearn
from pages import ROOT

SOURCE = ROOT / "src" / "zslearn"
SVG = "{http://www.w3.org/2000/svg}"
FIGURE = ElementTree.parse(ROOT / "docs" / "images" / "architecture.svg")
LAYERS = [
    [text.text for text in layer.iter(f"{SVG}text")]
    for layer in FIGURE.iter(f"{SVG}g")
    if layer.get("class") == "layer"
]
"""The boxes of the figure, from the top layer to the bottom one."""
OPEN = {"evaluation"}
"""Packages whose modules have boxes of their own."""


def units():
    """Every module and package by the name of its box, with its files."""
    for path in SOURCE.iterdir():
        if path.name.startswith("__"):
            continue
        if path.name in OPEN:
            yield from ((file.stem, [file]) for file in path.glob("[a-z]*.py"))
        elif path.is_dir():
            yield path.name, list(path.rglob("*.py"))
        elif path.suffix == ".py":
            yield path.stem, [path]


def home(module, name):
    """The module that a name is from; what the package itself offers is from one of its modules."""
    return getattr(getattr(zslearn, name, None), "__module__", module) if module == "zslearn" else module


def imported(file):
    """The boxes that a file imports from."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "zslearn":
            for alias in node.names:
                parts = [*home(node.module, alias.name).split(".")[1:], alias.name]
                yield parts[1] if parts[0] in OPEN else parts[0]


def between_boxes():
    """For every box, the others that it imports from."""
    names = {name for name, _ in units()}
    return {name: {other for file in files for other in imported(file)} & names - {name} for name, files in units()}


def test_every_part_of_the_package_has_one_box():
    assert sorted(name for layer in LAYERS for name in layer) == sorted(name for name, _ in units())


def test_names_that_the_package_offers_are_imports_from_their_modules(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "from zslearn import data, h_score, load_data\nfrom zslearn.evaluation.metrics import evaluate_scores"
    )
    assert list(imported(program)) == ["data", "model_selection", "data", "metrics"]


def test_imports_point_downwards():
    depth = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    upwards = {
        (name, other) for name, others in between_boxes().items() for other in others if depth[other] < depth[name]
    }
    assert not upwards


def test_no_boxes_import_each_other():
    TopologicalSorter(between_boxes()).prepare()
