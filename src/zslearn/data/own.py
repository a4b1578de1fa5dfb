"""Own data: a folder with features, a table of their rows and a table of the classes.

| file | what is in it |
| --- | --- |
| ``features.npy`` (or ``.npz``, ``.parquet``, ``.csv``, ``.mat``) | one row of numbers per sample |
| ``rows.csv`` (or ``.parquet``) | one line per sample: ``label``, and optional ``part``, ``file`` and ``group`` |
| ``classes.csv`` (or ``.parquet``) | one line per class: ``name``, optional ``split``, then attributes or sentences |
| ``semantics.npz`` | optional: a vector per class, as `zslearn describe` writes it; goes before the attributes |
| ``data.json`` | optional: name, source, and the backbone that made the features |

``docs/own-data.md`` tells the whole story.
"""

from __future__ import annotations

import difflib
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from zslearn.data.checks import check_features, check_semantics
from zslearn.data.columns import TABLE_ENDINGS, Columns, clean, read_columns
from zslearn.data.dataset import UNLABELLED, ZSLDataset
from zslearn.data.splits import held_out
from zslearn.data.stand_in import STAND_IN_WARNING, tells_of_stand_in
from zslearn.data.tables import read_features, read_npz_arrays
from zslearn.errors import DataError, first_line, listed, unknown_name
from zslearn.limits import parse_json, read_json
from zslearn.shapes import Features, Ids, Labels, Semantics

CLASSES: Final = "classes"
"""The class table, without its ending."""
ROWS: Final = "rows"
"""The table of rows, without its ending."""
FEATURES: Final = "features"
"""The feature file, without its ending."""
SEMANTICS_FILE: Final = "semantics.npz"
FACTS_FILE: Final = "data.json"
FEATURE_ENDINGS: Final = (".npy", ".npz", ".parquet", ".csv", ".mat")
NAME, SPLIT = "name", "split"
LABEL, PART, FILE, GROUP = "label", "part", "file", "group"
SEEN, UNSEEN = "seen", "unseen"
TRAIN, TEST, WITHOUT_LABEL, UNUSED = "train", "test", "unlabelled", "unused"
HELDOUT_SEED: Final = 0
"""Decides which rows of seen classes are held out where no test part is given."""
_MOST_DIGITS: Final = 18
"""Of a group's number that 64 bits hold in any case."""


@dataclass(frozen=True)
class ClassTable:
    """Who the classes are, and what is said about them."""

    path: Path
    """Where the table is."""
    names: tuple[str, ...]
    """The names of the classes, distinct and not empty."""
    split: tuple[str, ...]
    """``seen``, ``unseen``, or an empty text where it follows from the rows."""
    attribute_names: tuple[str, ...]
    """The columns that hold numbers."""
    attributes: Float[np.ndarray, "n_classes n_attributes"] | None
    """Their numbers; None where there is no such column."""
    sentences: Mapping[str, tuple[str, ...]]
    """The columns that hold texts, by name; an empty text where a class has none."""


@dataclass(frozen=True)
class RowTable:
    """What is known about each row of the features."""

    source: str
    """The file's name."""
    labels: tuple[str, ...]
    """The class's name; an empty text where it is not known."""
    parts: tuple[str, ...]
    """``train``, ``test``, ``unlabelled``, ``unused``, or an empty text where it follows from the class."""
    files: tuple[str, ...] | None = None
    """The file that each row was made of."""
    groups: tuple[str, ...] | None = None
    """Rows of the same group stay together when rows are held out; an empty text where a row has none."""


@dataclass(frozen=True)
class NamedSemantics:
    """A semantic vector per class name."""

    source: str
    """The file's name."""
    names: tuple[str, ...]
    """The names of the classes."""
    vectors: Semantics
    """A row per name."""
    encoder: Mapping[str, Any] | None = None
    """What made them of sentences, where an encoder did."""
    attribute_names: tuple[str, ...] = ()
    """The names of the columns, where they are attributes."""
    unused_texts: tuple[str, ...] = ()
    """The names of the columns of texts beside the attributes, of which the vectors know nothing."""


