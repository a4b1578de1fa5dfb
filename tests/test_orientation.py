"""The benchmark that follows f-CLSWGAN from epoch to epoch."""

import itertools
import json

import pytest
import torch
from torch.nn import functional

from measurements import script


@pytest.fixture(scope="module")
def orientation():
    return script("orientation")


def test_what_is_asked_for_is_compared_with_what_is_kept(orientation, toy_dataset, tmp_path):
    asked = orientation.facts(toy_dataset, orientation.scheduled(400), 0)
    kept = orientation.place(asked, (), tmp_path)
    assert kept == tmp_path / "toy-official-s0.json"
    kept.write_text(json.dumps({**asked, "test-selected, their classifier, 300 samples": {}}))
    assert orientation.place(asked, (), tmp_path) == orientation.place(asked, (300,), tmp_path) == kept
    more, other = tmp_path / "toy-official-s0-2.json", orientation.facts(toy_dataset, orientation.scheduled(500), 0)
    assert orientation.place(asked, (100, 300), tmp_path) == orientation.place(other, (), tmp_path) == more


def test_every_pass_of_the_schedule_counts_the_rows_that_there_are(orientation):
    settings = orientation.scheduled(6400)
    assert (settings["n_updates"], settings["teacher_updates"]) == (30 * 100, 50 * 100)


@pytest.mark.slow
def test_the_last_epoch_stands_beside_the_best_on_the_test_view(orientation, toy_dataset):
    settings = orientation.scheduled(len(toy_dataset.train_rows))
    quick = {**settings, "hidden_dim": 8, "n_updates": 3 * 7, "teacher_updates": 5, "n_synthetic": 10}
    quick["classifier_epochs"] = 1
    found = orientation.follow(toy_dataset, quick, 0, counts=[4])
    record = {**orientation.facts(toy_dataset, quick, 0), **found}
    epochs = record["epochs"]
    assert len(epochs) == 3
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
