"""The benchmark that follows f-CLSWGAN from epoch to epoch."""

import importlib.util
import itertools
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from zslearn.models.published import published_settings

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def orientation():
    specification = importlib.util.spec_from_file_location("orientation", ROOT / "benchmarks" / "orientation.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_last_epoch_stands_beside_the_best_on_the_test_view(orientation, toy_dataset):
    settings = published_settings("f-clswgan", "FLO", 1)
    quick = {**settings, "teacher_updates": 5, "n_synthetic": 10, "classifier_epochs": 1}
    record = orientation.follow(toy_dataset, quick, 0, counts=[4], n_epochs=3, width=8)
    epochs = record["epochs"]
    assert len(epochs) == 3
    assert record["settings"]["n_updates"] == 3 * 7
    assert record["last"] == epochs[-1]
    best = record["test-selected"]
    assert best["h"] == max(epoch["h"] for epoch in epochs)
    assert best == epochs[best["epoch"] - 1]
    theirs = record["test-selected, their classifier"]
    assert 1 <= theirs["pass"] <= orientation.N_PASSES
    assert theirs["h"] >= record["their classifier, last"]["h"]
    assert record["their classifier, last"]["epoch"] == 3
    fewer = record["test-selected, their classifier, 4 samples"]
    assert (fewer["u"], fewer["s"]) != (theirs["u"], theirs["s"])
    assert len({epoch["ausuc"] for epoch in epochs}) > 1
    shown = orientation.table([record])
    assert f"| toy, official, 0 | last | 3 |  | {100 * epochs[-1]['u']:.1f} |" in shown
    assert f"| test-selected, their classifier | {theirs['epoch']} | {theirs['pass']} |" in shown


@pytest.mark.slow
def test_their_classifier_learns_pass_by_pass(orientation, toy_dataset):
    view, seed = toy_dataset.training(), 0
    few = {"n_updates": 20, "teacher_updates": 5, "hidden_dim": 8, "n_synthetic": 10}
    last = orientation.fit_recogniser(view, "f-clswgan", few, seed=seed, device=torch.device("cpu"))
    features, labels, drawn, unseen_ids = inputs = (
        *orientation._real(last, view),
        *orientation._synthetic(last, view, seed, 10),
    )
    rows = torch.cat([features, drawn.flatten(0, 1)])
    targets = torch.cat([labels, unseen_ids.repeat_interleave(10)])
    losses = [
        float(functional.cross_entropy(classifier(rows), targets).detach())
        for classifier in orientation.their_classifiers(last, *inputs, seed)
    ]
    assert len(losses) == orientation.N_PASSES
    assert all(later < earlier for earlier, later in itertools.pairwise(losses))