@dataclass(frozen=True)
class OwnParts:
    """The parts of a data folder, each read and checked alone.

    Attributes:
        classes: The table of the classes.
        features: One row per sample.
        rows: The table of the rows.
        semantics: The vectors of the classes, by name.
        facts: What ``data.json`` tells.
    """

    classes: ClassTable
    features: Features
    rows: RowTable
    semantics: NamedSemantics
    facts: Mapping[str, Any] = field(default_factory=dict)


def is_own_data(folder: Path) -> bool:
    """Tell whether a folder is laid out as own data: it has a class table, or at least a table of rows."""
    return has_class_table(folder) or any((folder / f"{ROWS}{ending}").is_file() for ending in TABLE_ENDINGS)


def has_class_table(folder: Path) -> bool:
    """Tell whether a folder says who the classes are."""
    return any((folder / f"{CLASSES}{ending}").is_file() for ending in TABLE_ENDINGS)


def read_own(folder: str | Path, features: str | Path | None = None, semantics: str | Path | None = None) -> ZSLDataset:
    """Read a data folder.

    A class is unseen if ``split`` says so, or if it says nothing and there are no rows to train on. Rows of unseen
    classes are test rows. Where no row of a seen class is marked as test, 20 % of those that are not marked as train
    are held out, drawn with a fixed seed; the result's `warnings` say so. Memory-mapped features stay mapped.

    Args:
        folder: The folder.
        features: The feature file, in `folder` or elsewhere. None: the one called ``features``.
        semantics: A file with a vector per class: as ``zslearn describe`` writes it, or a table. None:
            ``semantics.npz`` if it is there, otherwise the attributes of the class table.

    Raises:
        DataError: If files are missing, damaged, ambiguous or do not fit together.
        UnknownNameError: If a row's part is not a known one.
        MissingExtraError: If a file needs an extra that is not installed.
    """
    folder = Path(folder)
    feature_path = find_features(folder, features)
    classes = read_classes(folder)
    parts = OwnParts(
        classes=classes,
        features=read_feature_matrix(feature_path),
        rows=read_rows(folder, feature_path),
        semantics=read_class_semantics(folder, classes, semantics),
        facts=read_facts(folder),
    )
    source = f"own data: features from {feature_path.name}, semantics from {parts.semantics.source}"
    return assemble(parts, name=str(parts.facts.get("name") or folder.resolve().name), source=source)


def read_classes(folder: Path) -> ClassTable:
    """Read the class table of a data folder.

    Raises:
        DataError: If there is no such table, or names or splits are not usable.
    """
    return class_table(_table(folder, CLASSES, "a table with the column name and attributes or sentences"))


def class_table(path: str | Path) -> ClassTable:
    """Read a class table.

    Columns of numbers (and of yes and no) are attributes; columns of texts are sentences.

    Raises:
        DataError: If it cannot be read, names or splits are not usable, or an attribute has a gap or decimal commas.
    """
    path = Path(path)
    table = read_columns(path)
    names = tuple(table.texts(NAME))
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice or "" in names:
        raise DataError(
            f"the names in {path.name} are not distinct",
            expected="a name of its own for every class",
            received=f"{listed(twice)} more than once" if any(twice) else f"no name in row {names.index('') + 1}",
            remedy="Keep one line for each class.",
        )
    split = tuple(text.lower() for text in table.texts(SPLIT)) if SPLIT in table else ("",) * len(names)
    for value in split:
        if value not in ("", SEEN, UNSEEN):
            raise unknown_name(f"split of a class in {path.name}", value, (SEEN, UNSEEN))
    others = [column for column in table.columns if column not in (NAME, SPLIT)]
    numeric = [column for column in others if table.is_numeric(column)]
    for column in others:
        table.check_no_decimal_commas(column)
    return ClassTable(
        path=path,
        names=names,
        split=split,
        attribute_names=tuple(numeric),
        attributes=table.numbers(numeric) if numeric else None,
        sentences={column: tuple(table.texts(column)) for column in others if column not in numeric},
    )


