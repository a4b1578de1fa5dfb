from dataclasses import replace

import numpy as np
import pytest
import scipy.io

from own import ANIMALS, N_EACH, class_columns, own_folder, write_table
from toy import toy_dataset as make_toy_dataset
from zslearn import load_data
from zslearn.data.conversion import write_own, write_xlsa17
from zslearn.data.inspection import inspect_data
from zslearn.errors import DataError

LABELS = np.repeat(ANIMALS, N_EACH).tolist()


@pytest.fixture
def folder(tmp_path):
    return own_folder(tmp_path / "animals")


def findings(source, level, **options):
    return [finding.what for finding in inspect_data(str(source), **options).findings if finding.level == level]


def one(found, part):
    (match,) = [what for what in found if part in what]
    return match


def test_sound_data_have_no_errors_and_no_warnings(tmp_path, toy_dataset):
    write_own(toy_dataset, tmp_path / "toy")
    inspection = inspect_data(str(tmp_path / "toy"))
    assert inspection.usable
    assert inspection.findings == ()
    assert inspection.layout == "own data"
    assert inspection.facts["n_rows"] == len(toy_dataset.labels)


def test_one_fault_does_not_hide_another(folder):
    write_table(folder / "rows.csv", {"label": ["Zebra" if label == "zebra" else label for label in LABELS]})
    np.savez(folder / "semantics.npz", names=np.array([*ANIMALS[1:], "gnu"]), semantics=np.eye(6))
    (folder / "features.npy").write_bytes(b"nothing")
    (folder / "data.json").write_text("[]")
    inspection = inspect_data(str(folder))
    errors = [finding.what for finding in inspection.findings if finding.level == "error"]
    assert not inspection.usable
    assert len(errors) == 4
    assert "'Zebra' (differs only by case or blanks from 'zebra')" in one(errors, "labels in rows.csv")
    assert one(errors, "features.npy cannot be read")
    assert "none for 'zebra'" in one(errors, "have no vector in semantics.npz")
    assert one(errors, "data.json holds no facts")
    assert "'gnu'" in one(findings(folder, "warning"), "describes classes that classes.csv does not have")
    assert all(
        finding.remedy for finding in inspection.findings if finding.level == "error" and "facts" not in finding.what
    )


def test_names_and_classes_that_look_wrong(folder):
    columns = class_columns()
    table = {
        name: [*values, extra] for (name, values), extra in zip(columns.items(), ["Blue whale", *"1111"], strict=True)
    }
    table["name"][3] = "blue  whale"
    write_table(folder / "classes.csv", table)
    labels = ["blue  whale" if label == "whale" else label for label in LABELS]
    write_table(folder / "rows.csv", {"label": labels})
    assert "'blue  whale' and 'Blue whale'" in one(findings(folder, "warning"), "differ only by case or blanks")
    assert "Blue whale" in one(findings(folder, "note"), "classes without a row")


def test_semantics_that_tell_nothing_or_cannot_be_learnt(folder):
    columns = {**class_columns(), "split": ["seen"] * 5 + ["unseen"], "alive": [1] * 6, "shy": [0, 0, 0, 0, 0, 1]}
    write_table(folder / "classes.csv", columns)
    warnings = findings(folder, "warning")
    assert "1 of 6 attributes are equal for all classes: alive" in one(warnings, "equal for all classes")
    assert "1 attributes are equal for all seen classes but not for unseen ones: shy" in one(warnings, "unseen ones")
    assert "dolphin and whale" in one(warnings, "the same semantics")
    assert "only 5 seen classes" in one(warnings, "too few to rehearse")


def test_rows_that_occur_twice_or_leak(folder):
    features = np.load(folder / "features.npy")
    features[1] = features[0]
    features[59] = features[58] = features[11]
    features[:, 4] = 1
    np.save(folder / "features.npy", features)
    parts = ["train"] * 50 + ["test"] * 10
    write_table(folder / "rows.csv", {"label": LABELS, "part": parts})
    warnings = findings(folder, "warning")
    assert one(warnings, "training rows repeat").startswith("1 training rows")
    assert "2 test rows are equal to training rows (rows 58, 59" in one(warnings, "are equal to training rows")
    assert "horse and okapi" in one(warnings, "different labels")
    assert "number 5" in one(findings(folder, "note"), "features are constant")
    assert "none of seen" not in one(findings(folder, "note"), "no test rows of seen classes")


def test_classes_with_few_rows_and_rows_without_labels(folder):
    labels = [*LABELS[:3], *[""] * 7, *LABELS[10:]]
    write_table(
        folder / "rows.csv", {"label": labels, "part": ["train" if label in ANIMALS[:5] else "" for label in labels]}
    )
    assert "zebra" in one(findings(folder, "warning"), "fewer than 5 training rows")
    assert "7 rows have no label" in one(findings(folder, "note"), "no label")


def test_other_layouts_and_what_is_no_data_are_inspected_alike(tmp_path, toy_dataset):
    write_xlsa17(toy_dataset, tmp_path / "toy")
    assert inspect_data(str(tmp_path / "toy")).layout == "xlsa17"
    assert inspect_data("glyphs").usable
    (tmp_path / "empty").mkdir()
    assert "there is no split file" in one(findings(tmp_path / "empty", "error"), "split file")
    write_table(tmp_path / "empty" / "rows.csv", {"label": ["zebra"], "file": ["zebra/1.jpg"]})
    assert "there is no classes.csv" in one(findings(tmp_path / "empty", "error"), "classes.csv")
    assert "there is no data set" in one(findings("nothing", "error"), "nothing")


def test_data_keep_their_checksum_through_every_layout(tmp_path, toy_dataset):
    dataset = replace(toy_dataset, train_rows=toy_dataset.train_rows[:-3])
    write_own(dataset, tmp_path / "own")
    write_xlsa17(load_data(tmp_path / "own"), tmp_path / "xlsa17")
    write_own(load_data(tmp_path / "xlsa17"), tmp_path / "again")
    for name in ("own", "xlsa17", "again"):
        found = load_data(tmp_path / name)
        assert found.checksum == dataset.checksum, name
        assert found.class_names == dataset.class_names
    assert (tmp_path / "own" / "classes.csv").read_bytes() == (tmp_path / "again" / "classes.csv").read_bytes()


def test_what_makes_a_data_set_survives_conversion(tmp_path):
    facts = {"backbone": {"name": "a/b"}, "text_encoder": {"name": "c/d"}, "groups": np.arange(700) // 2}
    dataset = replace(make_toy_dataset(), **facts)
    write_own(dataset, tmp_path / "own")
    found = load_data(tmp_path / "own")
    assert (found.backbone, found.text_encoder) == (facts["backbone"], facts["text_encoder"])
    assert (tmp_path / "own" / "semantics.npz").is_file()
    np.testing.assert_array_equal(found.groups, dataset.groups)


def test_the_layout_of_xian_does_not_hold_everything(tmp_path, folder):
    own_folder(tmp_path / "bare", with_unseen_rows=False)
    with pytest.raises(DataError, match="0 rows without a label, 1 unseen classes without rows"):
        write_xlsa17(load_data(tmp_path / "bare"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match="exists already and is not an empty folder"):
        write_own(load_data(folder), folder)
    write_xlsa17(load_data(folder), tmp_path / "out")
    assert scipy.io.loadmat(tmp_path / "out" / "att_splits.mat")["att"].shape == (4, 6)
