"""Bad input is one clear line, exit code 2, and no folder."""

import numpy as np
import pytest
import scipy.io
import torch

from xian import feature_file, split_file, write_xian_folder
from zslearn.devices import has_bf16


@pytest.fixture
def folder(tmp_path):
    return write_xian_folder(tmp_path / "Meine Daten ü", feature_file(), split_file())


def refused(command, tmp_path, *words):
    out = tmp_path / "run"
    answer = command("run", "--out", out, *words)
    assert answer.code == 2, answer.err
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert "Traceback" not in answer.err
    assert not out.exists()
    return answer.err


def test_the_folder_itself_is_fine(command, folder, tmp_path):
    tiny = ["--set", "n_updates=2", "teacher_updates=2", "classifier_epochs=1"]
    answer = command("run", "--data", folder, "--out", tmp_path / "run", *tiny)
    assert answer.code == 0, answer.err
    assert command("evaluate", tmp_path / "run").code == 0


def change(features, **changes):
    return feature_file(features=features, **changes)


def test_features_that_are_not_finite(command, folder, tmp_path):
    features = feature_file()["features"]
    for value in (np.nan, np.inf):
        features[2, 7] = value
        scipy.io.savemat(folder / "res101.mat", feature_file(features=features))
        assert "finite" in refused(command, tmp_path, "--data", folder)


def test_labels_out_of_range(command, folder, tmp_path):
    labels = feature_file()["labels"]
    labels[0] = 99
    scipy.io.savemat(folder / "res101.mat", feature_file(labels=labels))
    assert "99" in refused(command, tmp_path, "--data", folder)


def test_a_class_without_semantics(command, folder, tmp_path):
    semantics = split_file()["att"]
    semantics[:, 3] = 0
    scipy.io.savemat(folder / "att_splits.mat", split_file(att=semantics))
    assert "class 3" in refused(command, tmp_path, "--data", folder)


def test_seen_and_unseen_overlap(command, folder, tmp_path):
    splits = split_file()
    unseen = np.concatenate([splits["test_unseen_loc"], splits["trainval_loc"][:3]])
    scipy.io.savemat(folder / "att_splits.mat", split_file(test_unseen_loc=unseen))
    assert "unseen" in refused(command, tmp_path, "--data", folder)


def test_no_unseen_class(command, folder, tmp_path):
    scipy.io.savemat(folder / "att_splits.mat", split_file(test_unseen_loc=np.zeros((0, 1))))
    assert "unseen" in refused(command, tmp_path, "--data", folder)


def test_wrong_dimensions(command, folder, tmp_path):
    scipy.io.savemat(folder / "res101.mat", feature_file(labels=np.ones((3, 1))))
    assert "3" in refused(command, tmp_path, "--data", folder)


def test_truncated_and_foreign_files(command, folder, tmp_path):
    path = folder / "res101.mat"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(command, tmp_path, "--data", folder, "--features", "res101.mat")
    path.write_bytes(b"this is no mat file")
    refused(command, tmp_path, "--data", folder, "--features", "res101.mat")


def test_folders_without_what_is_needed(command, folder, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "att_splits.mat" in refused(command, tmp_path, "--data", tmp_path / "empty")
    (folder / "res101.mat").unlink()
    assert "features" in refused(command, tmp_path, "--data", folder)


def test_several_feature_files_are_listed(command, folder, tmp_path):
    scipy.io.savemat(folder / "vit.mat", feature_file())
    message = refused(command, tmp_path, "--data", folder)
    assert "res101.mat, vit.mat" in message


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--data", "glyhps"], "Did you mean glyphs"),
        (["--model", "skdd"], "Did you mean skd"),
        (["--set", "sp_wieght=1"], "Did you mean sp_weight"),
        (["--set", "sp_weight=-1"], "expected a number in [0, inf]; received -1"),
        (["--set", "sp_weight"], "expected FIELD=VALUE"),
        (["--device", "tpu"], "there is no device called 'tpu'"),
        (["--precision", "fp8"], "expected one of auto, float32, bf16; received 'fp8'"),
        (["--model", "eszsl", "--precision", "bf16"], "there is no setting called 'precision'"),
        (["--set", "batch_size=100000"], "expected batch_size of at most"),
        (["--split", "first"], "there is no such split"),
        (["--config", "none.yaml"], "settings file none.yaml cannot be read"),
        (["--seed", "x"], "invalid int value: 'x'"),
        (["--sed", "1"], "Did you mean --seed"),
        (["--dat", "x"], "Did you mean --data"),
    ],
)
def test_wrong_words(command, tmp_path, words, expected):
    assert expected in refused(command, tmp_path, *words)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_gpu_that_is_not_there(command, tmp_path):
    message = refused(command, tmp_path, "--device", "cuda")
    assert "there is no CUDA device that torch can use. Set device to cpu or auto" in message


@pytest.mark.skipif(has_bf16(torch.device("cpu")), reason="this processor has bf16")
def test_bf16_where_the_processor_lacks_it(command, tmp_path):
    assert "bf16 is not supported here" in refused(command, tmp_path, "--device", "cpu", "--precision", "bf16")


@pytest.mark.parametrize("content", ["a: [1", "- 1\n- 2\n", "3: 4\n"])
def test_settings_files_that_hold_no_settings(command, tmp_path, content):
    (tmp_path / "s.yaml").write_text(content)
    assert "s.yaml" in refused(command, tmp_path, "--config", tmp_path / "s.yaml")


def test_a_folder_in_use_is_left_alone(command, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("keep")
    answer = command("run", "--out", tmp_path / "run")
    assert answer.code == 2
    assert "is not an empty folder (expected a new or empty folder). Name another folder" in answer.err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_other_commands_refuse_what_they_cannot_use(command, finished, tmp_path):
    folder, _ = finished
    np.save(tmp_path / "narrow.npy", np.zeros((2, 3), dtype=np.float32))
    cases = [
        (["predict", folder, tmp_path / "none.npy"], "there is no file"),
        (["predict", folder, tmp_path / "narrow.npy"], "expected 256 columns; received 3"),
        (["predict", tmp_path, tmp_path / "narrow.npy"], "there is no model in"),
        (["predict", folder, "x.npy", "--candidates", "some"], "invalid choice"),
        (["synthesize", folder, "--classes", "B,ß", "-o", tmp_path / "x.npz"], "no class called 'ß'"),
        (["synthesize", folder, "--classes", "B", "-n", "0", "-o", tmp_path / "x.npz"], "expected -n of at least 1"),
        (["evaluate", tmp_path], "is not a run folder"),
        (["show", "models", "gzl"], "there is no model called 'gzl'"),
        (["trian"], "invalid choice: 'trian'"),
        ([], "required"),
    ]
    for words, expected in cases:
        answer = command(*words)
        assert answer.code == 2, words
        assert expected in answer.err, words
        assert answer.out == ""
    assert not (tmp_path / "x.npz").exists()
