from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from zslearn.data.dataset import ZSLDataset
from zslearn.data.official import split_digest
from zslearn.data.splits import class_split, rehearsal_folds
from zslearn.data.xlsa17 import read_xlsa17
from zslearn.errors import DataError, MissingExtraError

N_CLASSES, N_PER_CLASS, FEATURE_DIM = 5, 6, 3
N_ROWS = N_CLASSES * N_PER_CLASS
NAMES = ("ant", "bee", "cat", "dog", "élan")
UNSEEN = (1, 3)


def truth() -> ZSLDataset:
    """Five classes of six rows, labels in turn; the last of each seen class's rows are test rows."""
    labels = np.arange(N_ROWS) % N_CLASSES
    unseen = np.isin(labels, UNSEEN)
    late = np.arange(N_ROWS) >= N_ROWS - 2 * N_CLASSES
    rows = np.arange(N_ROWS)
    return ZSLDataset(
        name="truth",
        features=np.random.default_rng(0).normal(size=(N_ROWS, FEATURE_DIM)).astype(np.float32),
        labels=labels,
        semantics=np.arange(1.0, 1 + 4 * N_CLASSES).reshape(N_CLASSES, 4),
        class_names=NAMES,
        seen_ids=[0, 2, 4],
        unseen_ids=UNSEEN,
        train_rows=rows[~unseen & ~late],
        test_seen_rows=rows[~unseen & late],
        test_unseen_rows=rows[unseen],
    )


def cell(names: tuple[str, ...]) -> np.ndarray:
    cells = np.empty((len(names), 1), dtype=object)
    cells[:, 0] = names
    return cells


def split_variables(row_base: int = 1) -> dict[str, np.ndarray]:
    data = truth()
    return {
        "att": data.semantics.T,
        "original_att": 100 * data.semantics.T,
        "allclasses_names": cell(NAMES),
        "trainval_loc": data.train_rows[:, None] + row_base,
        "test_seen_loc": data.test_seen_rows[:, None] + row_base,
        "test_unseen_loc": data.test_unseen_rows[:, None] + row_base,
    }


def feature_variables(label_base: int = 1) -> dict[str, np.ndarray]:
    data = truth()
    return {"features": data.features.T, "labels": (data.labels[:, None] + label_base).astype(np.uint8)}


