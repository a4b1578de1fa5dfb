"""A small part of the torture; ``make torture`` runs all of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def needs():
    pytest.importorskip("h5py", reason="needs zslearn[data]")
    pytest.importorskip("pyarrow", reason="needs zslearn[data]")
    if not sys.platform.startswith("linux"):
        pytest.skip("the torture limits its workers as Linux does")


def apart(*words):
    """Run Python in a process of its own: the torture forks, and the test runner has threads."""
    path = os.pathsep.join([str(TESTS), str(TESTS.parent / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "parts", [["kills"], ["malformed", "installed", "fetched", "page"], ["faults"], ["hostile"]], ids="-".join
)
def test_a_small_part_of_the_torture_finds_nothing(parts):
    needs()
    done = apart("-m", "torture", "--quick", "--workers", "1", *parts)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.splitlines()[-1].startswith("0 problems")


REFUSED = """
import sys
from pathlib import Path
from torture.cases import Figures
from torture.faults import FAULTS, Operation, inject

figures = Figures("")
refused = Operation("refused", lambda folder: ["classes", "drop", folder], lambda folder: None, lambda *_: "")
inject(refused, FAULTS[0], 1, 1, Path(sys.argv[1]), figures)
print(*figures.problems)
"""


@pytest.mark.slow
def test_a_command_that_never_writes_is_no_write_that_failed(tmp_path):
    needs()
    assert "was never reached" in apart("-c", REFUSED, str(tmp_path)).stdout


@pytest.mark.parametrize(
    ("content", "code", "finding"),
    [
        (b"old", 1, ""),
        (b"the new one", 1, ""),
        (b"the new one", 0, ""),
        (b"old", 0, "neither"),
        (b"the new", 1, "neither"),
        (b"", 1, "neither"),
    ],
)
def test_an_output_that_is_torn_is_noticed(tmp_path, content, code, finding):
    needs()
    from torture.cases import Outcome
    from torture.faults import output_whole

    (tmp_path / "answers.csv").write_bytes(content)
    found = output_whole("answers.csv", b"the new one")(tmp_path, Outcome(code, "fsync", 0, 0))
    assert finding in found
    assert bool(found) == bool(finding)
