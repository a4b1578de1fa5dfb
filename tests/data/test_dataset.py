from __future__ import annotations

import hashlib
import json
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from zslearn.data.dataset import TestView, TrainingView, ZSLDataset
from zslearn.errors import DataError


def small(**changes) -> ZSLDataset:
    """Three classes, two rows each: 0 and 2 are seen, 1 is unseen."""
    parts = {
        "name": "small",
        "features": np.arange(12, dtype=np.float32).reshape(6, 2) - 4,
        "labels": np.array([0, 0, 1, 1, 2, 2]),
        "semantics": np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
        "class_names": ("a", "b", "c"),
        "seen_ids": np.array([2, 0]),
        "unseen_ids": np.array([1]),
        "train_rows": np.array([4, 0]),
        "test_seen_rows": np.array([5, 1]),
        "test_unseen_rows": np.array([2, 3]),
    }
    return ZSLDataset(**(parts | changes))


def with_value(row: int, value: float) -> np.ndarray:
    features = np.zeros((6, 2), dtype=np.float32)
    features[row, 1] = value
    return features


BAD_PARTS = [
    ({"features": with_value(3, np.nan)}, "features hold NaN or infinite values .*nan in row 3, column 1"),
    ({"features": with_value(5, -np.inf)}, "received -inf in row 5, column 1"),
    ({"features": np.full((6, 2), 1e300)}, "within the range of their type; received inf in row 0"),
    ({"features": np.zeros(6)}, r"features have the wrong dimensions .*shape \(6,\)"),
    ({"features": np.zeros((6, 0))}, r"received shape \(6, 0\)"),
    ({"features": np.array([["x", "y"]] * 6)}, "features are not numbers .*Convert them"),
    ({"features": [[1, 2], [3]] + [[1, 2]] * 4}, "features are ragged"),
    (
        {"labels": np.array([0, 0, 1, 1, 2, 3])},
        "labels are out of range .*-1 to 2; received numbers from 0 to 3",
    ),
    ({"labels": np.array([0, 0, 1, 1, 2, -2])}, "received numbers from -2 to 2"),
    ({"labels": np.array([0, 0, 1, 1, 2, -1])}, "test_seen_rows hold rows without a label"),
    ({"labels": np.array([0, 0, 1, 1, 2, 1.5])}, "labels are not all whole numbers .*1.5"),
    ({"labels": np.array([0, 0, 1, 1, 2])}, "labels and features do not match .*6 rows .*5 labels"),
    ({"labels": np.zeros((6, 1))}, "labels have the wrong dimensions"),
    ({"semantics": np.eye(3)[:2]}, "semantics and class names do not match .*3 rows.*2 rows"),
    (
        {"semantics": np.array([[1.0], [0.0], [1.0]])},
        "classes without usable semantics .*all-zero semantics for b",
    ),
    ({"semantics": np.array([[1.0], [1.0], [np.nan]])}, "classes without usable semantics .*for c"),
    ({"semantics": np.ones(3)}, "semantics have the wrong dimensions"),
    ({"class_names": ("a", "b", "a")}, "class names are not distinct .*a more than once"),
    ({"class_names": ("a", "", "c")}, "received an empty name"),
    ({"unseen_ids": np.array([1, 2])}, "seen and unseen classes overlap .*class ids 2 in both"),
    ({"unseen_ids": np.array([], dtype=int), "seen_ids": np.arange(3)}, "there is no unseen class"),
    ({"seen_ids": np.array([], dtype=int), "unseen_ids": np.arange(3)}, "there is no seen class"),
    ({"seen_ids": np.array([0])}, "neither seen nor unseen .*class ids 2 on none"),
    ({"unseen_ids": np.array([3])}, "unseen class ids are out of range"),
    (
        {"train_rows": np.array([0, 4, 5])},
        "rows that are used twice .*row 5 in train_rows and test_seen_rows",
    ),
    ({"train_rows": np.array([0, 0, 4])}, "used twice .*row 0 in train_rows"),
    ({"train_rows": np.array([0, 4, 6])}, "train_rows are out of range"),
    (
        {"train_rows": np.array([0, 4, 3]), "test_unseen_rows": np.array([2])},
        "training rows of unseen classes .*of b",
    ),
    ({"train_rows": np.array([0])}, "seen classes without training rows .*none of c"),
    (
        {"test_seen_rows": np.array([2]), "test_unseen_rows": np.array([3])},
        "test_seen_rows hold rows of unseen .*b",
    ),
    (
        {"test_seen_rows": np.array([1]), "test_unseen_rows": np.array([5])},
        "test_unseen_rows hold rows of seen .*c",
    ),
    ({"groups": np.arange(5)}, "groups and features do not match"),
    ({"image_shape": (2, 2)}, "image shape and features do not match .*2 x 2"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_PARTS)
def test_each_fault_is_named_with_a_remedy(changes, message):
    with pytest.raises(DataError, match=message) as caught:
        small(**changes)
    assert caught.value.remedy


def test_ids_and_rows_are_sorted():
    dataset = small()
    assert dataset.seen_ids.tolist() == [0, 2]
    assert dataset.train_rows.tolist() == [0, 4]
    assert dataset.test_seen_rows.tolist() == [1, 5]


def test_training_view_holds_training_rows_only():
    dataset = small(groups=np.arange(6) + 10)
    view = dataset.training()
    np.testing.assert_array_equal(view.features, dataset.features[[0, 4]])
    np.testing.assert_array_equal(view.labels, [0, 2])
    np.testing.assert_array_equal(view.groups, [10, 14])
    assert not any("test" in field.name or "heldout" in field.name for field in fields(TrainingView))


def test_training_view_does_not_depend_on_test_rows():
    dataset = small()
    poisoned = dataset.features.copy()
    poisoned[[1, 2, 3, 5]] = 1e6
    view, other = dataset.training(), replace(dataset, features=poisoned).training()
    for field in fields(TrainingView):
        np.testing.assert_array_equal(getattr(view, field.name), getattr(other, field.name))


def test_test_view_holds_all_test_rows():
    view = small().test()
    np.testing.assert_array_equal(view.labels, [0, 2, 1, 1])
    np.testing.assert_array_equal(view.features, small().features[[1, 5, 2, 3]])


def test_views_are_checked_too(toy_dataset):
    view = toy_dataset.training()
    with pytest.raises(DataError, match=r"training rows of unseen classes"):
        replace(view, labels=np.full(len(view.labels), view.unseen_ids[0]))
    with pytest.raises(DataError, match=r"labels are out of range"):
        TestView(features=np.ones((1, 2)), labels=[2], seen_ids=[0], unseen_ids=[1])


def test_values_are_frozen_and_the_caller_keeps_control_of_its_own_arrays():
    features = np.ones((6, 2), dtype=np.float32)
    dataset = small(features=features)
    with pytest.raises(FrozenInstanceError):
        dataset.name = "other"
    for field in fields(dataset):
        value = getattr(dataset, field.name)
        if isinstance(value, np.ndarray):
            with pytest.raises(ValueError, match=r"read-only"):
                value[0] = 0
    features[0, 0] = 2


def test_float32_features_are_not_copied_and_other_types_become_float32():
    features = np.ones((6, 2), dtype=np.float32)
    assert np.shares_memory(small(features=features).features, features)
    assert small(features=np.ones((6, 2), dtype=int)).features.dtype == np.float32
    half = small(features=np.ones((6, 2), dtype=np.float16))
    assert half.features.dtype == np.float16
    assert half.training().features.dtype == np.float32


def test_memory_maps_stay_mapped(tmp_path):
    np.save(tmp_path / "features.npy", small().features)
    mapped = small(features=np.load(tmp_path / "features.npy", mmap_mode="r"))
    assert isinstance(mapped.features, np.memmap)
    assert mapped.checksum == small().checksum


def test_checksum_is_sha256_of_the_parts():
    dataset = small()
    digest = hashlib.sha256()
    for part in (
        dataset.features,
        dataset.labels,
        dataset.semantics,
        dataset.train_rows,
        dataset.test_seen_rows,
        dataset.test_unseen_rows,
    ):
        digest.update(f"{part.dtype.str}{part.shape}".encode() + part.tobytes())
    assert dataset.checksum == digest.hexdigest()


def test_checksum_in_several_chunks_equals_the_one_of_whole_bytes():
    features = np.random.default_rng(0).normal(size=(6, 1 << 20)).astype(np.float32)
    dataset, other = small(features=features), small(features=np.asfortranarray(features))
    assert dataset.checksum == other.checksum
    digest = hashlib.sha256(f"<f4{features.shape}".encode() + features.tobytes())
    for part in (dataset.labels, dataset.semantics):
        digest.update(f"{part.dtype.str}{part.shape}".encode() + part.tobytes())
    for part in (dataset.train_rows, dataset.test_seen_rows, dataset.test_unseen_rows):
        digest.update(f"{part.dtype.str}{part.shape}".encode() + part.tobytes())
    assert dataset.checksum == digest.hexdigest()


@pytest.mark.parametrize(
    "changes",
    [
        {"features": with_value(0, 1)},
        {"semantics": np.eye(3)},
        {"test_unseen_rows": np.array([2])},
        {
            "labels": np.array([0, 0, 1, 1, 2, 2]),
            "train_rows": np.array([1, 4]),
            "test_seen_rows": np.array([0, 5]),
        },
    ],
)
def test_checksum_changes_with_content(changes):
    assert small(**changes).checksum != small().checksum


def test_checksum_tells_apart_what_a_rehearsal_holds_out():
    herds = {"groups": np.array([0, 1, 0, 1, 0, 1])}
    datasets = [
        small(),
        small(**herds),
        small(**herds, rehearsal_groups=(1,)),
        small(**herds, rehearsal_groups=(0,)),
        small(groups=np.arange(6)),
    ]
    assert len({dataset.checksum for dataset in datasets}) == len(datasets)
    assert small(**herds).checksum == datasets[1].checksum


def test_checksum_ignores_what_a_data_set_is_called():
    assert small(name="other", source="elsewhere").checksum == small().checksum


def test_facts_are_json_and_true():
    facts = json.loads(json.dumps(small(warnings=("watch out",)).facts()))
    assert (facts["n_rows"], facts["n_train"], facts["n_test_seen"], facts["n_test_unseen"]) == (6, 2, 2, 2)
    assert (facts["n_seen"], facts["n_unseen"], facts["feature_dim"], facts["semantic_dim"]) == (2, 1, 2, 2)
    assert facts["seen"] == ["a", "c"]
    assert facts["unseen"] == ["b"]
    assert facts["warnings"] == ["watch out"]
    assert facts["checksum"] == small().checksum
    assert facts["non_negative"] is False
    assert small(features=np.ones((6, 2))).facts()["non_negative"] is True


def test_whether_features_are_non_negative_is_read_from_training_rows():
    assert small(features=np.array([[1], [-1], [-1], [-1], [1], [-1]])).facts()["non_negative"] is True


def test_toy_is_hard_in_the_raw_space_and_easy_in_the_whitened_one(toy_dataset):
    view, test = toy_dataset.training(), toy_dataset.test()
    means = np.stack([view.features[view.labels == i].mean(axis=0) for i in view.seen_ids])
    within = view.features - means[np.searchsorted(view.seen_ids, view.labels)]
    whiten = np.linalg.cholesky(np.linalg.inv(np.cov(within.T)))
    seen = np.isin(test.labels, test.seen_ids)

    def accuracy(transform: np.ndarray) -> float:
        distances = np.linalg.norm((test.features[seen] @ transform)[:, None] - means @ transform, axis=2)
        return float((view.seen_ids[distances.argmin(axis=1)] == test.labels[seen]).mean())

    assert accuracy(np.eye(20)) < 0.8
    assert accuracy(whiten) > 0.95
