"""What is in the test view can change nothing that is trained or chosen."""

from dataclasses import replace

import numpy as np
import torch

from zslearn import GenerativeZSL
from zslearn.classifiers.references import run_references


def poisoned(dataset):
    """The same data set with other test features and other test labels."""
    rng = np.random.default_rng(0)
    features, labels = dataset.features.copy(), dataset.labels.copy()
    for rows in (dataset.test_seen_rows, dataset.test_unseen_rows):
        features[rows] = 100 * rng.normal(size=(len(rows), features.shape[1]))
        labels[rows] = rng.permutation(labels[rows])
    return replace(dataset, features=features, labels=labels)


def test_test_rows_reach_neither_weights_nor_choices(toy_dataset):
    other = poisoned(toy_dataset)
    assert other.checksum != toy_dataset.checksum
    outcomes = []
    for dataset in (toy_dataset, other):
        view = dataset.training()
        estimator = GenerativeZSL(settings={"n_updates": 15, "teacher_updates": 15}).fit_view(view)
        outcomes.append((estimator, run_references(view, estimator.folds(view))))
    (clean, references), (dirty, dirty_references) = outcomes
    assert clean.rehearsal_ == dirty.rehearsal_
    arrays, dirty_arrays = clean.recogniser_.arrays(), dirty.recogniser_.arrays()
    assert arrays.keys() == dirty_arrays.keys()
    assert all(torch.equal(arrays[name], dirty_arrays[name]) for name in arrays)
    for name, reference in references.items():
        assert reference.facts() == dirty_references[name].facts()