def find_features(folder: Path, features: str | Path | None = None) -> Path:
    """Find the feature file of a data folder.

    Raises:
        DataError: If there is no feature file, or there are several.
    """
    if features is not None:
        choices = [folder / features, Path(features)]
        found = next((path for path in choices if path.is_file()), None)
        if found is None:
            raise DataError(
                f"there is no feature file {features} in {folder}",
                expected=f"a file ending in {', '.join(FEATURE_ENDINGS)}",
                received=listed(_names_in(folder)) or "an empty folder",
                remedy="Check the name, or give the path of the file.",
            )
        return found
    there = [path for ending in FEATURE_ENDINGS if (path := folder / f"{FEATURES}{ending}").is_file()]
    if len(there) != 1:
        raise DataError(
            f"there are several feature files in {folder}" if there else f"there are no features in {folder}",
            expected=f"one file called {FEATURES} that ends in {', '.join(FEATURE_ENDINGS)}",
            received=listed([path.name for path in there] or _names_in(folder)) or "an empty folder",
            remedy="Name one of them as the features." if there else "Save one row per sample with numpy.save.",
        )
    return there[0]


def read_feature_matrix(path: Path) -> Features:
    """Read features of any of the layout's forms.

    A table's columns ``label``, ``part``, ``file`` and ``group`` are not features; all others must be numbers.

    Raises:
        DataError: If the file cannot be read, or holds something else.
    """
    if path.suffix.lower() not in TABLE_ENDINGS:
        return read_features(path)
    table = read_columns(path)
    names = [name for name in table.columns if name not in (LABEL, PART, FILE, GROUP)]
    if not names:
        raise DataError(
            f"{path.name} holds no features",
            expected="columns of numbers",
            received=listed(list(table.columns)),
            remedy="Add a column for each feature.",
        )
    return check_features(table.numbers(names), what=f"features in {path.name}")


def read_rows(folder: Path, feature_path: Path) -> RowTable:
    """Read what is known about the rows: from the table of rows, or else from the feature file itself.

    Raises:
        DataError: If there is neither, a column is missing, or a part is unknown.
        UnknownNameError: If a part has another name.
    """
    there = [path for ending in TABLE_ENDINGS if (path := folder / f"{ROWS}{ending}").is_file()]
    if there:
        return _row_table(read_columns(_one_of(there)))
    if feature_path.suffix.lower() in TABLE_ENDINGS:
        return _row_table(read_columns(feature_path))
    if feature_path.suffix.lower() == ".npz":
        arrays = read_npz_arrays(feature_path, (f"{LABEL}s",), (f"{PART}s",))
        columns = {name.removesuffix("s"): array.ravel() for name, array in arrays.items()}
        return _row_table(Columns(feature_path, columns))
    raise DataError(
        f"there are no labels in {folder}",
        expected=f"a table {ROWS}.csv with the column {LABEL}: the class's name for every row of {feature_path.name}",
        received=listed(_names_in(folder)),
        remedy=f"Write it, with a line for each row of {feature_path.name} in the same order.",
    )


def row_parts(table: Columns) -> tuple[str, ...]:
    """Return what a table says of the part that each of its rows belongs to, in lower case.

    Raises:
        UnknownNameError: If there is no such part.
    """
    parts = tuple(text.lower() for text in table.texts(PART)) if PART in table else ("",) * len(table)
    known = (TRAIN, TEST, WITHOUT_LABEL, UNUSED)
    for part in dict.fromkeys(parts):
        if part and part not in known:
            raise unknown_name(f"part of the data in {table.path.name}", part, known)
    return parts


def read_class_semantics(folder: Path, classes: ClassTable, semantics: str | Path | None = None) -> NamedSemantics:
    """Read a vector per class: from the file named, from ``semantics.npz``, or from the class table's attributes.

    Raises:
        DataError: If there are no semantics, or they cannot be read.
    """
    if semantics is not None:
        path = next((path for path in (folder / semantics, Path(semantics)) if path.is_file()), folder / semantics)
        return read_named_semantics(path)
    if (folder / SEMANTICS_FILE).is_file():
        return read_named_semantics(folder / SEMANTICS_FILE)
    return _attributes(classes, folder)


