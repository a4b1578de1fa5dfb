"""Classes of a run folder that are added, dropped and listed from the command line."""

import json
import shutil

import numpy as np
import pytest

from toy import toy_dataset as make_toy_dataset
from zslearn import GenerativeZSL, load_data
from zslearn.app.session import Session
from zslearn.data.glyph_semantics import ATTRIBUTES
from zslearn.locks import FolderLock


@pytest.fixture
def folder(finished, tmp_path):
    """A run folder of one's own."""
    return shutil.copytree(finished[0], tmp_path / "run")


@pytest.fixture(scope="module")
def features():
    return load_data("glyphs", split=1).test().features[:40]


VECTOR = (np.arange(34) % 3 / 2).tolist()
NUMBERS = ",".join(map(str, VECTOR))
NAMED = ",".join(f"{name}:{value}" for name, value in reversed(list(zip(ATTRIBUTES, VECTOR, strict=True))))


def scores(folder, features):
    return GenerativeZSL.load(folder).decision_scores(features, corrected=False)


def test_a_class_is_added_by_numbers_by_attribute_and_from_a_table(command, folder, features, tmp_path):
    before = scores(folder, features)
    answer = command("classes", folder, "add", f"Ä={NUMBERS}", f" a hook = {NAMED} ")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("2 added: Ä, a hook\n38 classes now: ")
    assert "Training knew nothing of added classes" in answer.out
    columns = ["name", *ATTRIBUTES[::-1]]
    cells = ["from a table", *map(str, VECTOR[::-1])]
    (tmp_path / "new.csv").write_text(f"{','.join(columns)}\n{','.join(cells)}\n")
    assert command("classes", folder, "add", "--from", tmp_path / "new.csv").code == 0
    estimator = GenerativeZSL.load(folder)
    assert estimator.added_classes_.tolist() == ["Ä", "a hook", "from a table"]
    np.testing.assert_array_equal(estimator.semantics_[-3:], [VECTOR] * 3)
    np.testing.assert_array_equal(scores(folder, features)[:, : before.shape[1]], before)


def test_attributes_that_are_not_named_can_have_a_value(command, folder):
    assert command("classes", folder, "add", f"new={ATTRIBUTES[3]}:1,{ATTRIBUTES[5]}:0.5", "--others", 0).code == 0
    vector = GenerativeZSL.load(folder).semantics_[-1]
    assert vector[[3, 5]].tolist() == [1.0, 0.5]
    assert vector.sum() == 1.5


def test_the_list_says_what_training_knew(command, folder):
    command("classes", folder, "add", f"new={NUMBERS}")
    listing = json.loads(command("classes", folder, "list", "--json").out)
    known = {entry["name"]: (entry["seen"], entry["added"], entry["known_to_training"]) for entry in listing}
    estimator = GenerativeZSL.load(folder)
    assert known[str(estimator.seen_classes_[0])] == (True, False, "samples and semantics")
    assert known[str(estimator.unseen_classes_[0])] == (False, False, "semantics")
    assert known["new"] == (False, True, "nothing")
    lines = command("classes", folder, "list").out.splitlines()
    assert len(lines) == 37
    assert lines[-1] == "new  unseen  added; training knew nothing of it"


def test_model_and_record_say_what_was_added_and_dropped(command, folder):
    command("classes", folder, "add", f"new={NUMBERS}")
    dropped = json.loads(command("classes", folder, "drop", "A", "--json").out)
    assert dropped["dropped"] == ["A"]
    assert len(dropped["classes"]) == 36
    record = json.loads((folder / "record.json").read_text())
    assert record["class_changes"]["added"] == ["new"]
    assert record["class_changes"]["changes"] == [{"added": ["new"]}, {"dropped": ["A"]}]
    assert "no term saw their semantics" in record["class_changes"]["note"]
    assert json.loads((folder / "model.json").read_text())["added"] == ["new"]


def test_a_run_with_added_classes_is_measured_without_them(command, folder):
    expected = json.loads(command("evaluate", folder, "--json").out)
    command("classes", folder, "add", f"new={NUMBERS}")
    answer = command("evaluate", folder, "--json")
    assert json.loads(answer.out) == expected
    assert answer.err == "note: measured without the classes added since the run: new\n"


