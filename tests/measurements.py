"""The scripts of ``benchmarks/`` as modules, and the cells that they have measured."""

import importlib.util
import json
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def script(name):
    """Return a script as a module."""
    specification = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def entries(folder, name):
    """Return the cells of one data set."""
    return [json.loads(line) for line in (BENCHMARKS / folder / f"{name}.jsonl").read_text().splitlines()]