def read_named_semantics(path: Path) -> NamedSemantics:
    """Read semantics by class name: an ``.npz`` with ``names`` and ``semantics``, or a table with attributes.

    Raises:
        DataError: If it cannot be read or holds something else.
    """
    if path.suffix.lower() in TABLE_ENDINGS:
        return _attributes(class_table(path), path.parent)
    if path.suffix.lower() != ".npz":
        raise DataError(
            f"{path.name} holds no semantics by class name",
            expected=f"an .npz with names and semantics, or a table ({', '.join(sorted(TABLE_ENDINGS))})",
            received=path.suffix or "a file without ending",
            remedy="zslearn describe writes such a file, and so does numpy.savez(FILE, names=..., semantics=...).",
        )
    arrays = read_npz_arrays(path, ("names", "semantics"), ("encoder",))
    names = tuple(clean(str(name)) for name in arrays["names"].ravel().tolist())
    semantics = check_semantics(arrays["semantics"], class_names=names)
    return NamedSemantics(path.name, names, semantics, _encoder_facts(path, arrays.get("encoder")))


def _encoder_facts(path: Path, text: NDArray[Any] | None) -> dict[str, Any] | None:
    """Return what semantics say of the encoder that made them."""
    try:
        facts = None if text is None else parse_json(str(text[()]))
        if isinstance(facts, dict | None):
            return facts
        received = type(facts).__name__
    except ValueError as error:
        received = first_line(error)
    raise DataError(
        f"the encoder in {path.name} cannot be read",
        expected="its facts as JSON",
        received=received,
        remedy="Make the semantics again with zslearn describe.",
    )


def read_facts(folder: Path) -> dict[str, Any]:
    """Read ``data.json``: name, source and backbone; nothing where it is not there.

    Raises:
        DataError: If it cannot be read.
    """
    path = folder / FACTS_FILE
    if not path.is_file():
        return {}
    try:
        facts = read_json(path)
    except ValueError as error:
        raise DataError(f"{path} cannot be read", received=str(error), remedy="Repair or remove it.") from error
    if not isinstance(facts, dict):
        raise DataError(f"{path} holds no facts", expected="a JSON object", remedy="Repair or remove it.")
    return facts


def assemble(parts: OwnParts, *, name: str, source: str) -> ZSLDataset:
    """Put the parts of a data folder together.

    Args:
        parts: What was read.
        name: What the data set is called.
        source: Where it comes from, in one line.

    Raises:
        DataError: If they do not fit together.
    """
    classes, rows = parts.classes, parts.rows
    source = str(parts.facts.get("source") or source)
    if len(rows.labels) != len(parts.features):
        raise DataError(
            f"{rows.source} and the features do not match",
            expected=f"a line for each of the {len(parts.features)} rows of the features",
            received=f"{len(rows.labels)} lines",
            remedy="Write both in the same order from the same samples.",
        )
    labels, marks = class_ids(rows, classes), np.array(rows.parts, dtype=object)
    _check_marks(labels, marks, rows)
    labels = np.where(marks == WITHOUT_LABEL, UNLABELLED, labels)
    usable = (labels != UNLABELLED) & (marks != UNUSED)
    seen_ids, unseen_ids = _sides(classes, labels[usable & (marks != TEST)])
    seen = usable & np.isin(labels, seen_ids)
    groups = None if rows.groups is None else _group_ids(rows.groups)
    heldout, notes = _held_out_rows(labels, groups, marks, seen)
    unseen = usable & np.isin(labels, unseen_ids)
    _check_unseen_rows(labels[unseen & (marks == TRAIN)], classes)
    made_up = (STAND_IN_WARNING,) if tells_of_stand_in([source]) else ()
    return ZSLDataset(
        name=name,
        features=parts.features,
        labels=labels,
        semantics=aligned(parts.semantics, classes),
        class_names=classes.names,
        seen_ids=seen_ids,
        unseen_ids=unseen_ids,
        train_rows=np.flatnonzero(seen & ~heldout),
        test_seen_rows=np.flatnonzero(heldout),
        test_unseen_rows=np.flatnonzero(unseen),
        groups=groups,
        backbone=parts.facts.get("backbone"),
        text_encoder=parts.semantics.encoder,
        attribute_names=parts.semantics.attribute_names,
        source=source,
        warnings=(*made_up, *notes, *strange_descriptions(parts.semantics, classes), *_unused_texts(parts.semantics)),
    )


