"""Every error that zslearn raises on purpose says what to do."""

import ast
from pathlib import Path

import zslearn
from zslearn import errors

KINDS = {name for name, value in vars(errors).items() if isinstance(value, type) and value is not errors.ZslearnError}


def test_every_error_has_a_remedy():
    without = []
    for path in sorted(Path(zslearn.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # What passes facts on as a mapping has them from another error, or adds the remedy itself.
            raised = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS
            if raised and not {"remedy", None} & {keyword.arg for keyword in node.keywords}:
                without.append(f"{path.name}:{node.lineno}")
    assert without == []
