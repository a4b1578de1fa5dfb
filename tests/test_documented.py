"""Docstrings say what they must: fields, errors, shapes and sources. That each is there at all, the linter sees to."""

import ast
import importlib
import re
from pathlib import Path

import zslearn
import zslearn.errors

SOURCES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in Path(zslearn.__file__).parent.rglob("*.py")}
ANY_ARRAY = re.compile(r"Tensor|NDArray\[.*\]|np\.ndarray")
"""Annotations that say nothing of the shape."""
UNIT = re.compile(
    # what it is counted in
    r"seconds?\b|bytes?\b|percent|pixels?\b|updates?\b|epochs?\b|steps?\b"
    # a pure number and its range
    r"|\b(?:shares?|fractions?)\b|probabilit|cosine|logarithm|[\[(]-?\d\S*, \S+[\])]|[<>]=? ?\d|at 0\b|; 0 "
    # measured by something else
    r"|\bunit\b|units of|as `|times\b|ratio|multipl|divide|weight|power|temperature|unlimited"
    r"|\b(?:variances?|deviations?|distances?|ridge|step size|magnitude)\b",
    flags=re.IGNORECASE,
)
"""What says in which unit a number is, or in which range."""


def public(kind):
    """Every public definition of a kind, by file and name, with its docstring."""
    for path, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, kind) and not node.name.startswith("_"):
                yield f"{path.name}: {node.name}", node, ast.get_docstring(node) or ""


def errors_raised(node):
    """The package's own errors that a function raises itself."""
    known = {name for name in vars(zslearn.errors) if name.endswith("Error")}
    raised = (each.exc for each in ast.walk(node) if isinstance(each, ast.Raise) and isinstance(each.exc, ast.Call))
    return {ast.unparse(error.func) for error in raised} & known


def test_every_field_of_a_dataclass_is_described():
    missing = []
    for name, node, doc in public(ast.ClassDef):
        if not any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
            continue
        followers = [*node.body[1:], None]
        for field, below in zip(node.body, followers, strict=True):
            if not isinstance(field, ast.AnnAssign) or field.target.id.startswith("_"):
                continue
            described = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            if not described and not re.search(rf"^ *{field.target.id}: ", doc, flags=re.MULTILINE):
                missing.append(f"{name}.{field.target.id}")
    assert not missing


def test_errors_that_a_function_raises_are_named():
    missing = [
        f"{name}: {error}"
        for name, node, doc in public(ast.FunctionDef)
        # Commands end in these errors by design, and closures are described by what is around them.
        if doc and name != "run.py: run" and not doc.startswith("Execute ")
        for error in errors_raised(node)
        if error not in doc
    ]
    assert not missing


def test_arrays_have_shapes_in_annotations_or_words():
    missing = []
    for path, tree in SOURCES.items():
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            arguments = [*node.args.args, *node.args.kwonlyargs]
            annotations = [argument.annotation for argument in arguments] + [node.returns]
            bare = [each for each in annotations if each and ANY_ARRAY.fullmatch(ast.unparse(each))]
            doc = ast.get_docstring(node) or ""
            if bare and not re.search(r"``\[.+\]``|any shape", doc):
                missing.append(f"{path.name}: {node.name}")
    assert not missing


def real_numbers():
    """Every public real number, by where it stands, with its annotation and what is said about it."""
    for name, node, doc in public(ast.ClassDef):
        of_each = re.search(r"\beach .+", doc)
        for field, below in zip(node.body, [*node.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and not field.target.id.startswith("_"):
                described = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
                text = below.value.value if described else entry(doc, field.target.id)
                yield f"{name}.{field.target.id}", field.annotation, text + (of_each[0] if of_each else "")
    for name, node, doc in public(ast.FunctionDef):
        for argument in (*node.args.args, *node.args.kwonlyargs):
            if argument.annotation and (text := entry(doc, argument.arg)):
                yield f"{name}({argument.arg})", argument.annotation, text
        if node.returns and doc:
            yield f"{name} returns", node.returns, doc.partition("Returns:")[2] or doc


def entry(doc, name):
    """What a docstring's list says about a name."""
    found = re.search(rf"^( *){name}: (.*(?:\n\1 +.*)*)", doc, flags=re.MULTILINE)
    return found[2] if found else ""


def test_real_numbers_have_a_unit_or_a_range():
    missing = [
        name
        for name, annotation, text in real_numbers()
        if re.match(r"float\b", ast.unparse(annotation)) and not UNIT.search(text)
    ]
    assert not missing


def test_every_loss_names_its_source():
    for path, tree in SOURCES.items():
        if path.parent.name != "losses" or path.name == "__init__.py":
            continue
        of_module = ast.get_docstring(tree)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                texts = of_module + (ast.get_docstring(node) or "")
                assert re.search(r"\b(19|20)\d\d\b|Source: ", texts), f"{path.name}: {node.name}"


def test_every_model_names_its_source():
    from zslearn.models import MODELS

    for name, entry in MODELS.items():
        module = importlib.import_module(entry.target.partition(":")[0])
        assert re.search(r"^Source(?: of .+?)?: ", module.__doc__, flags=re.MULTILINE), name
