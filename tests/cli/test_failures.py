"""What goes wrong late, or outside the data set: one clear line, and a folder only where it can tell something."""

import json

import numpy as np
import pytest
import scipy.io

from xian import HELD_OUT, LABELS, N_ROWS, ROWS, SEEN, feature_file, split_file, write_xian_folder

TINY = ["--set", "n_updates=2", "teacher_updates=2", "classifier_epochs=1"]


@pytest.fixture
def folder(tmp_path):
    """Writes a data set in the layout of Xian et al., with changes."""

    def write(features=None, **changes):
        features = feature_file() if features is None else feature_file(features=features)
        return write_xian_folder(tmp_path / "data", features, split_file(**changes))

    return write


def one_line(answer, code):
    assert answer.code == code, answer.err
    assert answer.out == ""
    assert "Traceback" not in answer.err
    last = answer.err.splitlines()[-1]
    assert last.startswith("error: ")
    return last


@pytest.mark.parametrize("value", ["2024-13-45", "[" * 2000, "{a: ", "!!python/name:os.system"])
def test_values_that_yaml_cannot_read(command, tmp_path, value):
    (tmp_path / "s.yaml").write_text(f"n_updates: {value}\n")
    assert "cannot be read" in one_line(command("run", "--config", tmp_path / "s.yaml"), 2)
    message = one_line(command("run", "--set", f"n_updates={value}"), 2)
    assert "the value of 'n_updates' is not readable" in message
    assert len(message) < 200


@pytest.mark.parametrize("features", [np.ones((5, N_ROWS)), 1e30 * np.random.default_rng(1).normal(size=(5, N_ROWS))])
def test_features_that_nothing_can_be_learnt_from(command, folder, tmp_path, features):
    answer = command("run", "--data", folder(features), "--out", tmp_path / "r", *TINY)
    assert "the training features cannot be whitened" in one_line(answer, 2)
    assert not (tmp_path / "r").exists()


def test_what_cannot_be_measured_is_null(command, folder, tmp_path):
    answer = command("run", "--data", folder(test_seen_loc=np.zeros((0, 1))), "--out", tmp_path / "r", *TINY)
    assert answer.code == 0, answer.err
    metrics = json.loads((tmp_path / "r" / "record.json").read_text())["metrics"]
    assert metrics["t1"] is not None
    assert metrics["s"] is None
    assert metrics["h"] is None


def test_an_unseen_class_without_test_rows_is_left_out_of_the_pictures(command, folder, tmp_path):
    names = {
        "trainval_loc": ROWS[SEEN & ~HELD_OUT & (LABELS != 3)],
        "test_seen_loc": ROWS[SEEN & HELD_OUT & (LABELS != 3)],
    }
    unseen = ROWS[(~SEEN | (LABELS == 3)) & (LABELS != 16)]
    answer = command("run", "--data", folder(**names, test_unseen_loc=unseen), "--out", tmp_path / "r", *TINY)
    assert answer.code == 0, answer.err


def test_a_diverging_run_leaves_a_folder_that_says_why(command, tmp_path):
    wild = ["--set", "learning_rate=1e30", "n_updates=60", "teacher_updates=2"]
    message = one_line(command("run", "--out", tmp_path / "r", *wild), 1)
    record = json.loads((tmp_path / "r" / "record.json").read_text())
    assert record["status"] == "failed"
    assert message == f"error: {record['cause']}"
    assert (tmp_path / "r" / "history.jsonl").stat().st_size
    assert "did not finish" in one_line(command("evaluate", tmp_path / "r"), 2)


def test_signs_of_a_collapse_are_warned_of_and_recorded(command, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("zslearn.evaluation.collapse.VANISHED_KL", 1e9)
    answer = command("run", "--data", folder(), "--out", tmp_path / "r", *TINY)
    (sign,) = json.loads((tmp_path / "r" / "record.json").read_text())["training_warnings"]
    assert sign.startswith("the KL term of stage generative has vanished")
    assert f"warning: {sign}\n" in answer.out


def test_asking_for_more_than_memory_holds(command, finished, tmp_path):
    words = ["--classes", "A", "-n", 10**15, "-o", tmp_path / "x.npz"]
    assert "not enough memory" in one_line(command("synthesize", finished[0], *words), 1)
    assert not (tmp_path / "x.npz").exists()
    message = one_line(command("run", "--out", tmp_path / "r", "--set", f"hidden_dim={10**13}"), 1)
    assert "not enough memory" in message
    assert f"Lower batch_size (now 128) or hidden_dim (now {10**13})." in message
    assert not (tmp_path / "r").exists()


def test_outputs_that_cannot_be_written_are_named(command, finished, tmp_path):
    np.save(tmp_path / "rows.npy", np.zeros((2, 256), dtype=np.float32))
    for path, reason in [(tmp_path / "no" / "a.csv", "No such file or directory"), (tmp_path, "Is a directory")]:
        message = one_line(command("predict", finished[0], tmp_path / "rows.npy", "-o", path), 1)
        assert message.startswith(f"error: {reason}: {path}. Check that")


def test_a_run_is_evaluated_from_any_folder(command, folder, tmp_path, monkeypatch):
    folder()
    monkeypatch.chdir(tmp_path)
    assert command("run", "--data", "data", "--features", "data/res101.mat", "--out", "r", *TINY).code == 0
    recorded = json.loads((tmp_path / "r" / "record.json").read_text())
    monkeypatch.chdir("/")
    result = json.loads(command("evaluate", tmp_path / "r", "--json").out)
    assert result["metrics_corrected"] == recorded["metrics_corrected"]
    assert result["references"] == recorded["references"]


def test_evaluate_reads_the_files_that_are_named(command, folder, tmp_path):
    data = folder()
    assert command("run", "--data", data, "--out", tmp_path / "r", *TINY).code == 0
    assert "none.mat" in one_line(command("evaluate", tmp_path / "r", "--features", "none.mat"), 2)
    noise = np.random.default_rng(9).normal(size=(5, N_ROWS))
    scipy.io.savemat(data / "other.mat", {"features": noise, "labels": LABELS[:, None]})
    answer = command("evaluate", tmp_path / "r", "--features", "other.mat", "--json")
    assert answer.code == 0
    assert "not the data of the run" in answer.err
    assert json.loads(answer.out)["references"] == {}