@pytest.mark.parametrize("place", [0, -1])
def test_a_run_that_lost_classes_is_not_measured(command, folder, place):
    known = GenerativeZSL.load(folder)
    name = known.classes_.tolist()[place]
    vector = ",".join(map(str, known.semantics_[place].tolist()))
    for words in (["drop", name], ["add", f"{name}={vector}"]):
        assert command("classes", folder, *words).code == 0
        answer = command("evaluate", folder)
        assert answer.code == 2
        assert "classes of the data have been dropped since the run" in answer.err
        assert f"received {name}). Run again, and drop" in answer.err


def test_one_process_at_a_time_changes_classes(command, folder):
    lock = FolderLock(folder)
    answer = command("classes", folder, "drop", "A")
    assert answer.code == 2
    assert f"{folder} is in use (expected a folder that no other process works in" in answer.err
    assert command("classes", folder, "list").code == 0
    lock.release()
    assert command("classes", folder, "drop", "A").code == 0
    assert not lock.path.exists()


def test_predict_answers_with_added_classes(command, folder, features, tmp_path):
    estimator = GenerativeZSL.load(folder)
    twin = estimator.semantics_[estimator.unseen_ids_[0]]
    command("classes", folder, "add", f"twin={','.join(map(str, twin))}")
    np.save(tmp_path / "x.npy", features)
    answers = json.loads(command("predict", folder, tmp_path / "x.npy", "--top", 40, "--json").out)
    assert {answer["label"] for answer in answers} >= {"twin"}
    assert not any(answer["seen"] for answer in answers if answer["label"] == "twin")


def test_what_cannot_be_added_or_dropped_leaves_the_folder_as_it_was(command, folder, tmp_path):
    (tmp_path / "texts.csv").write_text("name,text\nokapi,striped legs\n")
    content = {path.name: path.read_bytes() for path in folder.iterdir()}
    cases = [
        (["add"], "there is no class to add"),
        (["add", "okapi"], "a new class is malformed (expected NAME=DESCRIPTION; received 'okapi')"),
        (["add", "okapi=1,2"], "expected 34 numbers for a class; received 2"),
        (["add", f"A={NUMBERS}"], "there is a class called 'A' already"),
        (["add", f"a={NUMBERS}"], "'a' differs from the class 'A' by case or blanks only"),
        (["add", f"x={NUMBERS}", f"x={NUMBERS}"], "the class 'x' is described twice"),
        (["add", "okapi=" + ",".join(["nan"] * 34)], "NaN, infinite or all-zero semantics for okapi"),
        (["add", f"okapi={ATTRIBUTES[0]}:1"], "a class is not described by all attributes"),
        (["add", "okapi=strypes:1"], "there is no attribute called 'strypes'"),
        (["add", "okapi=a brown animal, with striped legs"], "described in words, and this model learnt from numbers"),
        (["add", "--from", tmp_path / "texts.csv"], "described in words, and this model learnt from numbers"),
        (["add", "--from", tmp_path / "none.csv"], "there is no file"),
        (["drop"], "drop takes the names of classes"),
        (["drop", "AA"], "there is no class called 'AA'"),
        (["list", "A"], "list takes no classes"),
        (["lst"], "Did you mean list"),
    ]
    for words, message in cases:
        answer = command("classes", folder, *words)
        assert answer.code == 2, words
        assert message in answer.err, words
        assert answer.err.count("\n") == 1
        assert answer.out == ""
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == content


def test_classes_that_are_called_by_numbers_are_typed(command, tmp_path):
    view = make_toy_dataset().training()
    semantics = dict(enumerate(view.semantics))
    GenerativeZSL(model="gfzsl", rehearse=False).fit(view.features, view.labels, semantics=semantics).save(tmp_path)
    session = Session(GenerativeZSL.load(tmp_path))
    session.add("77", {"blend": {"0": 1, "1": 1}})
    (tmp_path / "added.npz").write_bytes(session.added_semantics())
    numbers = ",".join(map(str, view.semantics[0] + 1))
    answer = command("classes", tmp_path, "add", f"78={numbers}", "--from", tmp_path / "added.npz")
    assert answer.out.startswith("2 added: 77, 78\n"), answer.err
    assert command("classes", tmp_path, "drop", 7, 78).out.startswith("2 dropped: 7, 78\n")
    assert GenerativeZSL.load(tmp_path).classes_.tolist() == [*range(7), *range(8, 20), 77]
    assert command("synthesize", tmp_path, "--classes", "77,8", "-n", 1, "-o", tmp_path / "x.npz").code == 0
    assert np.load(tmp_path / "x.npz")["labels"].tolist() == [77, 8]
    for name in ("seven", "08"):
        answer = command("classes", tmp_path, "drop", name)
        assert f"{name!r} cannot name a class of this model (expected a whole number" in answer.err
