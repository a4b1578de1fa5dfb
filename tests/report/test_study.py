import json

import pytest

from zslearn.errors import RunFolderError
from zslearn.report.study import read_study, split_words


def test_an_experiment_is_read_with_its_holes(study_of):
    folder = study_of(
        {"seed": 0},
        {"seed": 1, "status": "failed", "cause": "out of memory"},
        {"seed": 2, "status": "not run"},
        {"seed": 3, "arm": "SR+SP"},
        kind="ablation",
        title="T",
    )
    study = read_study(folder)
    assert (study.title, study.kind, study.command) == ("T", "ablation", "zslearn benchmark run tiny")
    assert [(run.seed, run.method, run.unit) for run in study.runs] == [
        (0, "skd", ("official", 0)),
        (3, "skd: SR+SP", ("official", 3)),
    ]
    assert [(hole.title, hole.status, hole.cause) for hole in study.holes] == [
        ("toy skd seed 1", "failed", "out of memory"),
        ("toy skd seed 2", "not run", "there is no record of it yet"),
    ]


def test_a_run_folder_is_read_with_its_references(tmp_path, real_record):
    (tmp_path / "record.json").write_text(json.dumps({**real_record, "job": None, "command": "zslearn run"}))
    study = read_study(tmp_path)
    assert (study.title, study.kind, study.command) == ("skd on toy", "run", "zslearn run")
    (run,) = study.runs
    assert run.corrected == real_record["metrics_corrected"]
    assert set(run.references) == set(real_record["references"])
    assert run.sheet() is None


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
def test_an_unfinished_run_is_a_hole_with_its_cause(tmp_path, status):
    record = {"status": status, "data": {"name": "toy", "split": "3"}, "model": "skd", "seed": 4, "cause": "nan"}
    (tmp_path / "record.json").write_text(json.dumps(record))
    study = read_study(tmp_path)
    assert study.runs == ()
    assert [(hole.title, hole.status, hole.cause) for hole in study.holes] == [
        ("toy split 3 skd seed 4", status, "nan")
    ]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"metrics": {"t1": 0.5}}, "'u'"),
        ({"metrics": None}, "NoneType"),
        ({"metrics_corrected": dict.fromkeys(["t1", "u", "s", "h", "ausuc"], 1.5)}, "share: 1.5"),
        ({"metrics_corrected": dict.fromkeys(["t1", "u", "s", "h", "ausuc"], "0.5")}, "share: '0.5'"),
        ({"references": []}, "items"),
        ({"seed": "one"}, "one"),
    ],
)
def test_a_damaged_record_is_a_hole_among_the_others(study_of, change, cause):
    study = read_study(study_of({"seed": 0}, {"seed": 1, **change}))
    assert len(study.runs) == 1
    (hole,) = study.holes
    assert hole.status == "damaged"
    assert cause in hole.cause


@pytest.mark.parametrize("split", ["²", "-1", "1.5", "9" * 5_000])
def test_a_split_that_is_no_number_is_damage(study_of, split):
    folder = study_of({"seed": 0}, {"seed": 1})
    told = json.loads((folder / "experiment.json").read_text())
    told["jobs"][1]["split"] = split
    (folder / "experiment.json").write_text(json.dumps(told))
    study = read_study(folder)
    assert [hole.status for hole in study.holes] == ["damaged"]
    assert "split" in study.holes[0].cause


def test_what_could_not_be_measured_is_no_damage(study_of):
    figures = {"t1": None, "u": None, "s": 0.5, "h": None, "ausuc": None}
    (run,) = read_study(study_of({"metrics": figures, "metrics_corrected": figures})).runs
    assert run.plain["s"] == 0.5
    assert run.plain["h"] != run.plain["h"]


def test_keys_cannot_lead_out_of_the_folder(study_of, tmp_path, real_record):
    folder = study_of({"seed": 0})
    (tmp_path / "secret.json").write_text(json.dumps(real_record))
    told = json.loads((folder / "experiment.json").read_text())
    told["jobs"][0]["key"] = "../secret"
    (folder / "experiment.json").write_text(json.dumps(told))
    study = read_study(folder)
    assert study.runs == ()
    assert study.holes[0].status == "damaged"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"jobs": 3}', "\xff", "[" * 100_000])
def test_a_damaged_description_is_refused(tmp_path, content):
    (tmp_path / "experiment.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(RunFolderError, match="experiment.json cannot be read"):
        read_study(tmp_path)


def test_jobs_of_any_form_become_holes(tmp_path):
    (tmp_path / "experiment.json").write_text(json.dumps({"jobs": [None, 3, {}, {"key": 5, "model": []}]}))
    study = read_study(tmp_path)
    assert [hole.status for hole in study.holes] == ["damaged"] * 4
    assert study.title == tmp_path.name


def test_a_folder_of_neither_kind_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="nothing to report on .*received neither of them"):
        read_study(tmp_path)
    with pytest.raises(RunFolderError, match="received no folder of that name"):
        read_study(tmp_path / "absent")


def test_splits_are_told_in_a_few_words():
    assert split_words(["official"]) == "official split"
    assert split_words(["2"]) == "class split 2"
    assert split_words(["0", "1", "2", "3", "10"]) == "class splits 0, 1, 2, 3, 10"
    assert split_words(["6", "5", "7"]) == "class splits 5 to 7"
