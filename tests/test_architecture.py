"""The figure of the architecture is what the imports say."""

import ast
from xml.etree import ElementTree

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


def imported(file):
    """The boxes that a file imports from."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "zslearn":
            for alias in node.names:
                parts = [*node.module.split(".")[1:], alias.name]
                yield parts[1] if parts[0] in OPEN else parts[0]


def test_every_box_is_a_part_of_the_package_and_every_folder_has_one():
    boxes = [name for layer in LAYERS for name in layer]
    assert len(boxes) == len(set(boxes))
    assert set(boxes) <= {name for name, _ in units()}
    assert {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name[0] != "_"} - OPEN <= set(boxes)


def test_imports_point_downwards():
    depth = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    upwards = {
        (name, other)
        for name, files in units()
        for file in files
        for other in imported(file)
        if {name, other} <= depth.keys() and depth[other] < depth[name]
    }
    assert not upwards
