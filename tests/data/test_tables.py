from __future__ import annotations

import numpy as np
import pytest
import scipy.io

from zslearn.data.tables import read_features
from zslearn.errors import DataError

FEATURES = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)


def with_infinity(row: int, column: int) -> np.ndarray:
    features = FEATURES.copy()
    features[row, column] = np.inf
    return features


def test_all_kinds_give_the_same(tmp_path):
    np.save(tmp_path / "a.npy", FEATURES)
    np.savez(tmp_path / "a.npz", features=FEATURES, other=np.ones(2))
    np.savez_compressed(tmp_path / "b.npz", features=FEATURES.astype(np.float64))
    scipy.io.savemat(tmp_path / "a.MAT", {"features": FEATURES.T}, appendmat=False)
    for name in ("a.npy", "a.npz", "b.npz", "a.MAT"):
        read = read_features(tmp_path / name)
        np.testing.assert_array_equal(read, FEATURES)
        assert read.dtype == np.float32
        assert not read.flags.writeable


def test_npy_stays_on_disk(tmp_path):
    np.save(tmp_path / "a.npy", FEATURES)
    assert isinstance(read_features(str(tmp_path / "a.npy")), np.memmap)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


def test_pickles_are_not_opened(tmp_path):
    trapped = np.array([[Trap()]], dtype=object)
    np.save(tmp_path / "a.npy", trapped, allow_pickle=True)
    np.savez(tmp_path / "a.npz", features=trapped)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match=rf"{name} cannot be read .*without pickled objects"):
            read_features(tmp_path / name)


def test_missing_unknown_and_wrong_files(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*Check the path"):
        read_features(tmp_path / "none.npy")
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(DataError, match=r"received a folder"):
        read_features(tmp_path / "folder.npy")
    with pytest.raises(DataError, match=r"of an unknown kind \(expected a file ending in .npy, .npz, .mat; .*'.xlsx'"):
        read_features(tmp_path / "a.xlsx")
    np.savez(tmp_path / "keys.npz", x=FEATURES, y=FEATURES)
    with pytest.raises(DataError, match=r"keys.npz lacks features .*received x, y"):
        read_features(tmp_path / "keys.npz")
    scipy.io.savemat(tmp_path / "keys.mat", {"x": FEATURES})
    with pytest.raises(DataError, match=r"keys.mat lacks features .*received x"):
        read_features(tmp_path / "keys.mat")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (FEATURES[0], r"features in a.npy have the wrong dimensions .*shape \(3,\)"),
        (
            np.where(FEATURES[2, 1] == FEATURES, np.inf, FEATURES),
            "hold NaN or infinite values .*inf in row 2, column 1",
        ),
        (np.array([["a"]]), "features in a.npy are not numbers"),
    ],
)
def test_wrong_content(tmp_path, values, message):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(DataError, match=message):
        read_features(tmp_path / "a.npy")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.mat"])
def test_damaged_files(tmp_path, name):
    path = tmp_path / name
    if name == "a.npy":
        np.save(path, FEATURES)
    elif name == "a.npz":
        np.savez_compressed(path, features=FEATURES)
    else:
        scipy.io.savemat(path, {"features": FEATURES.T})
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:20], whole[: len(whole) // 2], whole[:-10]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=rf"{name} (cannot be read|is not a MATLAB file|lacks)") as caught:
            read_features(path)
        assert caught.value.remedy
