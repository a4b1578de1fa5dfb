from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zslearn.data.dataset import TrainingView, ZSLDataset
from zslearn.data.splits import class_split, rehearsal_folds
from zslearn.errors import ConfigError, DataError

GROUPINGS = ("none", "crossing", "nested", "fixed")


@st.composite
def datasets(draw) -> ZSLDataset:
    """Data sets of 13 to 40 classes; features hold the row number, semantics the class id plus one."""
    n_seen, n_unseen = draw(st.integers(12, 30)), draw(st.integers(1, 10))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_classes = n_seen + n_unseen
    n_per_class = rng.integers(7, 14, size=n_classes)
    labels = rng.permutation(np.repeat(np.arange(n_classes), n_per_class))
    seen_ids = np.sort(rng.permutation(n_classes)[:n_seen])
    grouping = draw(st.sampled_from(GROUPINGS))
    groups = None
    if grouping in ("crossing", "fixed"):
        # Every class has rows of every group, as letters have of every typeface.
        groups = np.empty(len(labels), dtype=np.int64)
        for i in range(n_classes):
            groups[labels == i] = np.arange(n_per_class[i]) % 7
    if grouping == "nested":
        groups = labels * 10 + rng.integers(0, 5, size=len(labels))
    rows = np.arange(len(labels))
    first_of_class = np.unique(labels, return_index=True)[1]
    is_seen = np.isin(labels, seen_ids)
    is_test = ~np.isin(rows, first_of_class) & (rng.random(len(labels)) < 0.2)
    if grouping == "fixed":
        is_test = groups == 5
    return ZSLDataset(
        name="random",
        features=rows[:, None].astype(np.float32),
        labels=labels,
        semantics=np.arange(1.0, n_classes + 1)[:, None],
        class_names=tuple(f"name {i}" for i in range(n_classes)),
        seen_ids=seen_ids,
        unseen_ids=np.setdiff1d(np.arange(n_classes), seen_ids),
        train_rows=rows[is_seen & ~is_test],
        test_seen_rows=rows[is_seen & is_test],
        test_unseen_rows=rows[~is_seen],
        groups=groups,
        heldout_groups=(5,) if grouping == "fixed" else (),
        rehearsal_groups=(2, 3) if grouping == "fixed" else (),
    )


def groups_of(view_groups: np.ndarray | None, rows: np.ndarray) -> set[int]:
    return set() if view_groups is None else set(view_groups[rows].tolist())


@settings(max_examples=60)
@given(dataset=datasets(), n=st.integers(0, 50))
def test_class_split_keeps_counts_and_leaks_nothing(dataset, n):
    split = class_split(dataset, n)
    assert split.split == str(n)
    assert len(split.unseen_ids) == len(dataset.unseen_ids)
    used = np.concatenate([split.train_rows, split.test_seen_rows, split.test_unseen_rows])
    assert len(np.unique(used)) == len(used) == len(dataset.labels)
    assert set(split.labels[split.train_rows]) == set(split.seen_ids)
    assert set(split.labels[split.test_unseen_rows]) == set(split.unseen_ids)
    assert set(split.labels[split.test_seen_rows]) <= set(split.seen_ids)
    assert not groups_of(split.groups, split.train_rows) & groups_of(split.groups, split.test_seen_rows)


@settings(max_examples=30)
@given(dataset=datasets(), n=st.integers(0, 50))
def test_class_split_holds_out_a_fifth_of_each_class_or_the_named_groups(dataset, n):
    split = class_split(dataset, n)
    if split.heldout_groups:
        assert groups_of(split.groups, split.test_seen_rows) == set(split.heldout_groups)
        return
    for i in split.seen_ids:
        n_rows = np.sum(split.labels == i)
        n_heldout = np.sum(split.labels[split.test_seen_rows] == i)
        if split.groups is None:
            assert n_heldout == round(0.2 * n_rows)
        else:
            assert n_heldout < n_rows


