"""The examples in docstrings give the results that they promise."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import zslearn

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(zslearn.__path__, "zslearn.") if "__main__" not in module.name
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    tests = [test for test in doctest.DocTestFinder().find(module, extraglobs={"np": np}) if test.examples]
    if not tests:
        return
    runner, report = doctest.DocTestRunner(verbose=False), []
    failed = [runner.run(test, out=report.append).failed for test in tests]
    assert not any(failed), "".join(report)
