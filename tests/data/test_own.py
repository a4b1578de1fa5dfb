import json
import shutil

import numpy as np
import pytest
import scipy.io

from own import ANIMALS, ATTRIBUTES, N_EACH, class_columns, own_folder, write_table
from zslearn import load_data
from zslearn.data.columns import read_columns
from zslearn.data.dataset import UNLABELLED
from zslearn.data.inspection import inspect_data
from zslearn.data.own import class_table, read_classes, read_own, read_rows
from zslearn.errors import DataError, UnknownNameError


@pytest.fixture
def folder(tmp_path):
    return own_folder(tmp_path / "Meine Tiere ü")


def rows(folder, **columns):
    write_table(folder / "rows.csv", columns)


LABELS = np.repeat(ANIMALS, N_EACH).tolist()


def test_a_folder_becomes_a_data_set(folder):
    data = load_data(folder)
    assert data.name == "Meine Tiere ü"
    assert data.class_names == ANIMALS
    assert [data.class_names[i] for i in data.unseen_ids] == ["okapi"]
    expected = [[float(values[i]) for values in ATTRIBUTES.values()] for i in range(len(ANIMALS))]
    assert data.semantics.tolist() == expected
    assert [ANIMALS[label] for label in data.labels] == LABELS
    assert data.test_unseen_rows.tolist() == list(range(50, 60))


def test_without_a_test_part_a_fifth_of_each_seen_class_is_held_out_and_stated(folder):
    data = load_data(folder)
    assert np.bincount(data.labels[data.test_seen_rows], minlength=6).tolist() == [2] * 5 + [0]
    assert np.bincount(data.labels[data.train_rows], minlength=6).tolist() == [8] * 5 + [0]
    (warning,) = data.warnings
    assert "10 rows, about 20 % of each seen class, are held out for measuring (drawn with seed 0)" in warning
    assert load_data(folder).checksum == data.checksum


def test_marked_parts_are_taken_as_they_are(folder):
    parts = (["train"] * 9 + ["test"]) * 5 + ["test"] * N_EACH
    rows(folder, label=LABELS, part=parts)
    data = load_data(folder)
    assert data.test_seen_rows.tolist() == [9, 19, 29, 39, 49]
    assert data.warnings == ()
    rows(folder, label=LABELS, part=["train"] * 50 + [""] * N_EACH)
    everything = load_data(folder)
    assert (len(everything.train_rows), len(everything.test_seen_rows)) == (50, 0)


def test_rows_without_a_label_are_kept_apart(folder):
    rows(folder, label=["", *LABELS[1:]], part=["", "unlabelled", "unused"] + [""] * 57)
    data = load_data(folder)
    assert data.labels[:3].tolist() == [UNLABELLED, UNLABELLED, 0]
    assert data.unlabelled_rows.tolist() == [0, 1]
    used = np.concatenate([data.train_rows, data.test_seen_rows, data.test_unseen_rows])
    assert not np.isin([0, 1, 2], used).any()
    assert data.facts()["n_unlabelled"] == 2


def test_classes_without_rows_to_train_on_are_unseen(tmp_path):
    data = load_data(own_folder(tmp_path / "data", with_unseen_rows=False))
    assert [data.class_names[i] for i in data.unseen_ids] == ["okapi"]
    assert data.test_unseen_rows.size == 0


def test_groups_stay_together(folder):
    rows(folder, label=LABELS, group=[f"herd {i // 5}" for i in range(60)])
    data = load_data(folder)
    assert data.groups.shape == (60,)
    assert not np.intersect1d(data.groups[data.train_rows], data.groups[data.test_seen_rows]).size


@pytest.mark.parametrize("group", ["7", "9" * 30, "herd"])
def test_rows_without_a_group_are_each_alone(folder, group):
    rows(folder, label=LABELS, group=[group, group, *[""] * 58])
    groups = load_data(folder).groups
    assert groups[0] == groups[1]
    assert len(np.unique(groups)) == 59


def test_a_memory_map_stays_mapped(folder):
    array = load_data(folder).features
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    assert isinstance(array, np.memmap)


def other_forms(folder):
    """The same features in every other form that the layout knows, and what is removed for it."""
    features = np.load(folder / "features.npy")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra data")
    import pyarrow

    table = {f"f{i}": features[:, i] for i in range(5)}
    with_labels = pyarrow.table({"label": LABELS, **table})
    return {
        "features.npz": lambda path: np.savez(path, features=features),
        "features.mat": lambda path: scipy.io.savemat(path, {"features": features.T}),
        "features.csv": lambda path: write_table(path, {name: column.tolist() for name, column in table.items()}),
        "features.parquet": lambda path: parquet.write_table(with_labels, path),
    }