@settings(max_examples=30)
@given(dataset=datasets(), n=st.integers(0, 50))
def test_class_split_depends_on_its_number_and_the_data_alone(dataset, n):
    first, again = class_split(dataset, n), class_split(dataset, n)
    assert first.checksum == again.checksum
    np.testing.assert_array_equal(first.train_rows, again.train_rows)
    drawn = np.random.default_rng(n).choice(dataset.n_classes, size=len(dataset.unseen_ids), replace=False)
    np.testing.assert_array_equal(first.unseen_ids, np.sort(drawn))


def test_class_splits_differ(toy_dataset):
    drawn = {tuple(class_split(toy_dataset, n).unseen_ids) for n in range(5)}
    assert len(drawn) == 5


def test_rows_that_no_part_uses_stay_unused(toy_dataset):
    unused = np.setdiff1d(
        np.arange(len(toy_dataset.labels)),
        np.concatenate([toy_dataset.train_rows, toy_dataset.test_seen_rows, toy_dataset.test_unseen_rows]),
    )
    split = class_split(toy_dataset, 0)
    assert unused.size
    for part in (split.train_rows, split.test_seen_rows, split.test_unseen_rows):
        assert not np.intersect1d(part, unused).size


def test_class_split_refuses_what_it_cannot_do(toy_dataset):
    with pytest.raises(ConfigError, match=r"number of a class split is negative .*received -1"):
        class_split(toy_dataset, -1)
    with pytest.raises(DataError, match=r"needs rows of every class .*no row of kind"):
        class_split(replace(toy_dataset, test_unseen_rows=np.array([], dtype=int)), 0)


