"""Reader for the layout of Xian et al., "Zero-Shot Learning - A Comprehensive Evaluation" (2017).

A folder holds a split file (``att_splits.mat``: semantics, class names and the rows of each part)
and a feature file (``features``, ``labels``). Two generations of split files are about. In the first,
``train_loc`` and ``val_loc`` together hold ``trainval_loc`` *and* ``test_seen_loc``: choosing anything
on them looks at test samples. They are compared with the test rows and then left alone; rehearsals
are cut from ``trainval_loc``.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zslearn.data.checks import check_features, check_semantics, whole_numbers
from zslearn.data.dataset import ZSLDataset
from zslearn.data.matfile import mat_strings, mat_variables, read_mat
from zslearn.data.official import unverified
from zslearn.data.stand_in import MARK_VARIABLE, STAND_IN_WARNING
from zslearn.errors import DataError, listed
from zslearn.limits import read_text
from zslearn.shapes import Features, Ids, Labels, Semantics

SPLIT_FILE = "att_splits.mat"
"""The usual split file."""
NAMES_FILE = "names.csv"
"""Class names for split files that have none: a table with the columns label (from 1) and name."""

_PARTS = ("trainval_loc", "test_seen_loc", "test_unseen_loc")
_LEAKY_PARTS = ("train_loc", "val_loc")


def read_xlsa17(
    folder: str | Path, features: str | Path | None = None, semantics: str | Path | None = None
) -> ZSLDataset:
    """Read a data set with its official split.

    Seen classes are those of ``trainval_loc``, unseen ones those of ``test_unseen_loc``; classes with
    neither are dropped with their rows. Row numbers and labels count from 1, or from 0 where a 0
    occurs. Whatever is unusual stands in the `warnings` of the result.

    Args:
        folder: The folder.
        features: The feature file, in `folder` or elsewhere. None: the one file of `folder` that
            holds ``features``.
        semantics: The split file to use, such as ``"sent_splits.mat"``. None: ``att_splits.mat``.

    Raises:
        DataError: If files are missing, damaged, ambiguous or do not fit together.
        MissingExtraError: If a file is HDF5 (MATLAB 7.3) and h5py is not installed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(
            f"there is no folder {folder}",
            expected=f"a folder with {SPLIT_FILE} and a feature file",
            received="a file" if folder.exists() else "nothing of that name",
            remedy="Give the path of the data set's folder.",
        )
    split_path = _split_path(folder, semantics)
    feature_path = _feature_path(folder, features)
    splits = _read_splits(split_path)
    matrix, raw_labels, notes = _read_features(feature_path)
    notes += unverified(folder.resolve().name, [splits.parts[part] for part in _PARTS])
    return _assemble(
        replace(splits, warnings=(*notes, *splits.warnings)),
        matrix,
        raw_labels,
        name=_name(folder, split_path),
        source=_source(split_path, feature_path),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Splits:
    """What a split file holds, numbers as they stand there."""

    semantics: Semantics
    class_names: tuple[str, ...]
    parts: dict[str, Ids]
    warnings: tuple[str, ...]


def _name(folder: Path, split_path: Path) -> str:
    base = folder.resolve().name
    return base if split_path.name == SPLIT_FILE else f"{base}-{split_path.stem.removesuffix('_splits')}"


def _source(split_path: Path, feature_path: Path) -> str:
    return f"xlsa17 layout: features from {feature_path.name}, semantics and split from {split_path.name}"


def _split_path(folder: Path, semantics: str | Path | None) -> Path:
    path = _inside(folder, SPLIT_FILE if semantics is None else semantics)
    if not path.is_file():
        there = sorted(file.name for file in folder.glob("*_splits.mat"))
        raise DataError(
            f"there is no split file {path.name} in {folder}",
            expected="a file with semantics and the rows of each part",
            received=listed(there) or "no file called *_splits.mat",
            remedy="Name one of these as the semantics." if there else "Put it there, or classes.csv for own data.",
        )
    return path


def _feature_path(folder: Path, features: str | Path | None) -> Path:
    if features is not None:
        path = _inside(folder, features)
        if not path.is_file():
            raise DataError(
                f"there is no feature file {path.name} in {folder}",
                expected="a .mat file with features and labels",
                received=listed(sorted(file.name for file in folder.glob("*.mat"))) or "no .mat file",
                remedy="Check the name, or give the path of the file.",
            )
        return path
    candidates, damaged = _feature_candidates(folder)
    if len(candidates) == 1:
        return candidates[0]
    if damaged and not candidates:
        raise damaged[0]
    if not candidates:
        raise DataError(
            f"there are no features in {folder}",
            expected="a .mat file with the variables features and labels",
            received=listed(sorted(file.name for file in folder.glob("*.mat"))) or "no .mat file",
            remedy="Put the feature file (such as res101.mat) there, or give its path as the features.",
        )
    raise DataError(
        f"there are several feature files in {folder}",
        expected="one file with features",
        received=", ".join(path.name for path in candidates),
        remedy="Name one of these as the features.",
    )


def _feature_candidates(folder: Path) -> tuple[list[Path], list[DataError]]:
    candidates, damaged = [], []
    for path in sorted(file for file in folder.glob("*.mat") if file.is_file()):
        try:
            if "features" in mat_variables(path):
                candidates.append(path)
        except DataError as error:
            damaged.append(error)
    return candidates, damaged


def _inside(folder: Path, name: str | Path) -> Path:
    """Return a file of the folder, or else the path as it is; the ending .mat may be left out."""
    choices = [folder / name, folder / f"{name}.mat", Path(name)]
    return next((path for path in choices if path.is_file()), folder / name)


def _read_splits(path: Path) -> _Splits:
    content = read_mat(path, ("att", *_PARTS), ("allclasses_names", *_LEAKY_PARTS))
    semantics = content["att"]
    if semantics.ndim != 2 or semantics.size == 0:
        raise DataError(
            f"att in {path.name} has the wrong dimensions",
            expected="semantic_dim x n_classes",
            received=f"shape {semantics.shape}",
            remedy="Save one column per class.",
        )
    names, notes = _class_names(path, content.get("allclasses_names"), semantics)
    locations = {
        name: whole_numbers(_vector(content[name], name, path), what=f"{name} in {path.name}")
        for name in (*_PARTS, *_LEAKY_PARTS)
        if name in content
    }
    return _Splits(
        semantics=check_semantics(semantics.T, class_names=names),
        class_names=names,
        parts={name: locations[name] for name in _PARTS},
        warnings=(*notes, *_leak(locations)),
    )


def _leak(locations: dict[str, Ids]) -> tuple[str, ...]:
    present = [locations[name] for name in _LEAKY_PARTS if name in locations]
    if not present:
        return ()
    test = np.concatenate([locations["test_seen_loc"], locations["test_unseen_loc"]])
    n_leaked = np.intersect1d(np.concatenate(present), test).size
    if not n_leaked:
        return ()
    return (
        f"train_loc and val_loc of this split file hold {n_leaked:,} test rows (the leak of first-generation "
        "split files); they are not used, rehearsals are cut from trainval_loc",
    )


def _class_names(
    path: Path, cells: NDArray[Any] | None, semantics: NDArray[Any]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    n_classes = semantics.shape[1]
    if cells is not None and cells.size:
        names = mat_strings(cells)
        if len(names) != n_classes:
            transposed = len(names) == semantics.shape[0]
            raise DataError(
                f"att and allclasses_names in {path.name} do not match",
                expected=f"one column of att for each of the {len(names)} names",
                received=f"att of shape {semantics.shape}",
                remedy="Transpose att: columns are classes." if transposed else "Check the split file.",
            )
        return names, ()
    table = path.with_name(NAMES_FILE)
    if table.is_file():
        return _names_of_table(table, n_classes), (f"class names come from {NAMES_FILE}",)
    numbered = tuple(f"class {i}" for i in range(1, n_classes + 1))
    return numbered, (f"{path.name} names no classes and there is no {NAMES_FILE}: they are numbered from 1",)


def _names_of_table(path: Path, n_classes: int) -> tuple[str, ...]:
    try:
        table = csv.DictReader(io.StringIO(read_text(path), newline=""))
        rows = [(int(row["label"]), row["name"].strip()) for row in table]
    except DataError:
        raise
    except (KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise DataError(
            f"{path.name} cannot be read",
            expected="a table in UTF-8 with the columns label (a whole number) and name",
            received=f"{type(error).__name__}: {error}",
            remedy="Repair or remove it.",
        ) from error
    if sorted(label for label, _ in rows) != list(range(1, n_classes + 1)):
        raise DataError(
            f"the labels of {path.name} do not match the semantics",
            expected=f"each label from 1 to {n_classes} once",
            received=f"{len(rows)} rows",
            remedy="Repair or remove it.",
        )
    return tuple(name for _, name in sorted(rows))


def _read_features(path: Path) -> tuple[Features, Labels, tuple[str, ...]]:
    """Return features with one row per sample, labels as they stand in the file, and what to warn of."""
    content = read_mat(path, ("features", "labels"), (MARK_VARIABLE,))
    labels = whole_numbers(_vector(content["labels"], "labels", path), what=f"labels in {path.name}")
    matrix = content["features"]
    if matrix.ndim != 2 or matrix.shape[1] != len(labels):
        transposed = matrix.ndim == 2 and matrix.shape[0] == len(labels)
        raise DataError(
            f"features and labels in {path.name} do not match",
            expected=f"features of shape feature_dim x {len(labels)}, a column for each label",
            received=f"shape {matrix.shape}",
            remedy="Transpose features: columns are samples." if transposed else "Check the feature file.",
        )
    notes = (STAND_IN_WARNING,) if MARK_VARIABLE in content else ()
    return check_features(matrix.T, what=f"features in {path.name}"), labels, notes


def _vector(array: NDArray[Any], name: str, path: Path) -> NDArray[Any]:
    """Return the entries of an n x 1 or 1 x n array."""
    if array.dtype.kind not in "fiu" or array.size not in (0, max(array.shape, default=0)):
        raise DataError(
            f"{name} in {path.name} is not a vector of numbers",
            expected="n x 1 numbers",
            received=f"shape {array.shape} of type {array.dtype}",
            remedy="Check that the file follows the layout of Xian et al.",
        )
    return array.ravel()


def _assemble(splits: _Splits, features: Features, labels: Labels, *, name: str, source: str) -> ZSLDataset:
    locations = np.concatenate([splits.parts[part] for part in _PARTS])
    bases = _bases(locations, len(features), labels, len(splits.class_names))
    rows = {part: splits.parts[part] - bases.rows for part in _PARTS}
    labels = labels - bases.labels
    seen_ids = np.unique(labels[rows["trainval_loc"]])
    unseen_ids = np.unique(labels[rows["test_unseen_loc"]])
    kept_ids = np.union1d(seen_ids, unseen_ids)
    _check_test_seen(labels[rows["test_seen_loc"]], kept_ids, splits.class_names)
    dropped = [splits.class_names[i] for i in np.setdiff1d(np.arange(len(splits.class_names)), kept_ids)]
    notes = (f"classes that are neither seen nor unseen were dropped: {listed(dropped)}",) if dropped else ()
    kept_rows = np.isin(labels, kept_ids)
    # Dropping rows shifts the numbers of those after them.
    new_row = np.cumsum(kept_rows) - 1
    return ZSLDataset(
        name=name,
        features=features[kept_rows] if dropped else features,
        labels=np.searchsorted(kept_ids, labels[kept_rows]),
        semantics=splits.semantics[kept_ids],
        class_names=tuple(splits.class_names[i] for i in kept_ids),
        seen_ids=np.searchsorted(kept_ids, seen_ids),
        unseen_ids=np.searchsorted(kept_ids, unseen_ids),
        train_rows=new_row[rows["trainval_loc"]],
        test_seen_rows=new_row[rows["test_seen_loc"]],
        test_unseen_rows=new_row[rows["test_unseen_loc"]],
        source=source,
        warnings=(*splits.warnings, *bases.warnings, *notes),
    )


def _check_test_seen(labels: Labels, kept_ids: Ids, class_names: tuple[str, ...]) -> None:
    strange = np.setdiff1d(labels, kept_ids)
    if strange.size:
        raise DataError(
            "test_seen_loc holds rows of classes that are not seen",
            expected="rows of classes that trainval_loc has rows of",
            received=f"rows of {listed([class_names[i] for i in strange])}",
            remedy="Check that the split file belongs to the feature file.",
        )


@dataclass(frozen=True)
class _Bases:
    """Where the numbers of a pair of files start to count."""

    rows: int
    labels: int
    warnings: tuple[str, ...]


def _bases(locations: Ids, n_rows: int, labels: Labels, n_classes: int) -> _Bases:
    """Tell whether rows and labels count from 1 (the rule) or from 0 (where a 0 occurs).

    Where one of the two counts from 0 and the other fits both ways, nothing can tell: an error.
    """
    labels_base, labels_fit_both = _base(labels, n_classes, "labels of the feature file", "classes")
    rows_base, rows_fit_both = _base(locations, n_rows, "row numbers of the split file", "rows of features")
    if rows_base != labels_base and (rows_fit_both or labels_fit_both):
        zero, unclear = ("labels", "row numbers") if rows_base else ("row numbers", "labels")
        raise DataError(
            f"{zero} count from 0, and {unclear} fit counting from 0 as well as from 1",
            expected="both counted from 1",
            received=f"a 0 among the {zero}, none among the {unclear}",
            remedy="Write the files again with row numbers and labels counted from 1.",
        )
    zeros = [what for what, base in (("row numbers", rows_base), ("labels", labels_base)) if base == 0]
    notes = (f"{' and '.join(zeros)} count from 0 in these files, against the layout's rule",) if zeros else ()
    return _Bases(rows_base, labels_base, notes)


def _base(numbers: Ids, bound: int, what: str, things: str) -> tuple[int, bool]:
    """Return the base of the numbers, and whether they would fit the other base, too."""
    if not numbers.size:
        raise DataError(
            f"{what} are empty",
            expected="numbers counted from 1",
            received="none",
            remedy="Check that the files are complete.",
        )
    lowest, highest = int(numbers.min()), int(numbers.max())
    base = 0 if lowest == 0 else 1
    if lowest < 0 or highest - base >= bound:
        raise DataError(
            f"{what} are out of range",
            expected=f"{base} to {bound - 1 + base}, as there are {bound} {things}",
            received=f"{lowest} to {highest}",
            remedy="Check that the split file belongs to the feature file.",
        )
    return base, base == 1 and highest < bound
