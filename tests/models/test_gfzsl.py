"""Gaussian classes against ridge regressions written in numpy."""

import numpy as np
import pytest
import torch

from zslearn.recogniser import fit_recogniser
from zslearn.training.streams import Streams


@pytest.fixture(scope="module")
def fitted(toy_dataset):
    settings = {"mean_ridge": 0.2, "variance_ridge": 0.7}
    return fit_recogniser(toy_dataset.training(), "gfzsl", settings, seed=0, device=torch.device("cpu"))


def regressed(semantics, seen_ids, targets, ridge):
    seen, centre = semantics[seen_ids], targets.mean(axis=0)
    weights = np.linalg.solve(seen.T @ seen + ridge * np.eye(seen.shape[1]), seen.T @ (targets - centre))
    return semantics @ weights + centre


def test_samples_have_the_regressed_means_and_variances(fitted):
    task = fitted.task
    semantics, seen_ids = task.semantics.double().numpy(), task.seen_ids.numpy()
    means = regressed(semantics, seen_ids, task.seen_means.double().numpy(), 0.2)
    log_variances = regressed(semantics, seen_ids, np.log(task.seen_variances.double().numpy()), 0.7)
    n_samples = 40_000
    unseen = int(task.unseen_ids[0])
    drawn = fitted.model.sample(task.semantics[unseen].expand(n_samples, -1), Streams(1)).double().numpy()
    deviation = np.exp(0.5 * log_variances[unseen])
    np.testing.assert_allclose(drawn.mean(axis=0), means[unseen], atol=5 * deviation.max() / np.sqrt(n_samples))
    np.testing.assert_allclose(drawn.std(axis=0), deviation, rtol=0.03)


def test_nothing_is_trained_and_the_fit_takes_no_time(fitted):
    assert fitted.model.plan().n_steps == 0
    assert not list(fitted.model.parameters())
    assert sum(fitted.seconds.values()) < 5


def test_samples_of_the_unit_space_stay_in_it(toy_dataset):
    view = toy_dataset.training()
    positive = type(view)(**{**vars(view), "features": np.abs(view.features)})
    unit = fit_recogniser(positive, "gfzsl", {"feature_space": "unit"}, seed=0, device=torch.device("cpu"))
    drawn = unit.model.sample(unit.task.semantics, Streams(0))
    assert drawn.min() >= 0.0
    assert drawn.max() <= 1.0
