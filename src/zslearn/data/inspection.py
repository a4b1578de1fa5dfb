"""What is in a data folder, what is missing, what looks wrong, and what to do about it."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from zslearn.data.catalog import load_data
from zslearn.data.checks import row_chunks
from zslearn.data.dataset import ZSLDataset
from zslearn.data.own import (
    ClassTable,
    NamedSemantics,
    RowTable,
    aligned,
    class_ids,
    find_features,
    is_own_data,
    look_of,
    read_class_semantics,
    read_classes,
    read_facts,
    read_feature_matrix,
    read_rows,
    strange_descriptions,
)
from zslearn.data.splits import MIN_REHEARSAL_CLASSES
from zslearn.errors import ZslearnError, listed
from zslearn.shapes import Ids

FEW_ROWS: Final = 5
"""Seen classes with fewer training rows than this are pointed out."""

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that a user should know about a data set."""

    level: Level
    """``error``: it cannot be used so; ``warning``: results may mislead; ``note``: good to know."""
    what: str
    """What it is, as a clause."""
    remedy: str = ""
    """What to do about it, as a sentence."""


@dataclass(frozen=True)
class Inspection:
    """What was found in a data set."""

    source: str
    """What was looked at."""
    layout: str
    """``own data``, ``xlsa17`` or ``built in``."""
    facts: dict[str, Any] | None
    """The data set's facts; None where it cannot be read."""
    findings: tuple[Finding, ...]
    """Errors first, then warnings, then notes."""

    @property
    def usable(self) -> bool:
        """Whether the data set can be trained on."""
        return not any(finding.level == "error" for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {**asdict(self), "usable": self.usable}


def inspect_data(source: str, features: str | None = None, semantics: str | None = None) -> Inspection:
    """Look at a data set: at each of its files alone, at how they fit, and at what they hold.

    Args:
        source: As for ``load_data``.
        features: As for ``load_data``.
        semantics: As for ``load_data``.
    """
    folder = Path(source)
    findings: list[Finding] = []
    layout = "own data" if is_own_data(folder) else "xlsa17" if folder.is_dir() else "by name"
    if layout == "own data":
        findings += _look_at_files(folder, features, semantics)
    dataset = None
    if not findings or all(finding.level != "error" for finding in findings):
        try:
            dataset = load_data(source, features=features, semantics=semantics)
        except (ZslearnError, OSError) as error:
            findings.append(_error(error))
    if dataset is not None:
        told = {finding.what for finding in findings}
        findings += [finding for finding in _look_at_data(dataset) if finding.what not in told]
    order = ("error", "warning", "note")
    findings.sort(key=lambda finding: order.index(finding.level))
    return Inspection(source, layout, None if dataset is None else dataset.facts(), tuple(findings))


def _look_at_files(folder: Path, features: str | None, semantics: str | None) -> list[Finding]:
    """Read each file alone, so that one fault does not hide another, and compare their names."""
    findings: list[Finding] = []

    def attempt(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (ZslearnError, OSError) as error:
            findings.append(_error(error))
            return None

    classes: ClassTable | None = attempt(lambda: read_classes(folder))
    path: Path | None = attempt(lambda: find_features(folder, features))
    attempt(lambda: read_facts(folder))
    rows: RowTable | None = None
    if path is not None:
        attempt(lambda: read_feature_matrix(path))
        rows = attempt(lambda: read_rows(folder, path))
    if classes is None:
        return findings
    vectors: NamedSemantics | None = attempt(lambda: read_class_semantics(folder, classes, semantics))
    findings += _alike_names(classes)
    if rows is not None:
        attempt(lambda: class_ids(rows, classes))
        findings += _bare_classes(rows, classes)
    if vectors is not None:
        attempt(lambda: aligned(vectors, classes))
        findings += _strange_descriptions(vectors, classes)
    return findings


def _alike_names(classes: ClassTable) -> list[Finding]:
    by_look = defaultdict(list)
    for name in classes.names:
        by_look[look_of(name)].append(name)
    alike = [names for names in by_look.values() if len(names) > 1]
    if not alike:
        return []
    shown = listed([" and ".join(map(repr, names)) for names in alike])
    return [
        Finding("warning", f"classes differ only by case or blanks: {shown}", "If they are one class, keep one line.")
    ]


def _bare_classes(rows: RowTable, classes: ClassTable) -> list[Finding]:
    labelled = set(rows.labels)
    bare = [
        name
        for name, mark in zip(classes.names, classes.split, strict=True)
        if name not in labelled and mark != "unseen"
    ]
    if not bare:
        return []
    return [
        Finding(
            "note",
            f"classes without a row: {listed(bare)}",
            f"They are unseen. If that is meant, write unseen in the column split of {classes.path.name}.",
        )
    ]


def _strange_descriptions(semantics: NamedSemantics, classes: ClassTable) -> list[Finding]:
    return [
        Finding("warning", what, "Add lines for them, or describe the classes again.")
        for what in strange_descriptions(semantics, classes)
    ]


def _look_at_data(dataset: ZSLDataset) -> list[Finding]:
    looks = (_few_classes, _few_rows, _no_test_rows, _semantics, _features, _same_rows)
    findings = [finding for look in looks for finding in look(dataset)]
    if len(dataset.unlabelled_rows):
        findings.append(Finding("note", f"{len(dataset.unlabelled_rows):,} rows have no label and are not used"))
    return findings + [Finding("note", warning) for warning in dataset.warnings]


def _few_classes(dataset: ZSLDataset) -> list[Finding]:
    n_seen = len(dataset.seen_ids)
    if n_seen >= MIN_REHEARSAL_CLASSES:
        return []
    return [
        Finding(
            "warning",
            f"there are only {n_seen} seen classes: too few to rehearse, so nothing is chosen or corrected",
            f"Add classes with samples; from {MIN_REHEARSAL_CLASSES} on there is a rehearsal.",
        )
    ]


def _few_rows(dataset: ZSLDataset) -> list[Finding]:
    n_rows = np.bincount(dataset.labels[dataset.train_rows], minlength=dataset.n_classes)
    few = [dataset.class_names[i] for i in dataset.seen_ids if n_rows[i] < FEW_ROWS]
    if not few:
        return []
    return [Finding("warning", f"seen classes with fewer than {FEW_ROWS} training rows: {listed(few)}", "Add samples.")]


def _no_test_rows(dataset: ZSLDataset) -> list[Finding]:
    missing = [
        side for side, rows in (("seen", dataset.test_seen_rows), ("unseen", dataset.test_unseen_rows)) if not len(rows)
    ]
    if not missing:
        return []
    return [
        Finding(
            "note",
            f"there are no test rows of {' and none of '.join(missing)} classes: H cannot be measured",
            "Training and prediction work all the same; labelled test rows would tell how well.",
        )
    ]


def _semantics(dataset: ZSLDataset) -> list[Finding]:
    findings = []
    semantics = dataset.semantics
    constant = np.flatnonzero(np.ptp(semantics, axis=0) == 0)
    if constant.size:
        findings.append(
            Finding(
                "warning",
                f"{constant.size} of {semantics.shape[1]} attributes are equal for all classes: "
                f"{_columns(constant, dataset.attribute_names)}",
                "They say nothing: drop them.",
            )
        )
    seen, unseen = semantics[dataset.seen_ids], semantics[dataset.unseen_ids]
    unlearnable = np.flatnonzero((np.ptp(seen, axis=0) == 0) & (unseen != seen[0]).any(axis=0))
    if unlearnable.size:
        findings.append(
            Finding(
                "warning",
                f"{unlearnable.size} attributes are equal for all seen classes but not for unseen ones: "
                f"{_columns(unlearnable, dataset.attribute_names)}",
                "What they mean cannot be learnt: add a seen class that has another value.",
            )
        )
    same: dict[bytes, list[str]] = defaultdict(list)
    for name, vector in zip(dataset.class_names, semantics, strict=True):
        same[vector.tobytes()].append(name)
    twins = [" and ".join(names) for names in same.values() if len(names) > 1]
    if twins:
        findings.append(
            Finding("warning", f"classes have the same semantics: {listed(twins)}", "Describe what sets them apart.")
        )
    return findings


def _features(dataset: ZSLDataset) -> list[Finding]:
    lowest: Any = None
    highest: Any = None
    for chunk in row_chunks(len(dataset.train_rows), dataset.features.shape[1] * dataset.features.itemsize):
        block = dataset.features[dataset.train_rows[chunk]]
        low, high = block.min(axis=0), block.max(axis=0)
        lowest = low if lowest is None else np.minimum(lowest, low)
        highest = high if highest is None else np.maximum(highest, high)
    constant = np.flatnonzero(lowest == highest)
    if not constant.size:
        return []
    n_features = dataset.features.shape[1]
    return [
        Finding(
            "note",
            f"{constant.size} of {n_features} features are constant over the training rows: {_columns(constant)}",
        )
    ]


def _same_rows(dataset: ZSLDataset) -> list[Finding]:
    """Find rows that occur more than once: within training, under several labels, and across parts."""
    test_rows = np.concatenate([dataset.test_seen_rows, dataset.test_unseen_rows])
    training, test = _digests(dataset, dataset.train_rows), _digests(dataset, test_rows)
    findings = []
    n_twice = sum(n - 1 for n in Counter(training).values())
    if n_twice:
        findings.append(
            Finding("warning", f"{n_twice:,} training rows repeat another one", "Keep each sample once, if not meant.")
        )
    labels: dict[bytes, set[int]] = defaultdict(set)
    for digest, row in zip([*training, *test], [*dataset.train_rows, *test_rows], strict=True):
        labels[digest].add(int(dataset.labels[row]))
    torn = [sorted(found) for found in labels.values() if len(found) > 1]
    if torn:
        names = listed([" and ".join(dataset.class_names[i] for i in found) for found in torn])
        findings.append(Finding("warning", f"equal rows have different labels: {names}", "Correct the labels."))
    known = set(training)
    leaked = [int(row) for digest, row in zip(test, test_rows, strict=True) if digest in known]
    if leaked:
        findings.append(
            Finding(
                "warning",
                f"{len(leaked):,} test rows are equal to training rows (rows {listed(leaked)}, counted from 0)",
                "What is measured on them means nothing: drop them from one of the two parts.",
            )
        )
    return findings


def _digests(dataset: ZSLDataset, rows: Ids) -> list[bytes]:
    found = []
    for chunk in row_chunks(len(rows), dataset.features.shape[1] * dataset.features.itemsize):
        block = np.ascontiguousarray(dataset.features[rows[chunk]])
        found += [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in block]
    return found


def _columns(columns: Ids, names: Sequence[str] = ()) -> str:
    if names:
        return listed([names[column] for column in columns])
    return f"numbers {listed((columns + 1).tolist())}" if columns.size > 1 else f"number {columns[0] + 1}"


def _error(error: ZslearnError | OSError) -> Finding:
    if isinstance(error, ZslearnError):
        remedy = error.remedy or ""
        return Finding("error", str(error).removesuffix(remedy).rstrip(". "), remedy)
    return Finding("error", f"{error.filename or 'a file'} cannot be read: {error.strerror}")
