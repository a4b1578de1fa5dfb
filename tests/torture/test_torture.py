"""A small part of the torture; ``make torture`` runs all of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "parts", [["kills"], ["malformed", "installed", "fetched", "page"], ["faults"], ["hostile"]], ids="-".join
)
def test_a_small_part_of_the_torture_finds_nothing(parts):
    pytest.importorskip("h5py", reason="needs zslearn[data]")
    pytest.importorskip("pyarrow", reason="needs zslearn[data]")
    if not sys.platform.startswith("linux"):
        pytest.skip("the torture limits its workers as Linux does")
    # A process of its own: it forks, and the test runner has threads.
    path = os.pathsep.join([str(TESTS), str(TESTS.parent / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "torture", "--quick", "--workers", "1", *parts],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.splitlines()[-1].startswith("0 problems")
