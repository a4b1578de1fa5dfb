"""zslearn run --settings published."""

import json

from toy import write_toy_folder


def test_published_settings_are_where_a_run_starts(command, tmp_path):
    folder = write_toy_folder(tmp_path / "FLO")
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
