"""Splitters of classes and scorers for scikit-learn's searches: choices are made on classes that play unseen.

An ordinary splitter leaves rows of every class in each training part, which tells nothing of unseen classes. The ones
here keep all rows of some classes from the training part; an estimator that gets the semantics of all classes then
takes those for unseen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from zslearn.data.splits import held_out
from zslearn.errors import ConfigError, DataError, unknown_name
from zslearn.evaluation.metrics import Metrics, best_among, evaluate_scores, per_class_accuracy
from zslearn.inputs import label_names
from zslearn.shapes import Ids, Labels, Scores

_FEWEST_SEEN = 2


class ClassSplitter(ABC):
    """Splits rows by class: some classes play unseen, and a fifth of every other class's rows is held out.

    Args:
        n_splits: How many splits.
        seed: Decides who plays unseen and which rows are held out.
    """

    def __init__(self, n_splits: int = 3, *, seed: int = 0) -> None:
        self.n_splits = n_splits
        self.seed = seed

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits."""
        return self.n_splits

    def split(self, X: Any, y: ArrayLike, groups: Any = None) -> Iterator[tuple[Ids, Ids]]:
        """Yield the numbers of the rows to train on and of those to test on.

        Args:
            X: Not read.
            y: The class name of every row.
            groups: Not read.

        Raises:
            ConfigError: If there are too few classes for so many splits.
        """
        classes, labels = np.unique(np.asarray(y), return_inverse=True)
        rng = np.random.default_rng(self.seed)
        for unseen_ids in self._unseen(len(classes), rng):
            unseen = np.isin(labels, unseen_ids)
            seen_rows = np.flatnonzero(~unseen)
            heldout = held_out(labels[seen_rows], None, (), rng)
            yield seen_rows[~heldout], np.sort(np.concatenate([seen_rows[heldout], np.flatnonzero(unseen)]))

    @abstractmethod
    def _unseen(self, n_classes: int, rng: np.random.Generator) -> Iterator[Ids]:
        """Yield the classes that play unseen, split by split."""

    def _refuse(self, n_classes: int, expected: str) -> ConfigError:
        return ConfigError(
            f"{type(self).__name__} cannot split these classes",
            expected=expected,
            received=f"n_splits {self.n_splits} and {n_classes} classes",
            remedy="Ask for fewer splits, or for fewer unseen classes.",
        )


class ClassKFold(ClassSplitter):
    """Every class plays unseen in exactly one split.

    Args:
        n_splits: How many splits, at least 2.
        seed: Decides who plays unseen and which rows are held out.

    Example:
        >>> y = np.repeat(["cat", "dog", "eel", "fox", "gnu", "hen"], 5)
        >>> for train, test in ClassKFold(3).split(None, y):
        ...     print(np.setdiff1d(y, y[train]), len(train), len(test))
        ['eel' 'fox'] 16 14
        ['gnu' 'hen'] 16 14
        ['cat' 'dog'] 16 14
    """

    def _unseen(self, n_classes: int, rng: np.random.Generator) -> Iterator[Ids]:
        smallest_rest = n_classes - -(-n_classes // max(1, self.n_splits))
        if self.n_splits < 2 or self.n_splits > n_classes or smallest_rest < _FEWEST_SEEN:
            raise self._refuse(n_classes, "n_splits of at least 2, and at least two seen classes in every split")
        yield from np.array_split(rng.permutation(n_classes), self.n_splits)


class SeenUnseenSplit(ClassSplitter):
    """In every split, a random share of the classes plays unseen.

    Args:
        n_splits: How many splits, at least 1.
        unseen_share: The share of classes that play unseen, in (0, 1).
        seed: Decides who plays unseen and which rows are held out.
    """

    def __init__(self, n_splits: int = 3, *, unseen_share: float = 0.25, seed: int = 0) -> None:
        super().__init__(n_splits, seed=seed)
        self.unseen_share = unseen_share

    def _unseen(self, n_classes: int, rng: np.random.Generator) -> Iterator[Ids]:
        n_unseen = max(1, round(self.unseen_share * n_classes))
        if self.n_splits < 1 or not 0 < self.unseen_share < 1 or n_classes - n_unseen < _FEWEST_SEEN:
            raise self._refuse(n_classes, "n_splits of at least 1, and at least two seen classes")
        for _ in range(self.n_splits):
            yield rng.choice(n_classes, size=n_unseen, replace=False)


def t1_score(estimator: Any, X: Any, y: ArrayLike) -> float:
    """Return T1: the mean per-class accuracy of rows of unseen classes when only these may be answered, in [0, 1].

    This and the other scorers go to scikit-learn as ``scoring``. Rows of seen classes are not read here.

    Args:
        estimator: A fitted ``GenerativeZSL``, or a pipeline or search around one.
        X: Features.
        y: The class name of every row.

    Raises:
        DataError: If no row is of an unseen class.
    """
    scores, labels, _, unseen_ids = _judged(estimator, X, y)
    rows = np.isin(labels, unseen_ids)
    if not rows.any():
        raise DataError(
            "T1 cannot be measured",
            expected="rows of unseen classes",
            received=f"{len(labels)} rows, all of seen classes",
            remedy="Split by class, with ClassKFold or SeenUnseenSplit.",
        )
    answers = best_among(scores[rows], unseen_ids)[0]
    return float(per_class_accuracy(labels[rows], answers, np.unique(labels[rows])).mean())


def u_score(estimator: Any, X: Any, y: ArrayLike) -> float:
    """Return U: the mean per-class accuracy of rows of unseen classes among all classes, corrected, in [0, 1]."""
    return _metrics(estimator, X, y).u


def s_score(estimator: Any, X: Any, y: ArrayLike) -> float:
    """Return S: the mean per-class accuracy of rows of seen classes among all classes, corrected, in [0, 1]."""
    return _metrics(estimator, X, y).s


def h_score(estimator: Any, X: Any, y: ArrayLike) -> float:
    """Return H, the harmonic mean of U and S, corrected, in [0, 1].

    Raises:
        DataError: If there are not rows of both seen and unseen classes.
    """
    return _metrics(estimator, X, y).h


def ausuc_score(estimator: Any, X: Any, y: ArrayLike) -> float:
    """Return the area under seen against unseen accuracy over all offsets, in [0, 1]; no correction changes it."""
    return _metrics(estimator, X, y).ausuc


def _metrics(estimator: Any, X: Any, y: ArrayLike) -> Metrics:
    scores, labels, seen_ids, unseen_ids = _judged(estimator, X, y)
    return evaluate_scores(scores, labels, seen_ids=seen_ids, unseen_ids=unseen_ids)


def _judged(estimator: Any, X: Any, y: ArrayLike) -> tuple[Scores, Labels, Ids, Ids]:
    """Return corrected scores, class ids of the rows, and the two kinds of classes."""
    fitted = _innermost(estimator)
    index = {name: class_id for class_id, name in enumerate(fitted.classes_.tolist())}
    names = label_names(y).tolist()
    for name in names:
        if name not in index:
            raise unknown_name("class", str(name), map(str, index))
    labels = np.array([index[name] for name in names], dtype=np.int64)
    # It answers torch features in torch, also through pipelines and searches.
    scores = estimator.decision_function(X)
    if isinstance(scores, torch.Tensor):
        scores = scores.cpu().numpy()
    return scores, labels, fitted.seen_ids_, fitted.unseen_ids_


def _innermost(estimator: Any) -> Any:
    """Return the estimator that knows the classes, inside pipelines and searches."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator
