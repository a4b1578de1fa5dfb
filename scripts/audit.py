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
from fnmatch import fnmatchcase
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "zslearn"
ALLOWED = (
    r"MIT(-0|-CMU)?",
    r"0BSD|BSD([- ][23][- ]clause)?|[23][- ]clause BSD",
    r"Apache( Software)?|Apache([- ]| License,? (Version )?)2(\.0)?( WITH LLVM-exception)?",
    r"Python Software Foundation|PSF(-2\.0)?|Python-2\.0|CNRI-Python",
    r"Mozilla Public License 2\.0( MPL 2\.0)?|MPL[- ]2\.0",
    r"LGPL-(2\.[01]|3\.0)-(only|or-later)|GNU Lesser General Public License v[23]( or later)?( LGPLv[23]\+?)?",
    r"ISC( License ISCL)?|BSL-1\.0|Zlib|Unlicense( Unlicense)?|Public Domain|CC0-1\.0",
    r"HPND|Historical Permission Notice and Disclaimer( HPND)?",
)
"""Licences under which a dependency may be used without changing that of zslearn, as metadata write them."""
KNOWN = {
    "cuda-*": "NVIDIA's licence for redistributed CUDA libraries, which come with torch's CUDA build alone",
    "docutils": "names the GPL of its Emacs mode, which is not installed with it; only the documentation needs it",
    "nvidia-*": "NVIDIA's licence for redistributed CUDA libraries, which come with torch's CUDA build alone",
}
"""Names of packages whose metadata no pattern can judge, and what is known of them."""
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
        return may_be_used(self.licence) or any(fnmatchcase(self.name, pattern) for pattern in KNOWN)


def may_be_used(licence: str) -> bool:
    """Return whether every part of a licence that must hold is allowed, or one of its alternatives.

    Alternatives with AND in them are judged more strictly than they stand, never less.
    """
    allowed = re.compile(rf"(The )?({'|'.join(ALLOWED)})( License)?", re.IGNORECASE)
    parts = re.sub(r"[()]", "", licence).split(" AND ")
    return all(any(allowed.fullmatch(each.strip()) for each in part.split(" OR ")) for part in parts)


def dependencies(package: str = PACKAGE) -> list[Dependency]:
    """Return what a package and all its extras need and what is installed of it, by name."""
    found: dict[str, Dependency] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = list(_requirements(package, all_extras=True))
    while waiting:
        name, extras = waiting.pop()
        # Whoever asks later may ask for more extras.
        if (name, extras) in seen or name == package:
            continue
        seen.add((name, extras))
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = Dependency(name, distribution.version, licence_of(distribution.metadata))
        waiting += _requirements(name, extras=extras)
    return [found[name] for name in sorted(found)]


def licence_of(metadata: importlib.metadata.PackageMetadata) -> str:
    """Return the licence that a package's metadata name: an expression, classifiers, or the first line of a text."""
    expression = metadata.get("License-Expression")
    if expression:
        return str(expression)
    classifiers = [
        line.rpartition("::")[2].strip() for line in metadata.get_all("Classifier", []) if line.startswith("License ::")
    ]
    named = [line for line in classifiers if line not in ("OSI Approved", "DFSG approved")]
    if named:
        return " AND ".join(named)
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
