"""What is in the test view can change nothing that is trained or chosen."""

from dataclasses import replace

import numpy as np
import pytest

from zslearn.classifiers.references import REFERENCES
from zslearn.evaluation.protocol import run_protocol


def poisoned(dataset):
    """The same data set with other test features and other test labels."""
    rng = np.random.default_rng(0)
    features, labels = dataset.features.copy(), dataset.labels.copy()
    for rows in (dataset.test_seen_rows, dataset.test_unseen_rows):
        features[rows] = 100 * rng.normal(size=(len(rows), features.shape[1]))
        labels[rows] = rng.permutation(labels[rows])
    return replace(dataset, features=features, labels=labels)


@pytest.mark.parametrize(
    ("model", "settings"), [("skd", {"n_updates": 15, "teacher_updates": 15}), ("eszsl", {})], ids=["skd", "eszsl"]
)
def test_test_rows_reach_neither_weights_nor_choices(toy_dataset, model, settings):
    other = poisoned(toy_dataset)
    assert other.checksum != toy_dataset.checksum
    clean, dirty = (run_protocol(dataset, model=model, settings=settings) for dataset in (toy_dataset, other))
    assert not np.array_equal(clean.measurement.answers, dirty.measurement.answers)
    assert clean.estimator.rehearsal_ == dirty.estimator.rehearsal_
    assert clean.estimator.rehearsal_ is not None
    assert_same_arrays(clean.estimator.recogniser_.arrays(), dirty.estimator.recogniser_.arrays())
    assert clean.references.keys() == dirty.references.keys() == REFERENCES.keys()
    for name, reference in clean.references.items():
        assert reference.facts() == dirty.references[name].facts()
        assert_same_arrays(reference.fitted.arrays(), dirty.references[name].fitted.arrays())


def assert_same_arrays(one, other):
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)
