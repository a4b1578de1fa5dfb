"""Finding the data of a finished run again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zslearn.errors import DataError, listed

if TYPE_CHECKING:
    from zslearn.data.dataset import ZSLDataset
    from zslearn.estimator import GenerativeZSL


def load_run_data(arguments: argparse.Namespace, record: dict[str, Any], estimator: GenerativeZSL) -> ZSLDataset:
    """Load the data set that a run should be measured on: the named one, or the run's own.

    Raises:
        DataError: If its classes or features are not those of the model.
    """
    from zslearn.data.catalog import load_data

    named = {"data": arguments.data, "features": arguments.features, "semantics": arguments.semantics}
    # Another data set has other files; without one, a file that is named replaces the run's.
    recorded = record["data"]["asked_for"] if arguments.data is None else {}
    asked_for = {**named, **recorded, **{name: value for name, value in named.items() if value is not None}}
    split = arguments.split or record["data"]["split"]
    dataset = load_data(
        asked_for["data"], features=asked_for["features"], semantics=asked_for["semantics"], split=split
    )
    without = [name for name in estimator.added_classes_.tolist() if name not in dataset.class_names]
    if without:
        print(f"note: measured without the classes added since the run: {', '.join(without)}", file=sys.stderr)
        estimator.drop_classes(without)
    gone = _dropped(record, estimator)
    missing = [name for name in dataset.class_names if name in gone]
    if missing:
        raise DataError(
            "classes of the data have been dropped since the run",
            expected="none; one that was added again is new to the model",
            received=listed(missing),
            remedy="Run again, and drop classes in a copy of the run's folder.",
        )
    if list(dataset.class_names) != estimator.classes_.tolist() or set(dataset.unseen_ids) != set(
        estimator.unseen_ids_
    ):
        raise DataError(
            "the data set does not fit the run",
            expected="the same classes, seen and unseen as in training",
            received=f"{dataset.name}, split {dataset.split}",
            remedy="Name the run's own data and split, or leave both out.",
        )
    return dataset


def _dropped(record: Mapping[str, Any], estimator: GenerativeZSL) -> set[str]:
    """Return the classes that training knew and the model no longer knows from it."""
    changes = record.get("class_changes", {}).get("changes", ())
    dropped = {name for change in changes for name in change.get("dropped", ())}
    from_training = {*estimator.classes_.tolist()} - {*estimator.added_classes_.tolist()}
    return dropped - from_training
