"""Data sets for zero-shot learning, and the two views of them that may be handed out.

Training code receives a `TrainingView`, which has no field for a test row. Nobody opens the `TestView` before all
choices are settled: then the protocol does, and after it what describes the finished run. All three are frozen values,
checked when made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zslearn.data.checks import (
    check_class_names,
    check_features,
    check_ids,
    check_labels,
    check_partition,
    check_seen_rows,
    check_semantics,
    read_only,
    release,
    row_chunks,
)
from zslearn.data.mapped import AnyRows, MappedRows, in_place, some_per_class, taken
from zslearn.errors import DataError, listed
from zslearn.notebook import facts_html
from zslearn.shapes import Features, Ids, Labels, Semantics

UNLABELLED = -1
"""The label of a row whose class nobody has told."""
MOST_STATISTICS_ROWS = 1 << 15
"""Of rows in a file that is too large for memory, about so many are looked at for statistics."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingView:
    """All that a model may ever see: rows of seen classes, and semantics of every class.

    Raises:
        DataError: When made of parts that do not fit together.
    """

    name: str
    """The name of the data set."""
    features: AnyRows
    """[n_rows, feature_dim] float32, finite; `MappedRows` where they would take much memory."""
    labels: Labels
    """[n_rows] class ids, all of them seen; every seen class has a row."""
    semantics: Semantics
    """[n_classes, semantic_dim] float64 as given, not normalised; the row is the class id."""
    class_names: tuple[str, ...]
    """[n_classes] distinct names."""
    seen_ids: Ids
    """Sorted ids of the classes with training rows."""
    unseen_ids: Ids
    """Sorted ids of all other classes."""
    groups: Labels | None = None
    """[n_rows] rows with the same number stay together when samples are held out."""
    rehearsal_groups: tuple[int, ...] = ()
    """Groups held out of rehearsal training; empty: drawn at random."""
    image_shape: tuple[int, int] | None = None
    """Height and width, where a row of features is a grey image."""
    backbone: Mapping[str, Any] | None = None
    """What makes such features of images, as `ImageEncoder.facts` describes it; None: not known."""
    text_encoder: Mapping[str, Any] | None = None
    """What makes such semantics of sentences, as `describe_classes` records it; None: not known."""
    attribute_names: tuple[str, ...] = ()
    """[semantic_dim] distinct names of the columns of the semantics; empty: they have none."""

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        _check_shared(self, _checked_rows(self.features))
        check_seen_rows(self.labels, self.seen_ids, self.class_names)

    def gathered(self) -> TrainingView:
        """Return the view with its features in memory, unless they are large and in a file (see `taken`)."""
        if not isinstance(self.features, MappedRows) or self.features.large:
            return self
        return replace(self, features=self.features[:])

    def some_rows(self) -> tuple[Features, Labels]:
        """Return rows and labels for statistics: all in memory, or of those in a file a draw, even over classes."""
        features, labels = self.some_rows_in_place()
        return np.asarray(features), labels

    def some_rows_in_place(self) -> tuple[AnyRows, Labels]:
        """Return the same without a copy."""
        if isinstance(self.features, MappedRows):
            rows = some_per_class(self.labels, MOST_STATISTICS_ROWS)
            return self.features.select(rows), self.labels[rows]
        return self.features, self.labels


@dataclass(frozen=True, kw_only=True, eq=False)
class TestView:
    """Rows for a measurement, of seen and of unseen classes.

    Raises:
        DataError: When made of parts that do not fit together.
    """

    __test__ = False

    features: AnyRows
    """[n_rows, feature_dim] float32, finite."""
    labels: Labels
    """[n_rows] class ids, seen or unseen."""
    seen_ids: Ids
    """Sorted ids of the classes that training had rows of."""
    unseen_ids: Ids
    """Sorted ids of all other classes."""

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        features = _checked_rows(self.features)
        n_classes = len(self.seen_ids) + len(self.unseen_ids)
        seen_ids, unseen_ids = check_partition(self.seen_ids, self.unseen_ids, n_classes=n_classes)
        labels = check_labels(self.labels, n_rows=len(features), n_classes=n_classes)
        _store(self, features=features, labels=labels, seen_ids=seen_ids, unseen_ids=unseen_ids)