@pytest.mark.parametrize("name", ["features.npz", "features.mat", "features.csv", "features.parquet"])
def test_every_form_of_features_gives_the_same_data(folder, name):
    expected = load_data(folder)
    other_forms(folder)[name](folder / name)
    (folder / "features.npy").unlink()
    assert load_data(folder).checksum == expected.checksum


@pytest.mark.parametrize("name", ["features.npz", "features.parquet"])
def test_labels_may_come_with_the_features(folder, name):
    expected = load_data(folder)
    other_forms(folder)[name](folder / name)
    if name == "features.npz":
        np.savez(folder / name, features=expected.features, labels=np.array(LABELS))
    (folder / "features.npy").unlink()
    (folder / "rows.csv").unlink()
    assert load_data(folder).checksum == expected.checksum


def test_tables_may_be_parquet(folder):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra data")
    import pyarrow

    expected = load_data(folder).checksum
    columns = {**class_columns(), "split": ["seen"] * 5 + ["unseen"]}
    numbers = {name: [int(entry) for entry in columns[name]] for name in ATTRIBUTES}
    parquet.write_table(pyarrow.table({**columns, **numbers}), folder / "classes.parquet")
    parquet.write_table(pyarrow.table({"label": LABELS}), folder / "rows.parquet")
    with pytest.raises(DataError, match=r"there are both classes.csv and classes.parquet"):
        load_data(folder)
    (folder / "classes.csv").unlink()
    (folder / "rows.csv").unlink()
    assert load_data(folder).checksum == expected


@pytest.mark.parametrize("column", ["label", "part", "split", "group"])
def test_nothing_in_a_categorical_column_is_nothing(folder, column):
    """As data frames write it: an index into the distinct words, and none where there is no word."""
    arrow = pytest.importorskip("pyarrow", reason="needs the extra data")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra data")
    (folder / "rows.csv").unlink()
    words = {"label": LABELS, "part": ["test"] * 59 + ["unused"], "group": ["a"] * 60}
    if column == "split":
        (folder / "classes.csv").unlink()
        words = {"name": list(ANIMALS), "split": ["seen"] * 5 + ["unseen"]}
    words[column] = [None, *words[column][1:]]
    table = {name: arrow.array(entries).dictionary_encode() for name, entries in words.items()}
    parquet.write_table(arrow.table(table), folder / ("classes.parquet" if column == "split" else "rows.parquet"))
    if column == "split":
        assert read_classes(folder).split == ("", *["seen"] * 4, "unseen")
        return
    told = read_rows(folder, folder / "features.npy")
    assert {"label": told.labels, "part": told.parts, "group": told.groups}[column][:2] == ("", words[column][1])


def test_a_categorical_column_without_any_word_is_empty(folder):
    arrow = pytest.importorskip("pyarrow", reason="needs the extra data")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra data")
    (folder / "rows.csv").unlink()
    nothing = arrow.DictionaryArray.from_arrays(arrow.array([None] * 60, arrow.int8()), arrow.array([], arrow.string()))
    parquet.write_table(arrow.table({"label": LABELS, "part": nothing}), folder / "rows.parquet")
    assert read_rows(folder, folder / "features.npy").parts == ("",) * 60


def test_semantics_come_from_the_file_that_is_named(folder):
    vectors = np.random.default_rng(0).normal(size=(6, 3))
    order = np.random.default_rng(1).permutation(6)
    facts = {"name": "some/encoder", "sha256": "0" * 64}
    np.savez(
        folder / "semantics.npz",
        names=np.array(ANIMALS)[order],
        semantics=vectors[order],
        encoder=np.array(json.dumps(facts)),
    )
    data = load_data(folder)
    np.testing.assert_array_equal(data.semantics, vectors)
    assert data.text_encoder == facts
    attributes = load_data(folder, semantics="classes.csv")
    assert attributes.semantics.shape == (6, 4)
    assert attributes.text_encoder is None


def test_semantics_in_a_file_without_names_are_refused_with_what_would_do(folder):
    (folder / "att_splits.mat").write_bytes(b"MATLAB 5.0")
    with pytest.raises(DataError, match=r"no semantics by class name.*\.npz with names.*received \.mat.*describe"):
        load_data(folder, semantics="att_splits.mat")