def write(folder: Path, splits: dict | None = None, features: dict | None = None) -> Path:
    """Write a folder; entries that are None are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, parts in (
        ("att_splits.mat", split_variables() | (splits or {})),
        ("res101.mat", feature_variables() | (features or {})),
    ):
        scipy.io.savemat(folder / name, {key: value for key, value in parts.items() if value is not None})
    return folder


def assert_same(dataset: ZSLDataset, other: ZSLDataset) -> None:
    assert dataset.checksum == other.checksum
    assert dataset.class_names == other.class_names
    np.testing.assert_array_equal(dataset.seen_ids, other.seen_ids)
    np.testing.assert_array_equal(dataset.unseen_ids, other.unseen_ids)


def test_reads_what_was_written(tmp_path):
    dataset = read_xlsa17(write(tmp_path / "ZOO"))
    assert_same(dataset, truth())
    assert (dataset.name, dataset.split, dataset.warnings) == ("ZOO", "official", ())
    assert dataset.source == "xlsa17 layout: features from res101.mat, semantics and split from att_splits.mat"
    assert dataset.features.dtype == np.float32
    assert dataset.features.flags.c_contiguous


def test_double_features_become_float32(tmp_path):
    folder = write(tmp_path, features={"features": truth().features.T.astype(np.float64)})
    assert_same(read_xlsa17(folder), truth())


def test_row_vectors_and_character_matrices_are_fine(tmp_path):
    changed = {name: split_variables()[name].T for name in ("trainval_loc", "test_seen_loc", "test_unseen_loc")}
    folder = write(tmp_path, splits={**changed, "allclasses_names": np.array(NAMES)})
    assert_same(read_xlsa17(folder), truth())


@pytest.mark.parametrize(
    ("row_base", "label_base", "zeros"),
    [(0, 0, "row numbers and labels"), (0, 1, "row numbers"), (1, 0, "labels")],
)
def test_counting_from_0_is_noticed(tmp_path, row_base, label_base, zeros):
    folder = write(tmp_path, split_variables(row_base), feature_variables(label_base))
    dataset = read_xlsa17(folder)
    assert_same(dataset, truth())
    assert dataset.warnings == (f"{zeros} count from 0 in these files, against the layout's rule",)


def test_a_split_that_is_not_the_benchmarks_is_called_unverified(tmp_path):
    dataset = read_xlsa17(write(tmp_path / "awa2"))
    assert dataset.warnings == ("unverified split: it is not the one that is known as the official split of AWA2",)


def test_a_split_is_the_same_in_another_order_and_counted_from_0():
    parts = [np.array([5, 2, 9]), np.array([3]), np.array([4, 6])]
    assert split_digest(parts) == split_digest([part[::-1] - 1 for part in parts])
    assert split_digest(parts) != split_digest([parts[0][:2], np.array([3, 9]), parts[2]])
    assert split_digest(parts) != split_digest([parts[1], parts[0], parts[2]])


def test_ambiguous_counting_is_an_error(tmp_path):
    # Labels 1 to 4 of 5 classes with row numbers from 0: the labels could count from either.
    labels = np.minimum(truth().labels[:, None] + 1, N_CLASSES - 1)
    folder = write(tmp_path, split_variables(row_base=0), {"labels": labels})
    with pytest.raises(DataError, match=r"row numbers count from 0, and labels fit counting from 0 as well as from 1"):
        read_xlsa17(folder)
    # Row numbers 1 to 29 of 30 with labels from 0.
    last_row_missing = {"test_seen_loc": truth().test_seen_rows[:-1, None] + 1}
    folder = write(tmp_path / "rows", last_row_missing, feature_variables(label_base=0))
    with pytest.raises(DataError, match=r"labels count from 0, and row numbers fit"):
        read_xlsa17(folder)


def test_the_leak_of_the_first_generation_is_reported_and_never_used(tmp_path):
    data = truth()
    everything = np.concatenate([data.train_rows, data.test_seen_rows])[:, None] + 1
    folder = write(tmp_path, {"train_loc": everything[:8], "val_loc": everything[8:]})
    dataset = read_xlsa17(folder)
    assert_same(dataset, data)
    assert len(dataset.warnings) == 1
    assert f"train_loc and val_loc of this split file hold {len(data.test_seen_rows)} test rows" in dataset.warnings[0]


def test_train_and_val_without_a_leak_are_no_reason_to_warn(tmp_path):
    rows = truth().train_rows[:, None] + 1
    assert read_xlsa17(write(tmp_path, {"train_loc": rows[:6], "val_loc": rows[6:]})).warnings == ()


def test_missing_names_come_from_the_table_or_are_numbered(tmp_path):
    folder = write(tmp_path, {"allclasses_names": None})
    numbered = read_xlsa17(folder)
    assert numbered.class_names == tuple(f"class {i}" for i in range(1, 6))
    assert "names no classes" in numbered.warnings[0]
    lines = [f'{i},"{name}"' for i, name in enumerate(NAMES, start=1)]
    table = "\n".join(["label,name", *reversed(lines)])
    (folder / "names.csv").write_text(table, encoding="utf-8")
    named = read_xlsa17(folder)
    assert named.class_names == NAMES
    assert named.warnings == ("class names come from names.csv",)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            b"label,name\n1,ant\n2,bee\n",
            "labels of names.csv do not match .*from 1 to 5 once; received 2 rows",
        ),
        (b"number,name\n1,ant\n", "names.csv cannot be read .*columns label .*KeyError"),
        (b"label,name\none,ant\n", "names.csv cannot be read .*ValueError"),
        (b"label,name\n1,\xff\xfe\n", "names.csv cannot be read .*UnicodeDecodeError"),
        (b"label,name\n1\n", "names.csv cannot be read"),
    ],
)
def test_bad_name_tables(tmp_path, table, message):
    folder = write(tmp_path, {"allclasses_names": None})
    (folder / "names.csv").write_bytes(table)
    with pytest.raises(DataError, match=message):
        read_xlsa17(folder)


def test_classes_that_are_neither_are_dropped_with_their_rows(tmp_path):
    data = truth()
    without_bee = data.test_unseen_rows[data.labels[data.test_unseen_rows] != 1]
    dataset = read_xlsa17(write(tmp_path, {"test_unseen_loc": without_bee[:, None] + 1}))
    assert dataset.class_names == ("ant", "cat", "dog", "élan")
    assert dataset.warnings == ("classes that are neither seen nor unseen were dropped: bee",)
    assert [dataset.class_names[i] for i in dataset.unseen_ids] == ["dog"]
    kept = data.labels != 1
    np.testing.assert_array_equal(dataset.features, data.features[kept])
    np.testing.assert_array_equal(dataset.semantics, np.delete(data.semantics, 1, axis=0))
    for part in ("train_rows", "test_seen_rows"):
        rows, old_rows = getattr(dataset, part), getattr(data, part)
        np.testing.assert_array_equal(dataset.features[rows], data.features[old_rows])
        names = [dataset.class_names[i] for i in dataset.labels[rows]]
        assert names == [data.class_names[i] for i in data.labels[old_rows]]
    np.testing.assert_array_equal(dataset.features[dataset.test_unseen_rows], data.features[without_bee])


def test_one_feature_file_is_found_and_several_are_listed(tmp_path):
    folder = write(tmp_path)
    scipy.io.savemat(folder / "other.mat", {"something": np.ones(3)})
    assert read_xlsa17(folder).source.startswith("xlsa17 layout: features from res101.mat")
    shutil.copy(folder / "res101.mat", folder / "vit.mat")
    with pytest.raises(DataError, match=r"several feature files .*received res101.mat, vit.mat.*Name one of these"):
        read_xlsa17(folder)
    for name in ("vit.mat", "vit", folder / "vit.mat"):
        assert "from vit.mat," in read_xlsa17(folder, features=name).source


def test_features_may_lie_elsewhere(tmp_path, monkeypatch):
    folder = write(tmp_path / "ZOO")
    elsewhere = shutil.move(folder / "res101.mat", tmp_path / "mine.mat")
    assert_same(read_xlsa17(folder, features=elsewhere), truth())
    monkeypatch.chdir(tmp_path)
    assert_same(read_xlsa17("ZOO", features="mine.mat"), truth())


def test_another_semantics_file_changes_the_name(tmp_path):
    folder = write(tmp_path / "ZOO")
    sentences = np.random.default_rng(1).normal(size=(7, N_CLASSES))
    scipy.io.savemat(folder / "sent_splits.mat", split_variables() | {"att": sentences})
    dataset = read_xlsa17(folder, semantics="sent_splits")
    assert dataset.name == "ZOO-sent"
    np.testing.assert_array_equal(dataset.semantics, sentences.T)
    with pytest.raises(DataError, match=r"no split file w2v.mat .*received att_splits.mat, sent_splits.mat"):
        read_xlsa17(folder, semantics="w2v.mat")


OUT_OF_RANGE = np.array([[1], [N_ROWS + 1]])
BAD_SPLITS = [
    ({"att": None}, "att_splits.mat lacks att .*received allclasses_names, original_att"),
    ({"test_seen_loc": None, "trainval_loc": None}, "att_splits.mat lacks trainval_loc, test_seen_loc"),
    (
        {"att": truth().semantics},
        r"att and allclasses_names .*5 names; received att of shape \(5, 4\)\). Transpose att",
    ),
    ({"att": np.ones((4, 6))}, r"att and allclasses_names .*shape \(4, 6\)\). Check the split file"),
    ({"att": np.ones((4, 5, 2))}, "att in att_splits.mat has the wrong dimensions"),
    ({"att": np.zeros((4, 5))}, "classes without usable semantics .*ant, bee, cat, dog, élan"),
    ({"att": cell(NAMES).T}, "semantics are not numbers"),
    ({"allclasses_names": cell(("ant",) * 5)}, "class names are not distinct .*ant more than once"),
    (
        {"trainval_loc": OUT_OF_RANGE},
        "row numbers of the split file are out of range .*1 to 30, as there are 30 rows",
    ),
    ({"trainval_loc": -OUT_OF_RANGE}, "row numbers .* are out of range .*received -31 to 30"),
    ({"trainval_loc": np.ones((2, 2))}, r"trainval_loc in att_splits.mat is not a vector .*\(2, 2\)"),
    ({"trainval_loc": np.array([["x"]])}, "trainval_loc in att_splits.mat is not a vector of numbers"),
    ({"trainval_loc": np.array([[1.5]])}, "trainval_loc in att_splits.mat are not all whole numbers .*1.5"),
    (
        {"test_seen_loc": split_variables()["trainval_loc"]},
        "rows that are used twice .*train_rows and test_seen_rows",
    ),
    ({"test_unseen_loc": np.zeros((0, 1))}, "there is no unseen class"),
    ({"trainval_loc": np.zeros((0, 1)), "test_seen_loc": np.zeros((0, 1))}, "there is no seen class"),
    ({"test_unseen_loc": split_variables()["test_seen_loc"]}, "seen and unseen classes overlap"),
    (
        {"trainval_loc": np.array([[1]]), "test_unseen_loc": np.array([[2]])},
        "test_seen_loc holds rows of classes that are not seen .*cat, élan",
    ),
]


@pytest.mark.parametrize(("changes", "message"), BAD_SPLITS)
def test_bad_split_files(tmp_path, changes, message):
    with pytest.raises(DataError, match=message) as caught:
        read_xlsa17(write(tmp_path, splits=changes))
    assert caught.value.remedy


NAN_FEATURES = truth().features.T.copy()
NAN_FEATURES[1, 4] = np.nan
BAD_FEATURES = [
    (
        {"features": truth().features},
        r"features and labels .*feature_dim x 30.*\(30, 3\)\). Transpose features",
    ),
    ({"features": np.ones((3, 29))}, r"features and labels .*\(3, 29\)\). Check the feature file"),
    ({"features": np.ones((3, 1, N_ROWS))}, "features and labels in res101.mat do not match"),
    (
        {"features": NAN_FEATURES},
        "features in res101.mat hold NaN or infinite values .*nan in row 4, column 1",
    ),
    ({"features": 1j * np.ones((3, N_ROWS))}, "features in res101.mat cannot be used .*complex"),
    (
        {"features": scipy.sparse.csc_matrix(truth().features.T)},
        "features in res101.mat cannot be used .*full array",
    ),
    ({"features": {"a": 1}}, "features .*res101.mat"),
    ({"labels": None}, "res101.mat lacks labels .*received features"),
    (
        {"labels": np.full((N_ROWS, 1), 6)},
        "labels of the feature file are out of range .*1 to 5, as there are 5 classes",
    ),
    ({"labels": np.full((N_ROWS, 1), -1)}, "labels of the feature file are out of range .*received -1 to -1"),
    ({"labels": np.full((N_ROWS, 1), np.nan)}, "labels in res101.mat are not all whole numbers"),
    ({"labels": np.ones((N_ROWS, 2))}, "labels in res101.mat is not a vector"),
    ({"labels": np.zeros((0, 1)), "features": np.zeros((3, 0))}, "labels of the feature file are empty"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_FEATURES)
def test_bad_feature_files(tmp_path, changes, message):
    with pytest.raises(DataError, match=message) as caught:
        read_xlsa17(write(tmp_path, features=changes))
    assert caught.value.remedy


LEVEL5_HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
DAMAGED = [
    (b"", "is not a MATLAB file .*0 bytes"),
    (b"<html>not found</html>" * 20, "is not a MATLAB file .*html"),
    (b"\x00" * 600, "is not a MATLAB file"),
    (LEVEL5_HEADER, "lacks|cannot be read|no features"),
    (LEVEL5_HEADER + b"\x0f\x00\x00\x00\x40\x00\x00\x00" + b"\xff" * 64, "cannot be read"),
    (LEVEL5_HEADER + b"\x0e\x00\x00\x00\x40\x00\x00\x00" + b"\xff" * 64, "cannot be read"),
]


@pytest.mark.parametrize(("content", "message"), DAMAGED)
@pytest.mark.parametrize("name", ["att_splits.mat", "res101.mat"])
def test_files_that_are_no_matlab_files(tmp_path, name, content, message):
    folder = write(tmp_path)
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_xlsa17(folder)
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["att_splits.mat", "res101.mat"])
def test_damaged_hdf5_files(tmp_path, name):
    folder = write(tmp_path)
    (folder / name).write_bytes(b"\x89HDF\r\n\x1a\n" + b"\x00" * 600)
    if importlib.util.find_spec("h5py") is None:
        with pytest.raises(MissingExtraError, match=r"python -m pip install 'zslearn\[data\]'"):
            read_xlsa17(folder)
        return
    with pytest.raises(DataError, match="cannot be read") as caught:
        read_xlsa17(folder)
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["att_splits.mat", "res101.mat"])
@pytest.mark.parametrize("compressed", [False, True])
def test_truncated_files(tmp_path, name, compressed):
    folder = write(tmp_path)
    parts = split_variables() if name == "att_splits.mat" else feature_variables()
    scipy.io.savemat(folder / name, parts, do_compression=compressed)
    whole = (folder / name).read_bytes()
    for share in (0.1, 0.3, 0.5, 0.9):
        (folder / name).write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DataError, match=name.replace(".", r"\.") + "|no features"):
            read_xlsa17(folder)


def test_folders_that_are_none(tmp_path):
    with pytest.raises(DataError, match=r"there is no folder .*nothing of that name"):
        read_xlsa17(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no split file att_splits.mat .*no file called"):
        read_xlsa17(tmp_path)
    folder = write(tmp_path / "ZOO")
    with pytest.raises(DataError, match=r"there is no folder .*received a file"):
        read_xlsa17(folder / "res101.mat")
    with pytest.raises(DataError, match=r"no feature file vit.mat .*received att_splits.mat, res101.mat"):
        read_xlsa17(folder, features="vit.mat")
    (folder / "res101.mat").unlink()
    with pytest.raises(DataError, match=r"there are no features .*received att_splits.mat.*Put the feature file"):
        read_xlsa17(folder)


def write_hdf5(path: Path, parts: dict[str, np.ndarray]) -> None:
    """Write as MATLAB 7.3 does: a 512-byte header, reversed axes, cells as references to character codes."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in parts.items():
            if value.dtype == object:
                cells = file.create_dataset(name, value.T.shape, dtype=h5py.ref_dtype)
                for i, text in enumerate(value.ravel()):
                    codes = np.array([[ord(letter)] for letter in text], dtype=np.uint16)
                    entry = file.create_dataset(f"#refs#/{name}{i}", data=codes)
                    entry.attrs["MATLAB_class"] = np.bytes_("char")
                    cells[0, i] = entry.ref
                cells.attrs["MATLAB_class"] = np.bytes_("cell")
            else:
                file.create_dataset(name, data=value.T)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def test_hdf5_files_give_the_same(tmp_path):
    folder = write(tmp_path)
    write_hdf5(folder / "att_splits.mat", split_variables())
    write_hdf5(folder / "res101.mat", feature_variables())
    assert_same(read_xlsa17(folder), truth())


