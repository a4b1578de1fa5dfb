"""The audit knows licences by their metadata, and what it does not know fails."""

import email
import importlib.metadata
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "audit.py"


@pytest.fixture(scope="module")
def audit():
    pytest.importorskip("packaging", reason="comes with matplotlib")
    return runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize(
    ("metadata", "licence", "allowed"),
    [
        ("License-Expression: MIT", "MIT", True),
        ("License-Expression: GPL-3.0-only", "GPL-3.0-only", False),
        ("Classifier: License :: OSI Approved :: BSD License", "BSD License", True),
        ("Classifier: License :: Other/Proprietary License", "Other/Proprietary License", False),
        ("License: Apache 2.0", "Apache 2.0", True),
        ("Classifier: License :: OSI Approved", "unknown", False),
        ("Name: x", "unknown", False),
    ],
)
def test_licences_are_read_and_judged(audit, metadata, licence, allowed):
    found = audit["licence_of"](email.message_from_string(metadata))
    assert found == licence
    assert audit["Dependency"]("x", "1", found).allowed is allowed


@pytest.mark.parametrize(
    ("answers", "lines", "outcome"),
    [
        ([{"name": "x", "skip_reason": "not found: x"}], [], "not checked (not found: x)"),
        ([{"name": "x", "version": "1", "vulns": []}], [], "0 known in 1 packages"),
        (
            [
                {"name": "x", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]},
                {"name": "y", "skip_reason": "not found: y"},
            ],
            ["x 1: PYSEC-1, repaired in 2"],
            "1 known in 1 packages; not checked: y",
        ),
        ([], [], "not checked (no answer)"),
    ],
)
def test_what_was_not_checked_is_not_called_safe(audit, answers, lines, outcome):
    assert audit["read_report"](answers) == (lines, outcome)


def test_what_is_installed_is_found_through_others(audit):
    try:
        importlib.metadata.distribution("zslearn")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("zslearn runs from its source folder here and is not installed")
    names = {each.name for each in audit["dependencies"]()}
    # torch's own requirement, and an extra's.
    assert {"torch", "typing-extensions", "pytest"} <= names


def test_offline_it_says_that_vulnerabilities_are_not_checked():
    pytest.importorskip("packaging", reason="comes with matplotlib")
    try:
        importlib.metadata.distribution("zslearn")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("zslearn runs from its source folder here and is not installed")
    done = subprocess.run([sys.executable, SCRIPT, "--offline"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "vulnerabilities: not checked (--offline)"