@dataclass(frozen=True, kw_only=True, eq=False)
class ZSLDataset:
    """A complete data set: all rows, semantics of all classes, and who belongs to which part.

    Every class is seen or unseen. A row belongs to at most one of the three parts; rows in none of
    them are never used. Arrays are kept as read-only views; memory-mapped features stay mapped.

    Raises:
        DataError: When made of parts that do not fit together.
    """

    name: str
    """What the data set is called in records and tables."""
    features: Features
    """[n_rows, feature_dim] float32 (or float16), finite."""
    labels: Labels
    """[n_rows] class ids; `UNLABELLED` for rows of no part whose class is not known."""
    semantics: Semantics
    """[n_classes, semantic_dim] float64 as given, not normalised; the row is the class id."""
    class_names: tuple[str, ...]
    """[n_classes] distinct names."""
    seen_ids: Ids
    """Sorted ids of the classes with training rows."""
    unseen_ids: Ids
    """Sorted ids of all other classes."""
    train_rows: Ids
    """Sorted numbers of the rows to train on, all of seen classes."""
    test_seen_rows: Ids
    """Sorted numbers of held-out rows of seen classes; may be empty."""
    test_unseen_rows: Ids
    """Sorted numbers of rows of unseen classes; may be empty."""
    groups: Labels | None = None
    """[n_rows] rows with the same number stay together when samples are held out."""
    rehearsal_groups: tuple[int, ...] = ()
    """Groups held out of rehearsal training; empty: drawn at random."""
    heldout_groups: tuple[int, ...] = ()
    """Groups whose rows of seen classes are test rows in every split; empty: drawn at random."""
    image_shape: tuple[int, int] | None = None
    """Height and width, where a row of features is a grey image."""
    backbone: Mapping[str, Any] | None = None
    """What makes such features of images, as `ImageEncoder.facts` describes it; None: not known."""
    text_encoder: Mapping[str, Any] | None = None
    """What makes such semantics of sentences, as `describe_classes` records it; None: not known."""
    attribute_names: tuple[str, ...] = ()
    """[semantic_dim] distinct names of the columns of the semantics; empty: they have none."""
    split: str = "official"
    """``"official"``, or the number of a seeded class split."""
    source: str = ""
    """Where the data come from, in one line."""
    warnings: tuple[str, ...] = ()
    """What a user should know before trusting results."""

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        _check_shared(self, check_features(self.features))
        rows = {
            name: np.sort(check_ids(getattr(self, name), bound=len(self.features), what=f"{name}"))
            for name in ("train_rows", "test_seen_rows", "test_unseen_rows")
        }
        _check_disjoint(rows)
        for name, part in rows.items():
            _check_labelled(self.labels, part, name)
        _store(self, **{name: read_only(part) for name, part in rows.items()})
        check_seen_rows(self.labels[self.train_rows], self.seen_ids, self.class_names)
        self._check_test_side("test_seen_rows", self.seen_ids)
        self._check_test_side("test_unseen_rows", self.unseen_ids)
        _store(
            self,
            heldout_groups=tuple(int(group) for group in self.heldout_groups),
            warnings=tuple(self.warnings),
        )

    @property
    def n_classes(self) -> int:
        """The number of classes, seen and unseen."""
        return len(self.class_names)

    @property
    def unlabelled_rows(self) -> Ids:
        """Sorted numbers of the rows whose class is not known."""
        return np.flatnonzero(self.labels == UNLABELLED)

    def training(self) -> TrainingView:
        """Return a copy of all that a model may see; of large memory-mapped features a reader (see `taken`)."""
        return self._training(taken(self.features, self.train_rows))

    def training_in_place(self) -> TrainingView:
        """Return the same without a copy of the features, for what goes through them a few times."""
        return self._training(in_place(self.features, self.train_rows))

    def _training(self, features: AnyRows) -> TrainingView:
        rows = self.train_rows
        return TrainingView(
            name=self.name,
            features=features,
            labels=self.labels[rows],
            semantics=self.semantics,
            class_names=self.class_names,
            seen_ids=self.seen_ids,
            unseen_ids=self.unseen_ids,
            groups=None if self.groups is None else self.groups[rows],
            rehearsal_groups=self.rehearsal_groups,
            image_shape=self.image_shape,
            backbone=self.backbone,
            text_encoder=self.text_encoder,
            attribute_names=self.attribute_names,
        )

    def test(self) -> TestView:
        """Return a copy of the test rows, seen ones first; for closing measurements only."""
        rows = np.concatenate([self.test_seen_rows, self.test_unseen_rows])
        return self._test(self.features[rows], rows)

    def test_in_place(self) -> TestView:
        """Return the same without a copy of the features, for what goes through them a few times."""
        rows = np.concatenate([self.test_seen_rows, self.test_unseen_rows])
        return self._test(in_place(self.features, rows), rows)

    def _test(self, features: AnyRows, rows: Ids) -> TestView:
        return TestView(
            features=features,
            labels=self.labels[rows],
            seen_ids=self.seen_ids,
            unseen_ids=self.unseen_ids,
        )

    @property
    def checksum(self) -> str:
        """SHA-256 over features, labels, semantics, the rows of each part and, if any, the groups, as 64 hex digits.

        Groups belong to it because they decide which rows a rehearsal holds out. Independent of the machine's byte
        order; read in chunks, so memory maps stay small.
        """
        parts: list[NDArray[Any]] = [
            self.features,
            self.labels,
            self.semantics,
            self.train_rows,
            self.test_seen_rows,
            self.test_unseen_rows,
        ]
        if self.groups is not None:
            parts += [self.groups, np.array(self.rehearsal_groups, dtype=np.int64)]
        digest = hashlib.sha256()
        for part in parts:
            _update(digest, part)
        return digest.hexdigest()

    def _repr_html_(self) -> str:
        parts = {"to train on": self.train_rows, "seen test": self.test_seen_rows, "unseen test": self.test_unseen_rows}
        facts = {
            "split": self.split,
            "source": self.source or "-",
            "rows": ", ".join(f"{len(rows):,} {part}" for part, rows in parts.items()),
            "features": self.features.shape[1],
            "semantics": self.semantics.shape[1],
            "seen classes": f"{len(self.seen_ids)}: {listed([self.class_names[i] for i in self.seen_ids])}",
            "unseen classes": f"{len(self.unseen_ids)}: {listed([self.class_names[i] for i in self.unseen_ids])}",
            **{f"warning {number}": text for number, text in enumerate(self.warnings, start=1)},
        }
        return facts_html(f"data set {self.name}", facts)

    def facts(self) -> dict[str, Any]:
        """Return what can be said about the data set, ready for JSON.

        Nothing in it is computed from features of test rows, except the checksum.
        """
        n_per_class = np.bincount(self.labels[self.train_rows], minlength=self.n_classes)[self.seen_ids]
        return {
            "name": self.name,
            "source": self.source,
            "split": self.split,
            "n_rows": len(self.labels),
            "feature_dim": self.features.shape[1],
            "non_negative": self._is_non_negative(),
            "image_shape": None if self.image_shape is None else list(self.image_shape),
            "backbone": None if self.backbone is None else dict(self.backbone),
            "text_encoder": None if self.text_encoder is None else dict(self.text_encoder),
            "n_classes": self.n_classes,
            "n_seen": len(self.seen_ids),
            "n_unseen": len(self.unseen_ids),
            "semantic_dim": self.semantics.shape[1],
            "n_train": len(self.train_rows),
            "n_test_seen": len(self.test_seen_rows),
            "n_test_unseen": len(self.test_unseen_rows),
            "n_unlabelled": len(self.unlabelled_rows),
            "train_rows_per_class": [int(n_per_class.min()), int(n_per_class.max())],
            "n_groups": None if self.groups is None else len(np.unique(self.groups)),
            "seen": [self.class_names[i] for i in self.seen_ids],
            "unseen": [self.class_names[i] for i in self.unseen_ids],
            "checksum": self.checksum,
            "warnings": list(self.warnings),
        }

    def _is_non_negative(self) -> bool:
        chunks = row_chunks(len(self.train_rows), self.features.shape[1] * self.features.itemsize)
        return all(bool((self.features[self.train_rows[rows]] >= 0).all()) for rows in chunks)

    def _check_test_side(self, part: str, side_ids: Ids) -> None:
        strange = np.setdiff1d(self.labels[getattr(self, part)], side_ids)
        if strange.size:
            right, wrong = ("seen", "unseen") if part == "test_seen_rows" else ("unseen", "seen")
            raise DataError(
                f"{part} hold rows of {wrong} classes",
                expected=f"rows of {right} classes only",
                received=f"rows of {listed([self.class_names[i] for i in strange])}",
                remedy=f"Move them to the {wrong} test rows.",
            )


