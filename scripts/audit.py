"""Check what zslearn depends on: licences from installed metadata, and known vulnerabilities where a service answers.

Exit status 1 if a licence is unknown or not allowed, or a vulnerability is known. Where pip-audit is not installed or
its service does not answer, `not checked` is printed, and that is no failure.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "zslearn"
ALLOWED = (
    r"MIT|BSD|Apache|PSF|Python Software Foundation|ISC|MPL|Mozilla|HPND|Historical Permission|Unlicense|Zlib|0BSD"
    r"|CC0|CNRI|matplotlib|Public Domain|LGPL"
)
"""Licences under which a dependency may be used without changing that of zslearn."""
KNOWN = {
    "cuda-": "NVIDIA's licence for redistributed CUDA libraries, which come with torch's CUDA build alone",
    "nvidia-": "NVIDIA's licence for redistributed CUDA libraries, which come with torch's CUDA build alone",
}
"""Packages whose metadata name no licence that a pattern could know, and what is known of them, by how they begin."""
AUDIT_SECONDS = 120


@dataclass(frozen=True)
class Dependency:
    """An installed package that zslearn needs, directly or through others."""

    name: str
    version: str
    licence: str

    @property
    def allowed(self) -> bool:
        """Whether its licence is known and allowed."""
        return bool(re.search(ALLOWED, self.licence)) or any(self.name.startswith(start) for start in KNOWN)


def dependencies(package: str = PACKAGE) -> list[Dependency]:
    """Return what a package and all its extras need and what is installed of it, by name."""
    found: dict[str, Dependency] = {}
    waiting = list(_requirements(package, all_extras=True))
    while waiting:
        name, extras = waiting.pop()
        if name in found or name == package:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = Dependency(name, distribution.version, licence_of(distribution.metadata))
        waiting += _requirements(name, extras=extras)
    return [found[name] for name in sorted(found)]


def licence_of(metadata: importlib.metadata.PackageMetadata) -> str:
    """Return the licence that a package's metadata name: an expression, a classifier, or the first line of a text."""
    expression = metadata.get("License-Expression")
    if expression:
        return str(expression)
    classifiers = [
        line.rpartition("::")[2].strip() for line in metadata.get_all("Classifier", []) if line.startswith("License ::")
    ]
    named = [line for line in classifiers if line != "OSI Approved"]
    if named:
        return ", ".join(named)
    text = str(metadata.get("License") or "").strip()
    return text.splitlines()[0][:80] if text else "unknown"


def _requirements(
    package: str, *, extras: frozenset[str] = frozenset(), all_extras: bool = False
) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield what a package requires on this platform, with the extras asked for."""
    distribution = importlib.metadata.distribution(package)
    if all_extras:
        extras = frozenset(distribution.metadata.get_all("Provides-Extra") or ())
    for line in distribution.requires or ():
        requirement = Requirement(line)
        wanted = requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)
        )
        if wanted:
            yield canonicalize_name(requirement.name), frozenset(requirement.extras)


def known_vulnerabilities(found: list[Dependency]) -> tuple[list[str], str]:
    """Ask pip-audit for known vulnerabilities.

    Returns:
        A line for each vulnerability, and what came of the check, in words.
    """
    lines = "\n".join(f"{each.name}=={each.version.partition('+')[0]}" for each in found)
    command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--format", "json", "-r", "/dev/stdin"]
    try:
        done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=AUDIT_SECONDS, check=False)
        report = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return [], f"not checked (no answer in {AUDIT_SECONDS} s)"
    except ValueError:
        reason = done.stderr.strip().splitlines() or ["no answer"]
        return [], f"not checked ({reason[-1][:200]})"
    return read_report(report["dependencies"])


def read_report(answers: list[dict[str, Any]]) -> tuple[list[str], str]:
    """Return a line for each vulnerability in pip-audit's answers, and how many packages it could check."""
    vulnerable = [
        f"{each['name']} {each['version']}: {hit['id']}, repaired in {', '.join(hit['fix_versions']) or 'no version'}"
        for each in answers
        for hit in each.get("vulns", ())
    ]
    # A service that knows none of the packages answers all the same, and "no vulnerability" would be wrong.
    skipped = [each for each in answers if "skip_reason" in each]
    if len(skipped) == len(answers):
        return [], f"not checked ({skipped[0]['skip_reason'] if skipped else 'no answer'})"
    rest = f"; not checked: {', '.join(each['name'] for each in skipped)}" if skipped else ""
    return vulnerable, f"{len(vulnerable)} known in {len(answers) - len(skipped)} packages{rest}"


def main() -> int:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offline", action="store_true", help="check licences alone")
    arguments = parser.parse_args()
    found = dependencies()
    refused = [each for each in found if not each.allowed]
    for each in found:
        print(f"{each.name} {each.version}: {each.licence}{'' if each.allowed else '  <- not allowed'}")
    print(f"licences: {len(found)} packages, {len(refused)} unknown or not allowed")
    if arguments.offline:
        print("vulnerabilities: not checked (--offline)")
        return 1 if refused else 0
    vulnerable, outcome = known_vulnerabilities(found)
    for line in vulnerable:
        print(f"vulnerable: {line}")
    print(f"vulnerabilities: {outcome}")
    return 1 if refused or vulnerable else 0


if __name__ == "__main__":
    raise SystemExit(main())
