"""Writing data sets as own data and in the layout of Xian et al."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from zslearn.data.columns import write_columns
from zslearn.data.dataset import UNLABELLED, ZSLDataset
from zslearn.data.own import (
    CLASSES,
    FACTS_FILE,
    FEATURES,
    GROUP,
    LABEL,
    NAME,
    PART,
    ROWS,
    SEEN,
    SEMANTICS_FILE,
    SPLIT,
    TEST,
    TRAIN,
    UNSEEN,
    UNUSED,
    WITHOUT_LABEL,
    NamedSemantics,
)
from zslearn.data.stand_in import MARK, MARK_VARIABLE, STAND_IN_WARNING, tells_of_stand_in
from zslearn.data.text import write_semantics
from zslearn.data.xlsa17 import SPLIT_FILE
from zslearn.errors import DataError
from zslearn.files import write_atomic, write_json

MAX_TABLE_COLUMNS: Final = 256
"""Semantics with more numbers are written to ``semantics.npz`` instead of the class table."""
XLSA17_FEATURES: Final = "features.mat"


def write_own(dataset: ZSLDataset, folder: Path) -> None:
    """Write a data set as own data; reading it again gives the same rows, parts and semantics.

    Raises:
        DataError: If the folder is not empty.
    """
    _make_empty(folder)
    marks = np.full(len(dataset.labels), UNUSED, dtype=object)
    marks[dataset.labels == UNLABELLED] = WITHOUT_LABEL
    marks[dataset.train_rows] = TRAIN
    marks[np.concatenate([dataset.test_seen_rows, dataset.test_unseen_rows])] = TEST
    names = np.array([*dataset.class_names, ""], dtype=object)
    rows: dict[str, Any] = {LABEL: names[dataset.labels].tolist(), PART: marks.tolist()}
    if dataset.groups is not None:
        rows[GROUP] = dataset.groups.tolist()
    write_columns(folder / f"{ROWS}.csv", rows)
    sides = np.where(np.isin(np.arange(dataset.n_classes), dataset.seen_ids), SEEN, UNSEEN)
    classes: dict[str, Any] = {NAME: list(dataset.class_names), SPLIT: sides.tolist()}
    semantic_dim = dataset.semantics.shape[1]
    if semantic_dim > MAX_TABLE_COLUMNS or dataset.text_encoder is not None:
        semantics = NamedSemantics("", dataset.class_names, dataset.semantics, dataset.text_encoder)
        write_semantics(folder / SEMANTICS_FILE, semantics)
    else:
        width = len(str(semantic_dim))
        columns = dataset.attribute_names
        if not columns or {NAME, SPLIT} & set(columns):
            columns = tuple(f"a{i + 1:0{width}}" for i in range(semantic_dim))
        classes |= dict(zip(columns, dataset.semantics.T.tolist(), strict=True))
    write_columns(folder / f"{CLASSES}.csv", classes)
    facts = {"name": dataset.name, "source": _marked_source(dataset)}
    write_json(folder / FACTS_FILE, facts | ({"backbone": dict(dataset.backbone)} if dataset.backbone else {}))

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.save(file, dataset.features)

    write_atomic(folder / f"{FEATURES}.npy", write)


def write_xlsa17(dataset: ZSLDataset, folder: Path) -> None:
    """Write a data set in the layout of Xian et al., with rows and labels counted from 1.

    Raises:
        DataError: If the folder is not empty, or the layout cannot hold the data set: it knows no rows without a
            label and no unseen classes without rows.
    """
    import scipy.io

    bare = np.setdiff1d(dataset.unseen_ids, dataset.labels[dataset.test_unseen_rows])
    if bare.size or len(dataset.unlabelled_rows):
        raise DataError(
            "the layout of Xian et al. cannot hold these data",
            expected="a label for every row and test rows of every unseen class",
            received=f"{len(dataset.unlabelled_rows)} rows without a label, {bare.size} unseen classes without rows",
            remedy="Convert them to own data instead.",
        )
    _make_empty(folder)
    splits = {
        "att": dataset.semantics.T,
        "allclasses_names": np.array([[name] for name in dataset.class_names], dtype=object),
        "trainval_loc": dataset.train_rows[:, None] + 1,
        "test_seen_loc": dataset.test_seen_rows[:, None] + 1,
        "test_unseen_loc": dataset.test_unseen_rows[:, None] + 1,
    }
    features: dict[str, Any] = {
        "features": np.asarray(dataset.features, dtype=np.float32).T,
        "labels": dataset.labels[:, None] + 1,
    }
    if _is_stand_in(dataset):
        features[MARK_VARIABLE] = STAND_IN_WARNING
    for name, content in ((XLSA17_FEATURES, features), (SPLIT_FILE, splits)):
        write_atomic(folder / name, partial(scipy.io.savemat, mdict=content, appendmat=False))


def _marked_source(dataset: ZSLDataset) -> str:
    """Return where the data come from, with the mark of made-up features if they are."""
    marked = MARK in dataset.source or not _is_stand_in(dataset)
    return dataset.source if marked else f"{dataset.source} ({MARK})"


def _is_stand_in(dataset: ZSLDataset) -> bool:
    return tells_of_stand_in((dataset.source, *dataset.warnings))


def _make_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(
            f"{folder} exists already and is not an empty folder",
            expected="a new or empty folder",
            remedy="Name another folder.",
        )
    folder.mkdir(parents=True, exist_ok=True)