def _unused_texts(semantics: NamedSemantics) -> tuple[str, ...]:
    """Say which columns are not attributes, as a clause; nothing where all are."""
    if not semantics.unused_texts:
        return ()
    return (
        f"columns of {semantics.source} hold texts and are not used as attributes: {listed(semantics.unused_texts)}",
    )


def strange_descriptions(semantics: NamedSemantics, classes: ClassTable) -> tuple[str, ...]:
    """Say which vectors are of no class, as a clause; nothing where all are of one."""
    known = set(classes.names)
    strange = [name for name in semantics.names if name not in known]
    if not strange:
        return ()
    told = listed(strange_names(strange, classes.names))
    return (f"{semantics.source} describes classes that {classes.path.name} does not have: {told}",)


def strange_names(found: Sequence[str], known: Sequence[str]) -> list[str]:
    """Say for each name that is not known which known name may be meant.

    Args:
        found: Names that occur, each once.
        known: Names that would be right.
    """
    by_look = {look_of(name): name for name in known}
    told = []
    for name in found:
        alike = by_look.get(look_of(name))
        nearest = difflib.get_close_matches(name, known, n=1)
        if alike is not None:
            told.append(f"{name!r} (differs only by case or blanks from {alike!r})")
        else:
            told.append(f"{name!r}" + (f" (did you mean {nearest[0]!r}?)" if nearest else ""))
    return told


def look_of(name: str) -> str:
    """Return what stays of a name without case, blanks and the signs that stand for blanks."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def class_ids(rows: RowTable, classes: ClassTable) -> Labels:
    """Return the class id of every row, and `UNLABELLED` where there is no label.

    Raises:
        DataError: If a label names no class; the message tells which may be meant.
    """
    index = {name: class_id for class_id, name in enumerate(classes.names)}
    strange = [name for name in dict.fromkeys(rows.labels) if name and name not in index]
    if strange:
        raise DataError(
            f"labels in {rows.source} are not among the classes of {classes.path.name}",
            expected=f"names of {classes.path.name}, or nothing for rows without a label",
            received=listed(strange_names(strange, classes.names)),
            remedy="Write each name in one way, and give every class a line.",
        )
    return np.array([index.get(name, UNLABELLED) for name in rows.labels], dtype=np.int64)


def _group_ids(groups: Sequence[str]) -> Labels:
    """Return a number per row: the group's own where all of them are whole numbers; a row without a group is alone."""
    named = sorted({group for group in groups if group})
    numbered = all(group.isascii() and group.isdigit() and len(group) <= _MOST_DIGITS for group in named)
    ids = {group: int(group) if numbered else number for number, group in enumerate(named)}
    alone = itertools.count(max(ids.values(), default=-1) + 1)
    return np.array([ids[group] if group else next(alone) for group in groups], dtype=np.int64)


def _check_marks(labels: Labels, marks: Any, rows: RowTable) -> None:
    bare = np.flatnonzero((labels == UNLABELLED) & ((marks == TRAIN) | (marks == TEST)))
    if bare.size:
        raise DataError(
            f"rows in {rows.source} are marked as train or test but have no label",
            expected="the class's name for every such row",
            received=f"{len(bare)} rows without, the first of them row {bare[0] + 1}",
            remedy=f"Label these rows, or mark them as {WITHOUT_LABEL}.",
        )