def test_a_vector_for_a_class_that_does_not_exist_is_told_when_data_are_loaded(folder):
    np.savez(folder / "semantics.npz", names=np.array([*ANIMALS, "Zebra"]), semantics=np.eye(len(ANIMALS) + 1))
    (told,) = [text for text in load_data(folder).warnings if "semantics.npz" in text]
    assert told.endswith("that classes.csv does not have: 'Zebra' (differs only by case or blanks from 'zebra')")
    assert [finding.level for finding in inspect_data(str(folder)).findings if finding.what == told] == ["warning"]


def test_facts_beside_the_data_name_it_and_its_backbone(folder):
    facts = {"name": "animals", "source": "drawn by hand", "backbone": {"name": "a/b"}}
    (folder / "data.json").write_text(json.dumps(facts))
    data = load_data(folder)
    assert (data.name, data.source, data.backbone) == ("animals", "drawn by hand", {"name": "a/b"})


def test_separators_of_other_countries_and_words_for_truth(tmp_path):
    path = tmp_path / "classes.csv"
    path.write_text("\ufeffname;stripes;size\nzebra;yes;1.5\n\nhorse;no;2\n", encoding="utf-8")
    table = class_table(path)
    assert table.names == ("zebra", "horse")
    assert table.attributes.tolist() == [[1.0, 1.5], [0.0, 2.0]]


def test_decimal_commas_are_refused_not_read_as_sentences(tmp_path):
    path = tmp_path / "classes.csv"
    path.write_text("name;stripes\nzebra;1\nhorse;0,5\nokapi;0,25\n")
    with pytest.raises(
        DataError, match=r"the column stripes of classes.csv has decimal commas .*0\.5; received '0,5' in row 2"
    ):
        class_table(path)
    path.write_text("name;text\nzebra;striped, like 1\nhorse;0,5\n")
    assert class_table(path).sentences == {"text": ("striped, like 1", "0,5")}


def test_texts_that_are_left_out_beside_attributes_are_named(folder):
    columns = {
        **class_columns(),
        "split": ["seen"] * 5 + ["unseen"],
        "size": ["n/a", "50%", "0", "n/a", "1", ""],
        "text": [f"a {name}" for name in ANIMALS],
    }
    write_table(folder / "classes.csv", columns)
    told = "columns of classes.csv hold texts and are not used as attributes: size, text"
    data = load_data(folder)
    assert told in data.warnings
    assert data.attribute_names == tuple(ATTRIBUTES)
    assert [finding.level for finding in inspect_data(str(folder)).findings if finding.what == told] == ["note"]
    np.savez(folder / "semantics.npz", names=np.array(ANIMALS), semantics=np.eye(len(ANIMALS)))
    assert told not in load_data(folder).warnings


def test_names_that_look_equal_are_equal(folder):
    """The same letters in composed and decomposed form, as file systems differ in it."""
    columns = {**class_columns(), "split": ["seen"] * 5 + ["unseen"]}
    columns["name"] = ["zèbre", *ANIMALS[1:]]
    write_table(folder / "classes.csv", columns)
    rows(folder, label=["ze\u0300bre" if label == "zebra" else f" {label} " for label in LABELS])
    assert load_data(folder).class_names[0] == "zèbre"