def _checked_rows(features: AnyRows) -> AnyRows:
    """Check features; what reads rows where they lie does so of a matrix that was checked as a whole."""
    return features if isinstance(features, MappedRows) else _float32(check_features(features))


def _check_shared(target: TrainingView | ZSLDataset, features: AnyRows) -> None:
    """Check and store the fields that a data set and its training view have in common."""
    names = check_class_names(target.class_names)
    semantics = check_semantics(target.semantics, class_names=names)
    seen_ids, unseen_ids = check_partition(target.seen_ids, target.unseen_ids, n_classes=len(names))
    lowest = UNLABELLED if isinstance(target, ZSLDataset) else 0
    labels = check_labels(target.labels, n_rows=len(features), n_classes=len(names), lowest=lowest)
    groups = target.groups
    if groups is not None:
        groups = check_ids(groups, bound=None, what="groups")
        if len(groups) != len(features):
            raise DataError(
                "groups and features do not match",
                expected=f"one group for each of the {len(features)} rows of features",
                received=f"{len(groups)} groups",
                remedy="Number the group of every row, or give no groups.",
            )
    _check_image_shape(target.image_shape, features.shape[1])
    if target.attribute_names and len(set(target.attribute_names)) != semantics.shape[1]:
        raise DataError(
            "attribute names and semantics do not match",
            expected=f"{semantics.shape[1]} distinct names, one per column",
            received=f"{len(set(target.attribute_names))} names",
            remedy="Name every column of the semantics, or none.",
        )
    _store(
        target,
        features=features,
        labels=labels,
        semantics=semantics,
        class_names=names,
        seen_ids=seen_ids,
        unseen_ids=unseen_ids,
        groups=groups,
        rehearsal_groups=tuple(int(group) for group in target.rehearsal_groups),
    )


