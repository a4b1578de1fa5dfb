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
        ("License: Apache License, Version 2.0", "Apache License, Version 2.0", True),
        ("License: LIMITED", "LIMITED", False),
        ("License: MIT with restrictions", "MIT with restrictions", False),
        ("License-Expression: GPL-3.0-only AND MIT", "GPL-3.0-only AND MIT", False),
        ("License-Expression: GPL-3.0-only OR MIT", "GPL-3.0-only OR MIT", True),
        ("License-Expression: MPL-2.0 AND (GPL-2.0-only OR MIT)", "MPL-2.0 AND (GPL-2.0-only OR MIT)", True),
        ("License-Expression: MIT OR (MIT AND GPL-2.0-only)", "MIT OR (MIT AND GPL-2.0-only)", False),
        ("License-Expression: Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception", True),
        (
            "Classifier: License :: DFSG approved\nClassifier: License :: OSI Approved :: ISC License (ISCL)",
            "ISC License (ISCL)",
            True,
        ),
        (
            "Classifier: License :: Public Domain\n"
            "Classifier: License :: OSI Approved :: GNU General Public License (GPL)",
            "Public Domain AND GNU General Public License (GPL)",
            False,
        ),
        ("Classifier: License :: OSI Approved", "unknown", False),
        ("Name: x", "unknown", False),
    ],
)
def test_licences_are_read_and_judged(audit, metadata, licence, allowed):
    found = audit["licence_of"](email.message_from_string(metadata))
    assert found == licence
    assert audit["Dependency"]("x", "1", found).allowed is allowed


@pytest.mark.parametrize(
    ("name", "allowed"), [("nvidia-cublas", True), ("docutils", True), ("docutils-more", False), ("my-nvidia", False)]
)
def test_exceptions_are_made_by_name(audit, name, allowed):
    assert audit["Dependency"](name, "1", "unknown").allowed is allowed


def test_extras_that_are_asked_for_later_count_too(audit, monkeypatch, tmp_path):
    installed = {
        "first": "Requires-Dist: later\nRequires-Dist: plain",
        "later": "Requires-Dist: plain[more]",
        "plain": 'Provides-Extra: more\nRequires-Dist: hidden; extra == "more"',
        "hidden": "License: MIT",
    }
    for name, metadata in installed.items():
        (tmp_path / f"{name}-1.dist-info").mkdir()
        (tmp_path / f"{name}-1.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: 1\n{metadata}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert [each.name for each in audit["dependencies"]("first")] == ["hidden", "later", "plain"]


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