def broken(folder, what):
    """Break a sound folder in one way."""
    columns = {**class_columns(), "split": ["seen"] * 5 + ["unseen"]}
    if what == "case":
        rows(folder, label=["Zebra" if label == "zebra" else label for label in LABELS])
    elif what == "strange":
        rows(folder, label=["zebro", *LABELS[1:]])
    elif what == "short":
        rows(folder, label=LABELS[:-1])
    elif what == "part":
        rows(folder, label=LABELS, part=["trian"] * 60)
    elif what == "unseen train":
        rows(folder, label=LABELS, part=["train"] * 60)
    elif what == "no label":
        rows(folder, label=["", *LABELS[1:]], part=["test"] * 60)
    elif what == "column":
        rows(folder, Label=LABELS)
    elif what == "no rows":
        (folder / "rows.csv").unlink()
    elif what == "no features":
        (folder / "features.npy").unlink()
    elif what == "two features":
        shutil.copy(folder / "features.npy", folder / "features.mat")
    elif what == "ragged":
        with (folder / "classes.csv").open("a") as file:
            file.write("gnu,1\n")
    elif what == "twice":
        write_table(folder / "classes.csv", {name: [*values, values[0]] for name, values in columns.items()})
    elif what == "gap":
        columns["fins"] = ["", *columns["fins"][1:]]
        write_table(folder / "classes.csv", columns)
    elif what == "no attributes":
        write_table(folder / "classes.csv", {"name": columns["name"], "text": [f"a {n}" for n in columns["name"]]})
    elif what == "split":
        write_table(folder / "classes.csv", {**columns, "split": ["unsen"] * 6})
    elif what == "seen without rows":
        write_table(folder / "classes.csv", {**columns, "split": ["seen"] * 4 + ["unseen", "seen"]})
        rows(folder, label=["zebra" if label == "okapi" else label for label in LABELS])
    elif what == "encoding":
        (folder / "classes.csv").write_bytes("name,a\nKäfer,1\n".encode("latin-1"))
    elif what == "vector":
        np.savez(folder / "semantics.npz", names=np.array([*ANIMALS[:-1], "Okapi"]), semantics=np.eye(6))
    elif what == "pickle":
        np.savez(folder / "semantics.npz", names=np.array(ANIMALS, dtype=object), semantics=np.eye(6))
    elif what == "facts":
        (folder / "data.json").write_text("{")


BREAKS = {
    "case": r"received 'Zebra' \(differs only by case or blanks from 'zebra'\)",
    "strange": r"received 'zebro' \(did you mean 'zebra'\?\)",
    "short": "expected a line for each of the 60 rows of the features; received 59 lines",
    "part": "Did you mean train",
    "unseen train": "received rows marked as train of okapi",
    "no label": "marked as train or test but have no label",
    "column": r"lacks the column label \(expected a column called label; received Label\)",
    "no rows": "expected a table rows.csv with the column label",
    "no features": "there are no features in",
    "two features": "received features.npy, features.mat",
    "ragged": r"line 8 of classes.csv does not fit its first line \(expected 6 entries; received 2\)",
    "twice": "received zebra more than once",
    "gap": "has no attributes|not all numbers|fins",
    "no attributes": r"received sentences in text\). Make vectors of the texts with: zslearn describe",
    "split": "there is no split of a class in classes.csv called 'unsen'. Did you mean unseen",
    "seen without rows": "there are seen classes without training rows .*okapi",
    "encoding": "expected a complete .csv file in UTF-8.*Save it again in UTF-8",
    "vector": r"received none for 'okapi' \(differs only by case or blanks from 'Okapi'\)",
    "pickle": "without pickled objects",
    "facts": "data.json cannot be read",
}


@pytest.mark.parametrize("what", BREAKS)
def test_what_does_not_fit_is_one_clear_line(folder, what):
    broken(folder, what)
    with pytest.raises((DataError, UnknownNameError), match=BREAKS[what]) as caught:
        read_own(folder)
    assert "\n" not in str(caught.value)


def test_a_gap_in_an_attribute_is_named_not_read_as_a_sentence(folder):
    broken(folder, "gap")
    with pytest.raises(DataError, match=r"the column fins of classes.csv is not all numbers .*received '' in row 1"):
        read_own(folder)


def test_an_empty_csv_and_a_headless_one(tmp_path):
    for content, message in (
        ("", "cannot be read|no rows"),
        ("name\n", "has no rows"),
        ("a,a\n1,2\n", "no names of their own"),
    ):
        (tmp_path / "t.csv").write_text(content)
        with pytest.raises(DataError, match=message):
            read_columns(tmp_path / "t.csv")


def test_class_splits_work_on_own_data_that_has_rows_of_every_class(folder):
    split = load_data(folder, split=1)
    assert (len(split.seen_ids), len(split.unseen_ids)) == (5, 1)


def test_own_data_are_found_by_name(folder, monkeypatch):
    monkeypatch.setenv("ZSLEARN_DATA", str(folder.parent))
    assert load_data("meine tiere Ü").name == "Meine Tiere ü"


def test_a_table_whose_few_bytes_stand_for_many_rows_is_refused(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="needs the extra data")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra data")
    parquet.write_table(arrow.table({"label": np.zeros(10_000_000)}), tmp_path / "rows.parquet")
    assert (tmp_path / "rows.parquet").stat().st_size < 100_000
    with pytest.raises(DataError, match="would take too much memory"):
        read_columns(tmp_path / "rows.parquet")
