"""Seeded splits of classes: other unseen classes for development, and rehearsals of zero-shot learning.

Both redraw who is unseen. A class split redraws it for a whole data set. A rehearsal happens inside
the training view: some seen classes play unseen, so that choices can be made without any test row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from zslearn.data.checks import read_only
from zslearn.data.dataset import TrainingView, ZSLDataset
from zslearn.data.mapped import AnyRows, MappedRows, in_place, some_per_class, taken
from zslearn.errors import ConfigError, DataError
from zslearn.shapes import Ids, Labels, Mask

HELDOUT_SHARE = 0.2
"""The share of seen samples that a split holds out."""
MOST_REHEARSAL_ROWS = 1 << 16
"""Of more rows than this, as many are drawn, evenly over the classes, for a rehearsal to be measured on."""
MIN_REHEARSAL_CLASSES = 12
"""With fewer seen classes than this there is no rehearsal."""


def class_split(dataset: ZSLDataset, n: int) -> ZSLDataset:
    """Redraw which classes are unseen.

    As many classes as in `dataset` become unseen, all their rows test rows. Of the other classes,
    the rows of `heldout_groups`, or 20 % per class drawn at random (whole groups where the data set
    has groups), are held out. Rows that no part of `dataset` uses stay unused.

    Args:
        dataset: The data set with its official split.
        n: The number of the split, at least 0: the seed of ``numpy.random.default_rng``.

    Raises:
        ConfigError: If `n` is negative.
    """
    if n < 0:
        raise ConfigError(
            "the number of a class split is negative",
            expected="0 or more",
            received=str(n),
            remedy="Use splits 0-4 for development and 5-9 for closing measurements.",
        )
    rng = np.random.default_rng(n)
    unseen_ids = np.sort(rng.choice(dataset.n_classes, size=len(dataset.unseen_ids), replace=False))
    rows = np.sort(np.concatenate([dataset.train_rows, dataset.test_seen_rows, dataset.test_unseen_rows]))
    _check_rows_per_class(dataset, rows)
    unseen = np.isin(dataset.labels[rows], unseen_ids)
    seen_rows = rows[~unseen]
    heldout = held_out(
        dataset.labels[seen_rows],
        None if dataset.groups is None else dataset.groups[seen_rows],
        dataset.heldout_groups,
        rng,
    )
    return replace(
        dataset,
        seen_ids=np.setdiff1d(np.arange(dataset.n_classes), unseen_ids),
        unseen_ids=unseen_ids,
        train_rows=seen_rows[~heldout],
        test_seen_rows=seen_rows[heldout],
        test_unseen_rows=rows[unseen],
        split=str(n),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class RehearsalFold:
    """Zero-shot learning in small: some seen classes play unseen, the true unseen ones are absent.

    In its views and labels, class ``i`` stands for class ``view.seen_ids[i]`` of the training view.
    """

    view: TrainingView
    """The training view that the fold is cut from."""
    train_rows: Ids
    """Rows of `view` to train on."""
    test_rows: Ids
    """Rows of `view` to measure on."""
    pretend_unseen: Ids
    """Sorted ids, in the numbering of `view`, of the classes that play unseen."""

    @property
    def seen_ids(self) -> Ids:
        """Sorted ids, in the numbering of the fold, of the classes that have training rows."""
        return self._renumbered(np.setdiff1d(self.view.seen_ids, self.pretend_unseen))

    @property
    def unseen_ids(self) -> Ids:
        """Sorted ids, in the numbering of the fold, of the classes that play unseen."""
        return self._renumbered(self.pretend_unseen)

    @property
    def training(self) -> TrainingView:
        """What the rehearsal may train on; copied anew at each access, so that folds stay small."""
        return self._training(taken(self.view.features, self.train_rows))

    @property
    def training_in_place(self) -> TrainingView:
        """The same without a copy of the rows, for what goes through them a few times."""
        return self._training(in_place(self.view.features, self.train_rows))

    @property
    def test_features(self) -> MappedRows:
        """The rows that the rehearsal is measured on, without a copy."""
        return in_place(self.view.features, self.test_rows)

    @property
    def test_labels(self) -> Labels:
        """Their classes, in the numbering of the fold."""
        return self._renumbered(self.view.labels[self.test_rows])

    def _training(self, features: AnyRows) -> TrainingView:
        view = self.view
        return replace(
            view,
            features=features,
            labels=self._renumbered(view.labels[self.train_rows]),
            semantics=view.semantics[view.seen_ids],
            class_names=tuple(view.class_names[i] for i in view.seen_ids),
            seen_ids=self.seen_ids,
            unseen_ids=self.unseen_ids,
            groups=None if view.groups is None else view.groups[self.train_rows],
            rehearsal_groups=(),
        )

    def _renumbered(self, ids: Ids) -> Ids:
        return np.searchsorted(self.view.seen_ids, ids).astype(np.int64)


def rehearsal_folds(view: TrainingView, *, seed: int, n_folds: int = 3) -> tuple[RehearsalFold, ...]:
    """Cut a training view into rehearsals whose pretend-unseen classes are disjoint.

    With S seen and U unseen classes, ``max(3, min(U, S // 4))`` seen classes play unseen in each
    fold and all their rows are test rows. Of the others, the rows of `rehearsal_groups`, or 20 %
    per class drawn at random (whole groups where the view has groups), are test rows too.

    Args:
        view: What the final model will be trained on.
        seed: Same seed, same folds; at least 0.
        n_folds: How many, at least 1.

    Returns:
        The folds; none of them where fewer than 12 classes are seen, or where a fold could hold out no row of the
        classes that stay seen, as where each of these has a single row or group.

    Raises:
        ConfigError: If there are too few classes for so many folds.
    """
    n_seen = len(view.seen_ids)
    if n_seen < MIN_REHEARSAL_CLASSES:
        return ()
    n_pretend = max(3, min(len(view.unseen_ids), n_seen // 4))
    if not 1 <= n_folds <= n_seen // n_pretend:
        raise ConfigError(
            "the number of rehearsal folds does not fit the classes",
            expected=f"1 to {n_seen // n_pretend} folds of {n_pretend} of the {n_seen} seen classes",
            received=str(n_folds),
            remedy="Ask for fewer folds.",
        )
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(view.seen_ids)
    folds = tuple(_fold(view, np.sort(shuffled[i * n_pretend : (i + 1) * n_pretend]), rng) for i in range(n_folds))
    return folds if all(np.isin(fold.test_labels, fold.seen_ids).any() for fold in folds) else ()


def _fold(view: TrainingView, pretend_unseen: Ids, rng: np.random.Generator) -> RehearsalFold:
    unseen = np.isin(view.labels, pretend_unseen)
    seen_rows = np.flatnonzero(~unseen)
    heldout = held_out(
        view.labels[seen_rows],
        None if view.groups is None else view.groups[seen_rows],
        view.rehearsal_groups,
        rng,
    )
    test_rows = np.sort(np.concatenate([seen_rows[heldout], np.flatnonzero(unseen)]))
    return RehearsalFold(
        view=view,
        train_rows=read_only(seen_rows[~heldout]),
        test_rows=read_only(test_rows[some_per_class(view.labels[test_rows], MOST_REHEARSAL_ROWS)]),
        pretend_unseen=read_only(pretend_unseen),
    )


def held_out(labels: Labels, groups: Labels | None, fixed_groups: tuple[int, ...], rng: np.random.Generator) -> Mask:
    """Choose rows to hold out; every class keeps at least one row.

    Args:
        labels: The class of each row.
        groups: Rows with the same number stay together; None: every row stands alone.
        fixed_groups: The groups to hold out; empty: 20 % per class, drawn at random.
        rng: Decides the draw.
    """
    if groups is None:
        return _random_rows(labels, rng)
    if fixed_groups:
        return np.isin(groups, fixed_groups)
    return np.isin(groups, _random_groups(labels, groups, rng))


def _random_rows(labels: Labels, rng: np.random.Generator) -> Mask:
    heldout = np.zeros(len(labels), dtype=np.bool_)
    for rows in _rows_by_class(labels):
        n_heldout = min(max(1, round(HELDOUT_SHARE * len(rows))), len(rows) - 1)
        heldout[rng.permutation(rows)[:n_heldout]] = True
    return heldout


def _random_groups(labels: Labels, groups: Labels, rng: np.random.Generator) -> Ids:
    """Choose groups until each class has 20 % held out or would lose its last row."""
    names, group_of_row = np.unique(groups, return_inverse=True)
    heldout = np.zeros(len(names), dtype=np.bool_)
    class_ids, class_of_row = np.unique(labels, return_inverse=True)
    n_kept = np.bincount(class_of_row)
    n_wanted = np.maximum(1, np.round(HELDOUT_SHARE * n_kept)).astype(np.int64)
    n_floor = n_kept - n_wanted
    rows_of_group = np.split(np.argsort(group_of_row, kind="stable"), np.cumsum(np.bincount(group_of_row))[:-1])
    groups_of_class = [np.unique(group_of_row[rows]) for rows in _rows_by_class(labels)]
    for i in range(len(class_ids)):
        for group in rng.permutation(groups_of_class[i]):
            if n_kept[i] <= n_floor[i]:
                break
            lost = np.bincount(class_of_row[rows_of_group[group]], minlength=len(class_ids))
            if not heldout[group] and (n_kept - lost > 0).all():
                heldout[group] = True
                n_kept = n_kept - lost
    return names[heldout]


def _rows_by_class(labels: Labels) -> list[Ids]:
    order = np.argsort(labels, kind="stable")
    _, counts = np.unique(labels, return_counts=True)
    return np.split(order, np.cumsum(counts)[:-1])


def _check_rows_per_class(dataset: ZSLDataset, rows: Ids) -> None:
    n_per_class = np.bincount(dataset.labels[rows], minlength=dataset.n_classes)
    bare = np.flatnonzero(n_per_class == 0)
    if bare.size:
        raise DataError(
            "a class split needs rows of every class",
            expected="at least one row of each class, seen or unseen",
            received=f"no row of {dataset.class_names[bare[0]]} and {len(bare) - 1} other classes",
            remedy="Use the official split.",
        )
