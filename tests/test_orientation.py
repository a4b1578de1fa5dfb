"""The benchmark that follows f-CLSWGAN from epoch to epoch."""

import importlib.util
from pathlib import Path

import pytest

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
    record = orientation.follow(toy_dataset, quick, 0, n_epochs=3, width=8)
    epochs = record["epochs"]
    assert len(epochs) == 3
    assert record["settings"]["n_updates"] == 3 * 7
    assert record["last"] == epochs[-1]
    best = record["test-selected"]
    assert best["h"] == max(epoch["h"] for epoch in epochs)
    assert best == {"epoch": best["epoch"], **epochs[best["epoch"] - 1]}
    assert len({epoch["ausuc"] for epoch in epochs}) > 1
    shown = orientation.table([record])
    assert f"| toy, official, 0 | 3 | {100 * epochs[-1]['u']:.1f} |" in shown
    assert "test-selected" in shown
