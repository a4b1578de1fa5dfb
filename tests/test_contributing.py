"""The method that CONTRIBUTING shows passes the contracts of the zoo."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import zslearn
from pages import ROOT, Page

BLOCKS = Page("CONTRIBUTING.md").blocks("python")
METHOD, ENTRY = (next(block for block in BLOCKS if start in block) for start in ("class ClassMeans(", "ModelEntry("))

PLUGIN = """
def pytest_sessionstart():
    from zslearn.models import MODELS, ModelEntry

    MODELS["class-means"] = {entry}
"""


@pytest.mark.docs
def test_the_shown_method_passes_the_contracts(tmp_path):
    (tmp_path / "class_means.py").write_text(METHOD)
    entry = ENTRY.replace("zslearn.models.class_means", "class_means")
    (tmp_path / "registered.py").write_text(
        PLUGIN.format(entry=entry.strip().removeprefix('"class-means": ').rstrip(","))
    )
    paths = [str(tmp_path), str(Path(zslearn.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    contracts = [str(ROOT / "tests" / "models" / "test_contracts.py"), "-k", "class-means", "-q", "-p", "registered"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *contracts, "-p", "no:cacheprovider", "-p", "no:randomly"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 10


def test_the_shown_method_is_written_as_the_others_are():
    names = re.findall(r"^(?:class|    def) (\w+)", METHOD, flags=re.MULTILINE)
    assert names == ["ClassMeansConfig", "ClassMeans", "__init__", "plan", "mean_loss", "sample"]
    assert max(map(len, METHOD.splitlines())) <= 120
