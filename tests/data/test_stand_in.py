import numpy as np
import pytest
import scipy.io

from zslearn.data.catalog import load_data
from zslearn.data.conversion import write_own, write_xlsa17
from zslearn.data.stand_in import MARK, STAND_IN_WARNING, write_stand_in
from zslearn.data.xlsa17 import read_xlsa17
from zslearn.errors import DataError


@pytest.fixture
def folder(tmp_path):
    """A split file of 12 classes and 120 rows, rows of the parts mixed."""
    rng = np.random.default_rng(0)
    rows = rng.permutation(120) + 1
    parts = {"trainval_loc": rows[:70], "test_seen_loc": rows[70:90], "test_unseen_loc": rows[90:]}
    names = np.array([[f"class {i}"] for i in range(12)], dtype=object)
    scipy.io.savemat(
        tmp_path / "att_splits.mat",
        {"att": rng.uniform(size=(6, 12)), "allclasses_names": names, **{k: v[:, None] for k, v in parts.items()}},
    )
    return tmp_path


def test_stand_in_features_fit_the_split_and_say_what_they_are(folder):
    write_stand_in(folder, n_unseen=3, feature_dim=40)
    dataset = read_xlsa17(folder)
    assert dataset.features.shape == (120, 40)
    assert (len(dataset.seen_ids), len(dataset.unseen_ids)) == (9, 3)
    assert [len(dataset.train_rows), len(dataset.test_seen_rows), len(dataset.test_unseen_rows)] == [70, 20, 30]
    assert (dataset.features >= 0).all()
    assert dataset.warnings[0].startswith(MARK)
    assert "figures mean nothing" in dataset.warnings[0]


def test_class_means_follow_the_semantics(folder):
    write_stand_in(folder, n_unseen=3, feature_dim=400)
    dataset = read_xlsa17(folder)
    means = np.stack([dataset.features[dataset.labels == i].mean(axis=0) for i in range(12)])
    far = np.triu_indices(12, 1)
    semantic = np.linalg.norm(dataset.semantics[:, None] - dataset.semantics, axis=-1)[far]
    visual = np.linalg.norm(means[:, None] - means, axis=-1)[far]
    assert np.corrcoef(semantic, visual)[0, 1] > 0.8


def test_same_seed_same_features(folder):
    path = write_stand_in(folder, n_unseen=3, feature_dim=8)
    first = read_xlsa17(folder).checksum
    for seed, same in ((0, True), (1, False)):
        path.unlink()
        write_stand_in(folder, n_unseen=3, feature_dim=8, seed=seed)
        assert (read_xlsa17(folder).checksum == first) == same


def test_real_features_are_never_replaced(folder):
    (folder / "res101.mat").write_bytes(b"mine")
    with pytest.raises(DataError, match="res101.mat exists already"):
        write_stand_in(folder, n_unseen=3)
    assert (folder / "res101.mat").read_bytes() == b"mine"


@pytest.mark.parametrize("n_unseen", [0, 12, 40])
def test_impossible_numbers_of_classes_are_refused(folder, n_unseen):
    with pytest.raises(DataError, match="expected 1 to 11 unseen classes"):
        write_stand_in(folder, n_unseen=n_unseen)
    assert not (folder / "res101.mat").exists()


def test_converting_does_not_make_real_features_of_them(folder, tmp_path):
    write_stand_in(folder, n_unseen=3, feature_dim=8)
    dataset = read_xlsa17(folder)
    for number, write in enumerate((write_own, write_xlsa17, write_own, write_own)):
        write(dataset, tmp_path / f"converted {number}")
        dataset = load_data(tmp_path / f"converted {number}")
        assert dataset.warnings == (STAND_IN_WARNING,)
    assert dataset.source.count(MARK) == 1


def test_ordinary_features_are_not_called_stand_in(folder):
    path = write_stand_in(folder, n_unseen=3, feature_dim=8)
    content = scipy.io.loadmat(path)
    scipy.io.savemat(path, {name: content[name] for name in ("features", "labels")})
    assert read_xlsa17(folder).warnings == ()