def _check_image_shape(image_shape: Sequence[int] | None, feature_dim: int) -> None:
    if image_shape is not None and (len(image_shape) != 2 or image_shape[0] * image_shape[1] != feature_dim):
        raise DataError(
            "image shape and features do not match",
            expected=f"height x width = {feature_dim}, the number of features",
            received=" x ".join(str(side) for side in image_shape),
            remedy="Give the height and width of the images, or no image shape.",
        )


def _check_disjoint(rows: dict[str, Ids]) -> None:
    everything = np.sort(np.concatenate(list(rows.values())))
    twice = np.unique(everything[1:][everything[1:] == everything[:-1]])
    if not twice.size:
        return
    parts = [name for name, part in rows.items() if np.isin(twice[0], part)]
    raise DataError(
        "there are rows that are used twice",
        expected="every row at most once in at most one of train_rows, test_seen_rows and test_unseen_rows",
        received=f"{len(twice)} such rows, row {twice[0]} in {' and '.join(parts)}",
        remedy="Keep each row in one part: results on rows that were trained on mean nothing.",
    )


def _check_labelled(labels: Labels, rows: Ids, part: str) -> None:
    bare = rows[labels[rows] == UNLABELLED]
    if bare.size:
        raise DataError(
            f"{part} hold rows without a label",
            expected="rows whose class is known",
            received=f"{len(bare)} such rows, the first of them row {bare[0]}",
            remedy="Label these rows or leave them out of the part.",
        )


def _float32(features: Features) -> Features:
    return features if features.dtype == np.float32 else read_only(features.astype(np.float32))


def _store(target: object, **fields: object) -> None:
    """Set checked fields of a frozen value while it is being made."""
    for name, value in fields.items():
        object.__setattr__(target, name, value)


def _update(digest: Any, array: NDArray[Any]) -> None:
    little = array.dtype.newbyteorder("<")
    digest.update(f"{little.str}{array.shape}".encode())
    row_bytes = array.itemsize * int(np.prod(array.shape[1:]))
    for rows in row_chunks(len(array), row_bytes):
        digest.update(np.ascontiguousarray(array[rows], dtype=little))
        release(array)