def _sides(classes: ClassTable, trainable: Labels) -> tuple[Ids, Ids]:
    """Tell which classes are seen: as the table says, or else by whether there are rows to train on."""
    has_rows = np.isin(np.arange(len(classes.names)), trainable)
    seen = np.array(
        [mark == SEEN or (not mark and bool(rows)) for mark, rows in zip(classes.split, has_rows, strict=True)],
        dtype=np.bool_,
    )
    return np.flatnonzero(seen), np.flatnonzero(~seen)


def _held_out_rows(labels: Labels, groups: Labels | None, marks: Any, seen: Any) -> tuple[Any, tuple[str, ...]]:
    """Return which rows of seen classes are test rows, and what is to be told about it."""
    marked, open_rows = seen & (marks == TEST), np.flatnonzero(seen & (marks == ""))
    if marked.any() or not open_rows.size:
        return marked, ()
    rng = np.random.default_rng(HELDOUT_SEED)
    drawn = held_out(labels[open_rows], None if groups is None else groups[open_rows], (), rng)
    heldout = np.zeros(len(labels), dtype=np.bool_)
    heldout[open_rows[drawn]] = True
    note = (
        f"no row of a seen class is marked as test: {int(heldout.sum()):,} rows, about 20 % of each seen class, are "
        f"held out for measuring (drawn with seed {HELDOUT_SEED}); mark rows as train to train on all of them"
    )
    return heldout, (note,)


def _check_unseen_rows(labels: Labels, classes: ClassTable) -> None:
    if labels.size:
        names = [classes.names[class_id] for class_id in np.unique(labels)]
        raise DataError(
            "there are training rows of unseen classes",
            expected="training rows of seen classes only",
            received=f"rows marked as train of {listed(names)}",
            remedy=f"Mark these rows as test, or these classes as seen in {classes.path.name}.",
        )


def aligned(semantics: NamedSemantics, classes: ClassTable) -> Semantics:
    """Return the vectors in the order of the class table.

    Raises:
        DataError: If a class has no vector; the message says which names may be meant.
    """
    index = {name: row for row, name in enumerate(semantics.names)}
    missing = [name for name in classes.names if name not in index]
    if missing:
        raise DataError(
            f"classes of {classes.path.name} have no vector in {semantics.source}",
            expected="a vector for every class",
            received=f"none for {listed(strange_names(missing, semantics.names))}",
            remedy="Describe these classes too, or drop their lines.",
        )
    return np.asarray(semantics.vectors[[index[name] for name in classes.names]])


def _attributes(classes: ClassTable, folder: Path) -> NamedSemantics:
    if classes.attributes is None:
        texts = listed(list(classes.sentences))
        raise DataError(
            f"{classes.path.name} has no attributes",
            expected=f"columns of numbers, or a file {SEMANTICS_FILE} beside it",
            received=f"sentences in {texts}" if texts else "names only",
            remedy=f"Make vectors of the texts with: zslearn describe {folder} --encoder FOLDER|HUB_NAME",
        )
    vectors = check_semantics(classes.attributes, class_names=classes.names)
    return NamedSemantics(
        source=classes.path.name,
        names=classes.names,
        vectors=vectors,
        attribute_names=classes.attribute_names,
        unused_texts=tuple(classes.sentences),
    )


def _row_table(table: Columns) -> RowTable:
    optional: dict[str, tuple[str, ...] | None] = {
        name: tuple(table.texts(name)) if name in table else None for name in (FILE, GROUP)
    }
    return RowTable(table.path.name, tuple(table.texts(LABEL)), row_parts(table), optional[FILE], optional[GROUP])


def _table(folder: Path, stem: str, expected: str) -> Path:
    there = [path for ending in TABLE_ENDINGS if (path := folder / f"{stem}{ending}").is_file()]
    if not there:
        raise DataError(
            f"there is no {stem}.csv in {folder}",
            expected=expected,
            received=listed(_names_in(folder)) or "an empty folder",
            remedy="Write it, with the names of the columns in the first line.",
        )
    return _one_of(there)


def _one_of(paths: list[Path]) -> Path:
    if len(paths) > 1:
        raise DataError(
            f"there are both {' and '.join(path.name for path in paths)}",
            expected="one of them",
            remedy="Remove the other.",
        )
    return paths[0]


def _names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
