from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from zslearn.data.catalog import data_folder, known_data, load_data
from zslearn.data.pretrained import find_pretrained
from zslearn.errors import ConfigError, DataError, UnknownNameError


def write_folder(folder: Path) -> Path:
    """Write 14 seen and 3 unseen classes of 6 rows each."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(1, 18), 6)
    rows = np.arange(1, len(labels) + 1)
    unseen = labels > 14
    scipy.io.savemat(folder / "res101.mat", {"features": rng.random((4, len(labels))), "labels": labels[:, None]})
    for name, semantic_dim in (("att_splits.mat", 5), ("sent_splits.mat", 8)):
        parts = {
            "att": rng.random((semantic_dim, 17)),
            "trainval_loc": rows[~unseen & (rows % 6 != 0)],
            "test_seen_loc": rows[~unseen & (rows % 6 == 0)],
            "test_unseen_loc": rows[unseen],
        }
        scipy.io.savemat(folder / name, parts)
    return folder


@pytest.fixture
def data_home(tmp_path, monkeypatch) -> Path:
    home = tmp_path / "data"
    write_folder(home / "Zoo")
    (home / "notes").mkdir()
    monkeypatch.setenv("ZSLEARN_DATA", str(home))
    monkeypatch.chdir(tmp_path)
    return home


def test_built_in_data_are_the_default():
    assert load_data().checksum == load_data("Glyphs").checksum
    assert load_data().name == "glyphs"


def test_built_in_data_take_no_files():
    with pytest.raises(ConfigError, match=r"have features and semantics of their own .*received res101.mat"):
        load_data("glyphs", features="res101.mat")


def test_folders_and_names_lead_to_the_same(data_home):
    by_path = load_data(data_home / "Zoo")
    assert by_path.name == "Zoo"
    for name in (str(data_home / "Zoo"), "Zoo", "zoo", "ZOO"):
        assert load_data(name).checksum == by_path.checksum


def test_semantics_and_features_are_passed_on(data_home):
    dataset = load_data("zoo", semantics="sent_splits.mat", features="res101.mat")
    assert dataset.semantics.shape == (17, 8)
    with pytest.raises(DataError, match=r"there is no feature file vit.mat"):
        load_data("zoo", features="vit.mat")


@pytest.mark.parametrize("split", [2, "2"])
def test_class_splits_by_number(data_home, split):
    dataset = load_data("zoo", split=split)
    assert dataset.split == "2"
    drawn = np.random.default_rng(2).choice(17, size=3, replace=False)
    np.testing.assert_array_equal(dataset.unseen_ids, np.sort(drawn))
    assert load_data("zoo", split="official").split == "official"


@pytest.mark.parametrize("split", [-1, "-1", "test", "", "1.5", "²"])
def test_other_splits_are_refused(split):
    with pytest.raises(ConfigError, match=r"there is no such split .*official or a whole number from 0"):
        load_data("glyphs", split=split)


def test_unknown_names_say_what_is_near_and_where_was_looked(data_home):
    with pytest.raises(UnknownNameError, match=r"there is no data set called 'zooo'") as caught:
        load_data("zooo")
    assert "Did you mean Zoo?" in caught.value.remedy
    assert str(data_home) in caught.value.remedy
    assert "ZSLEARN_DATA" in caught.value.remedy
    for name in ("", "notes/deep", "notes"):
        with pytest.raises(UnknownNameError, match=r"there is no data set called"):
            load_data(name)


def test_a_file_is_no_data_set(data_home):
    with pytest.raises(DataError, match=r"res101.mat is a file .*Give its folder"):
        load_data(data_home / "Zoo" / "res101.mat")


def test_paths_that_no_record_can_hold_are_refused(data_home, monkeypatch):
    bad = os.fsdecode(b"caf\xe9")
    message = r"caf\\udce9.* is not Unicode .*Rename them"
    folder = write_folder(Path(bad))
    with pytest.raises(DataError, match=message):
        load_data(folder)
    shutil.copy(folder / "res101.mat", f"{bad}.mat")
    with pytest.raises(DataError, match=message):
        load_data("Zoo", features=f"{bad}.mat")
    (data_home / "Zoo" / "res101.mat").rename(data_home / "Zoo" / f"{bad}.mat")
    with pytest.raises(DataError, match=message):
        load_data("Zoo")
    monkeypatch.chdir(folder)
    with pytest.raises(DataError, match=message):
        load_data(".")
    with pytest.raises(DataError, match=message):
        find_pretrained(".")


def test_known_data_lists_folders_with_a_split_file(data_home):
    assert known_data() == {"glyphs": "built in", "Zoo": str(data_home / "Zoo")}


def test_known_data_without_a_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSLEARN_DATA", str(tmp_path / "absent"))
    assert known_data() == {"glyphs": "built in"}


def test_data_folder_follows_the_platform(tmp_path, monkeypatch):
    monkeypatch.delenv("ZSLEARN_DATA", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    places = {"linux": ".local/share/zslearn", "darwin": "Library/Application Support/zslearn"}
    for platform, place in (places | {"win32": "AppData/Local/zslearn"}).items():
        monkeypatch.setattr(sys, "platform", platform)
        assert data_folder() == tmp_path / place
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert data_folder() == tmp_path / "xdg" / "zslearn"


def test_the_data_layer_imports_neither_torch_nor_scipy():
    code = "import sys, zslearn.data; print([m for m in ('torch', 'scipy', 'h5py') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert done.stdout.strip() == "[]"