def test_hdf5_failures(tmp_path):
    folder = write(tmp_path)
    path = folder / "res101.mat"
    write_hdf5(path, feature_variables())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"res101.mat cannot be read"):
        read_xlsa17(folder)
    write_hdf5(path, {"labels": feature_variables()["labels"]})
    with pytest.raises(DataError, match=r"there are no features"):
        read_xlsa17(folder)
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.create_group("features")
    with pytest.raises(DataError, match=r"features in res101.mat cannot be used .*structure or a sparse matrix"):
        read_xlsa17(folder)


def test_files_are_left_alone(tmp_path):
    folder = write(tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    read_xlsa17(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


# Folder, split file, then: training, test seen, test unseen rows; seen and unseen classes; leaked test rows.
GIVEN = [
    ("AWA1", "att_splits.mat", 19832, 4958, 5685, 40, 10, 0),
    ("AWA2", "att_splits.mat", 23527, 5882, 7913, 40, 10, 0),
    ("AWA2-v1", "att_splits.mat", 23527, 5882, 7913, 40, 10, 5882),
    ("CUB", "att_splits.mat", 7057, 1764, 2967, 150, 50, 0),
    ("CUB", "sent_splits.mat", 7057, 1764, 2967, 150, 50, 1764),
    ("SUN", "att_splits.mat", 10320, 2580, 1440, 645, 72, 0),
    ("APY", "att_splits.mat", 5932, 1483, 7924, 20, 12, 0),
    ("FLO", "att_splits.mat", 5631, 1403, 1155, 82, 20, 1403),
]


def stand_in_features(split_path: Path, n_seen: int) -> dict[str, np.ndarray]:
    """Labels that fit the split file, for folders that came without a feature file."""
    content = scipy.io.loadmat(split_path)
    parts = {name: content[name].ravel().astype(int) for name in content if name.endswith("_loc")}
    n_classes = content["att"].shape[1]
    labels = np.ones(max(part.max() for part in parts.values()), dtype=int)
    for name in ("trainval_loc", "test_seen_loc"):
        labels[parts[name] - 1] = np.arange(len(parts[name])) % n_seen + 1
    unseen = parts["test_unseen_loc"] - 1
    labels[unseen] = n_seen + 1 + np.arange(len(unseen)) % (n_classes - n_seen)
    return {"features": np.arange(len(labels), dtype=np.float32)[None], "labels": labels[:, None]}


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: f"{given[0]}/{given[1]}")
def test_given_split_files(shared_data, tmp_path, given):
    name, split_file, n_train, n_test_seen, n_test_unseen, n_seen, n_unseen, n_leaked = given
    folder = tmp_path / name.removesuffix("-v1")
    folder.mkdir()
    if not (shared_data / name / split_file).is_file():
        pytest.skip(f"benchmark file is absent: {name}/{split_file}")
    shutil.copy(shared_data / name / split_file, folder)
    scipy.io.savemat(folder / "res101.mat", stand_in_features(folder / split_file, n_seen))
    dataset = read_xlsa17(folder, semantics=split_file)
    counts = (len(dataset.train_rows), len(dataset.test_seen_rows), len(dataset.test_unseen_rows))
    assert counts == (n_train, n_test_seen, n_test_unseen)
    assert (len(dataset.seen_ids), len(dataset.unseen_ids)) == (n_seen, n_unseen)
    assert not any("unverified" in warning for warning in dataset.warnings)
    leaks = [warning for warning in dataset.warnings if "the leak" in warning]
    assert [f"hold {n_leaked:,} test rows" in leak for leak in leaks] == ([True] if n_leaked else [])
    assert len(dataset.semantics) == len(dataset.class_names) == n_seen + n_unseen
    assert_split_invariants(dataset)


def assert_split_invariants(dataset: ZSLDataset) -> None:
    for split in (dataset, class_split(dataset, 0), class_split(dataset, 3)):
        parts = (split.train_rows, split.test_seen_rows, split.test_unseen_rows)
        assert sum(len(part) for part in parts) == len(np.unique(np.concatenate(parts)))
        assert set(split.labels[split.train_rows]) == set(split.seen_ids)
        assert not set(split.labels[split.train_rows]) & set(split.labels[split.test_unseen_rows])
        assert len(split.unseen_ids) == len(dataset.unseen_ids)
    folds = rehearsal_folds(dataset.training(), seed=0)
    n_pretend = min(len(dataset.unseen_ids), len(dataset.seen_ids) // 4)
    assert [len(fold.pretend_unseen) for fold in folds] == [n_pretend] * 3
    train_rows = set(dataset.features[dataset.train_rows, 0].tolist())
    for fold in folds:
        assert not np.intersect1d(fold.train_rows, fold.test_rows).size
        if dataset.features.shape[1] == 1:
            # Stand-in features hold the row number: no rehearsal row comes from outside the training rows.
            assert set(fold.test_features[:][:, 0].tolist()) <= train_rows


def test_flowers_are_read_whole(shared_data):
    folder = shared_data / "FLO"
    if not (folder / "mobilenet.mat").is_file():
        pytest.skip("benchmark file is absent: FLO/mobilenet.mat")
    dataset = read_xlsa17(folder)
    assert dataset.features.shape == (8189, 2304)
    assert dataset.features.min() == 0
    assert dataset.class_names[:2] == ("pink primrose", "hard-leaved pocket orchid")
    assert (len(dataset.seen_ids), len(dataset.unseen_ids)) == (82, 20)
    assert any("hold 1,403 test rows" in warning for warning in dataset.warnings)
    # The labels of the file agree with the split: no unseen class among the seen test rows.
    assert not set(dataset.labels[dataset.test_seen_rows]) & set(dataset.unseen_ids)
