"""Own data on the command line: check, show, convert, fetch, and a run from a folder to predictions."""

import csv
import io
import json

import numpy as np
import pytest

from own import own_folder
from toy import toy_dataset as make_toy_dataset
from zslearn.data.conversion import write_own, write_xlsa17

TINY = ["--set", "n_updates=5", "teacher_updates=5", "classifier_epochs=1"]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "toy"
    write_own(make_toy_dataset(), folder)
    return folder


def test_check_says_on_one_screen_what_is_there_and_what_to_do(command, tmp_path):
    folder = own_folder(tmp_path / "animals")
    answer = command("data", "check", folder)
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert len(lines) < 40
    assert max(map(len, lines)) <= 120
    assert "  training   40 rows of 5 seen classes (8 to 8 each)" in lines
    assert "classes have the same semantics: zebra and okapi, dolphin and whale." in answer.out
    assert "-> Describe what sets them apart." in answer.out
    assert lines[-1] == "It can be used, with 2 warnings."
    assert command("data", "check", folder, "--strict").code == 1


def test_check_names_errors_and_their_remedies_and_exits_with_2(command, tmp_path):
    folder = own_folder(tmp_path / "animals")
    (folder / "rows.csv").write_text("label\n" + "Zebra\n" * 60)
    answer = command("data", "check", folder)
    assert answer.code == 2
    assert "error   labels in rows.csv are not among the classes of classes.csv" in answer.out
    assert answer.out.endswith("It cannot be used before the errors are put right.\n")
    told = json.loads(command("data", "check", folder, "--json").out)
    assert told["usable"] is False
    assert told["findings"][0]["level"] == "error"


def test_show_and_convert(command, toy, tmp_path):
    facts = json.loads(command("data", "show", toy, "--json").out)
    assert (facts["n_seen"], facts["n_unseen"], facts["feature_dim"]) == (16, 4, 20)
    assert "20 features each" in command("data", "show", toy).out
    assert command("data", "convert", toy, "--to", "xlsa17", "-o", tmp_path / "x").code == 0
    back = json.loads(command("data", "convert", tmp_path / "x", "-o", tmp_path / "y", "--json").out)
    assert back["files"] == ["classes.csv", "data.json", "features.npy", "rows.csv"]
    assert json.loads(command("data", "show", tmp_path / "y", "--json").out)["checksum"] == facts["checksum"]
    assert "is not an empty folder" in command("data", "convert", toy, "-o", tmp_path / "y").err


def test_fetch_asks_for_consent_and_tells_how_to_do_it_by_hand(command, tmp_path, monkeypatch):
    monkeypatch.setenv("ZSLEARN_DATA", str(tmp_path))
    refused = command("data", "fetch", "awa2")
    assert refused.code == 2
    assert "Xian et al." in refused.err
    assert "expected a yes, or --accept-licence). Nothing was downloaded." in refused.err
    by_hand = command("data", "fetch", "flo")
    assert by_hand.code == 2
    assert f"expected res101.mat and att_splits.mat in {tmp_path / 'FLO'}" in by_hand.err
    write_xlsa17(make_toy_dataset(), tmp_path / "FLO")
    (tmp_path / "FLO" / "features.mat").rename(tmp_path / "FLO" / "res101.mat")
    placed = command("data", "fetch", "flo")
    assert placed.code == 0
    assert "Next: zslearn data check FLO" in placed.out
    assert "Did you mean" in command("data", "fetch", "awa3").err


def test_a_run_without_any_test_row_trains_saves_and_predicts(command, tmp_path):
    """As a practitioner has it: samples of the classes that are known, a description of those that are not."""
    dataset = make_toy_dataset()
    folder = tmp_path / "mine"
    write_own(dataset, folder)
    rows = list(csv.DictReader((folder / "rows.csv").read_text().splitlines()))
    kept = [number for number, row in enumerate(rows) if row["part"] == "train"]
    np.save(folder / "features.npy", dataset.features[kept])
    lines = ["label,part", *(f"{rows[number]['label']},train" for number in kept)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    answer = command("run", "--data", folder, "--out", tmp_path / "run", *TINY)
    assert answer.code == 0, answer.err
    assert "There are no test rows of seen and none of unseen classes: nothing could be measured (-)." in answer.out
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert set(record["metrics"].values()) == {None}
    assert record["references"] == {}
    assert record["pictures"] == ["training.png"]
    np.save(tmp_path / "new.npy", dataset.test().features[:9])
    predicted = command("predict", tmp_path / "run", tmp_path / "new.npy")
    answers = list(csv.DictReader(io.StringIO(predicted.out)))
    assert len(answers) == 9
    assert command("evaluate", tmp_path / "run").code == 0
