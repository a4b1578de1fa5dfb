"""zslearn run --settings published."""

import json

import numpy as np
import scipy.io


def test_published_settings_are_where_a_run_starts(command, tmp_path, toy_dataset):
    folder = tmp_path / "FLO"
    folder.mkdir()
    locations = {
        "trainval_loc": toy_dataset.train_rows,
        "test_seen_loc": toy_dataset.test_seen_rows,
        "test_unseen_loc": toy_dataset.test_unseen_rows,
    }
    names = np.array([[name] for name in toy_dataset.class_names], dtype=object)
    places = {name: rows[:, None] + 1 for name, rows in locations.items()}
    scipy.io.savemat(folder / "att_splits.mat", {"att": toy_dataset.semantics.T, "allclasses_names": names, **places})
    labels = toy_dataset.labels[:, None] + 1
    scipy.io.savemat(folder / "res101.mat", {"features": toy_dataset.features.T, "labels": labels})
    chosen = ["--set", "n_updates=2", "hidden_dim=8", "teacher_updates=2", "classifier_epochs=1"]
    words = ["run", "--data", folder, "--model", "f-clswgan", "--settings", "published", "--out", tmp_path / "run"]
    answer = command(*words, *chosen)
    assert answer.code == 0, answer.err
    config = json.loads((tmp_path / "run" / "record.json").read_text())["config"]
    assert (config["class_weight"], config["n_synthetic"]) == (0.1, 1200)
    assert (config["n_updates"], config["hidden_dim"]) == (2, 8)
    refused = command("run", "--model", "f-clswgan", "--settings", "published", "--out", tmp_path / "none")
    assert refused.code == 2
    assert "no published settings of f-clswgan for glyphs (expected one of CUB, FLO, SUN)" in refused.err
    assert not (tmp_path / "none").exists()
    assert "published_settings: CUB, FLO, SUN" in command("show", "models", "f-clswgan").out
