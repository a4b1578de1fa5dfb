"""The scripts of ``benchmarks/`` as modules, and the cells that they have measured."""

import importlib.util
import json
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def script(name):
    """Return a script as a module, which finds its neighbours and itself as it does when it is run."""
    if str(BENCHMARKS) not in sys.path:
        sys.path.append(str(BENCHMARKS))
    specification = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


def entries(folder, name):
    """Return the cells of one data set."""
    return [json.loads(line) for line in (BENCHMARKS / folder / f"{name}.jsonl").read_text().splitlines()]