@settings(max_examples=60)
@given(dataset=datasets(), seed=st.integers(0, 50))
def test_rehearsal_folds_are_disjoint_and_leak_nothing(dataset, seed):
    view = dataset.training()
    folds = rehearsal_folds(view, seed=seed)
    n_seen = len(view.seen_ids)
    pretend = np.concatenate([fold.pretend_unseen for fold in folds])
    assert len(folds) == 3
    assert len(np.unique(pretend)) == len(pretend) == 3 * max(3, min(len(view.unseen_ids), n_seen // 4))
    assert set(pretend) <= set(view.seen_ids)
    for fold in folds:
        training = fold.training
        train_rows, test_rows = training.features[:, 0], fold.test_features[:][:, 0]
        assert not np.intersect1d(train_rows, test_rows).size
        assert len(train_rows) + len(test_rows) == len(view.labels)
        assert set(training.labels) == set(training.seen_ids)
        assert set(training.seen_ids) | set(training.unseen_ids) == set(range(n_seen))
        np.testing.assert_array_equal(fold.unseen_ids, training.unseen_ids)
        n_pretend_rows = np.isin(view.labels, fold.pretend_unseen).sum()
        assert np.isin(fold.test_labels, fold.unseen_ids).sum() == n_pretend_rows


@settings(max_examples=60)
@given(dataset=datasets(), seed=st.integers(0, 50))
def test_rehearsal_numbers_stand_for_the_same_classes(dataset, seed):
    view = dataset.training()
    for fold in rehearsal_folds(view, seed=seed):
        training = fold.training
        np.testing.assert_array_equal(training.semantics, dataset.semantics[view.seen_ids])
        assert training.class_names == tuple(dataset.class_names[i] for i in view.seen_ids)
        np.testing.assert_array_equal(view.seen_ids[training.unseen_ids], fold.pretend_unseen)
        for features, labels in ((training.features, training.labels), (fold.test_features, fold.test_labels)):
            rows = features[:][:, 0].astype(int)
            np.testing.assert_array_equal(view.seen_ids[labels], dataset.labels[rows])
        if dataset.groups is not None:
            np.testing.assert_array_equal(training.groups, dataset.groups[training.features[:, 0].astype(int)])


@settings(max_examples=60)
@given(dataset=datasets(), seed=st.integers(0, 50))
def test_rehearsal_holds_out_whole_groups(dataset, seed):
    view = dataset.training()
    for fold in rehearsal_folds(view, seed=seed):
        heldout = fold.test_rows[~np.isin(view.labels[fold.test_rows], fold.pretend_unseen)]
        if view.groups is None:
            for i in np.setdiff1d(view.seen_ids, fold.pretend_unseen):
                n_rows = np.sum(view.labels == i)
                n_heldout = min(max(1, round(0.2 * n_rows)), n_rows - 1)
                assert np.sum(view.labels[heldout] == i) == n_heldout
        else:
            assert not groups_of(view.groups, heldout) & groups_of(view.groups, fold.train_rows)
        if view.rehearsal_groups:
            assert groups_of(view.groups, heldout) == set(view.rehearsal_groups)


def test_rehearsals_are_repeatable_and_follow_the_seed(toy_dataset):
    view = toy_dataset.training()
    first, again, other = (rehearsal_folds(view, seed=seed) for seed in (4, 4, 5))
    for fold, same in zip(first, again, strict=True):
        for field in fields(TrainingView):
            np.testing.assert_array_equal(getattr(fold.training, field.name), getattr(same.training, field.name))
            in_place, copied = (getattr(each, field.name) for each in (fold.training_in_place, fold.training))
            np.testing.assert_array_equal(in_place, copied)
    assert any(set(a.pretend_unseen) != set(b.pretend_unseen) for a, b in zip(first, other, strict=True))


def test_true_unseen_classes_are_absent_from_rehearsals(toy_dataset):
    view = toy_dataset.training()
    changed = view.semantics.copy()
    changed[view.unseen_ids] = 7.0
    pairs = zip(rehearsal_folds(view, seed=0), rehearsal_folds(replace(view, semantics=changed), seed=0), strict=True)
    for fold, same in pairs:
        np.testing.assert_array_equal(fold.training.semantics, same.training.semantics)


def few_classes(n_seen: int) -> TrainingView:
    return TrainingView(
        name="few",
        features=np.zeros((2 * n_seen, 1)),
        labels=np.arange(2 * n_seen) // 2,
        semantics=np.ones((n_seen + 1, 1)),
        class_names=tuple(str(i) for i in range(n_seen + 1)),
        seen_ids=np.arange(n_seen),
        unseen_ids=np.array([n_seen]),
    )


def test_there_is_no_rehearsal_with_fewer_than_12_seen_classes():
    assert rehearsal_folds(few_classes(11), seed=0) == ()
    assert [len(fold.pretend_unseen) for fold in rehearsal_folds(few_classes(12), seed=0)] == [3, 3, 3]


@pytest.mark.parametrize("n_folds", [0, 5])
def test_too_many_folds_are_refused(n_folds):
    with pytest.raises(ConfigError, match=f"expected 1 to 4 folds of 3 of the 12 seen classes; received {n_folds}"):
        rehearsal_folds(few_classes(12), seed=0, n_folds=n_folds)


def test_a_class_never_loses_its_last_row():
    labels = np.repeat(np.arange(12), [1, 2] * 6)
    view = replace(few_classes(12), features=np.zeros((18, 1)), labels=labels)
    folds = rehearsal_folds(view, seed=0)
    assert len(folds) == 3
    for fold in folds:
        assert set(labels[fold.train_rows]) == set(range(12)) - set(fold.pretend_unseen)


def test_random_groups_do_not_take_a_class_with_a_single_group():
    view = few_classes(12)
    one_in_every_second = replace(view, groups=np.where(view.labels % 2 == 0, view.labels, 12 + np.arange(24)))
    folds = rehearsal_folds(one_in_every_second, seed=1)
    assert len(folds) == 3
    for fold in folds:
        assert set(view.labels[fold.train_rows]) == set(range(12)) - set(fold.pretend_unseen)


def test_there_is_no_rehearsal_where_no_row_of_a_seen_class_can_be_held_out():
    view = few_classes(12)
    single = replace(view, features=np.zeros((12, 1)), labels=np.arange(12))
    assert rehearsal_folds(single, seed=0) == ()
    assert rehearsal_folds(replace(view, groups=view.labels), seed=0) == ()
    # Those with two rows play unseen in one of the folds.
    pretend = rehearsal_folds(view, seed=0)[1].pretend_unseen
    labels = np.sort(np.concatenate([np.arange(12), pretend]))
    assert rehearsal_folds(replace(view, features=np.zeros((15, 1)), labels=labels), seed=0) == ()
