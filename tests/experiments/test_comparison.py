import json

import numpy as np
import pytest
from scipy import stats

from zslearn.cli import main
from zslearn.errors import RunFolderError
from zslearn.experiments.comparison import COLUMNS, compare_models, comparison_table
from zslearn.experiments.experiment import read_experiment

MIXED = """
title: mixed
data: [glyphs]
splits: [1]
seeds: [0, 1]
references: false
models:
  - model: ale
    settings: {n_updates: 4}
  - model: ale
    label: longer
    settings: {n_updates: 8}
  - model: eszsl
  - model: teacher
    settings: {n_updates: 1000, max_seconds: 0.001}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from zslearn.experiments.engines import LocalProcesses
    from zslearn.experiments.folder import ExperimentFolder
    from zslearn.experiments.jobs import make_jobs
    from zslearn.experiments.runner import run_missing

    experiment = read_experiment(MIXED, "mixed", "mixed.yaml")
    jobs = make_jobs(experiment)
    folder = ExperimentFolder.prepare(tmp_path_factory.mktemp("runs") / "mixed", experiment, jobs, "again")
    run_missing(jobs, folder, LocalProcesses(1))
    return folder


@pytest.fixture
def rows(folder):
    ((group, rows),) = compare_models(folder).items()
    assert group == ("glyphs", "1")
    return {row["model"]: row for row in rows}


def test_figures_are_means_and_deviations_over_seeds(folder, rows):
    records = [record for job, record in folder.records() if (job["model"], job["arm"]) == ("ale", None)]
    t1 = [100 * record["metrics"]["t1"] for record in records]
    assert rows["ale"]["t1"] == pytest.approx({"mean": np.mean(t1), "sd": np.std(t1, ddof=1)})
    areas = [record["metrics"]["ausuc"] for record in records]
    assert rows["ale"]["ausuc"]["mean"] == pytest.approx(np.mean(areas))
    assert rows["ale"]["runs"] == 2


def test_a_model_with_other_settings_has_a_row_by_its_label(folder, rows):
    assert rows["ale: longer"]["runs"] == 2
    assert [rows[name]["updates"]["done"] for name in ("ale", "ale: longer")] == [4, 8]
    assert "\n| ale: longer " in comparison_table(compare_models(folder))


def test_the_others_are_paired_with_the_best_seed_by_seed(folder):
    h = {}
    for job, record in folder.records():
        name = job["model"] if job["arm"] is None else f"{job['model']}: {job['arm']}"
        h.setdefault(name, {})[record["seed"]] = 100 * record["metrics_corrected"]["h"]
    _, _, _, _, best, *others = comparison_table(compare_models(folder)).splitlines()
    place = list(COLUMNS).index("h_behind")
    ours, *theirs = ([cell.strip() for cell in line.strip("|").split("|")] for line in (best, *others))
    assert ours[place] == "-"
    for cells in theirs:
        differences = [h[ours[0]][seed] - h[cells[0]][seed] for seed in (0, 1)]
        lower, upper = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        assert cells[place] == f"{np.mean(differences):.1f} [{lower:.1f}, {upper:.1f}]"


def test_one_seed_has_no_interval(folder):
    (one,) = compare_models(folder).values()
    for row in one:
        row["h_by_seed"] = {"0": row["h_by_seed"]["0"]}
    h = {row["model"]: row["h_by_seed"]["0"] for row in one}
    _, _, _, _, best, *others = comparison_table({("glyphs", "1"): one}).splitlines()
    place = list(COLUMNS).index("h_behind")
    ours, *theirs = ([cell.strip() for cell in line.strip("|").split("|")] for line in (best, *others))
    assert [cells[place] for cells in theirs] == [f"{h[ours[0]] - h[cells[0]]:.1f}" for cells in theirs]


def test_costs_and_knowledge_stand_beside_them(folder, rows):
    assert rows["ale"]["updates"] == {"planned": 4, "done": 4.0}
    assert rows["eszsl"]["updates"] is None
    assert rows["teacher"]["updates"]["done"] < rows["teacher"]["updates"]["planned"] == 1000
    assert [rows[name]["unseen_semantics"] for name in ("ale", "eszsl", "teacher")] == [False, False, True]
    assert rows["eszsl"]["trials"] == len(
        next(r for j, r in folder.records() if j["model"] == "eszsl")["selection"]["alternatives"]
    )
    assert all(0.05 < row["memory"] < 50 for row in rows.values())
    assert 0 < rows["eszsl"]["seconds"] < 60


def test_updates_are_counted_where_a_step_holds_two_and_other_stages_go_before(folder):
    job, record = next(iter(folder.records()))
    stages = {"teacher": {"planned": 7, "done": 7}, "adversarial": {"planned": 500, "done": 187}}
    try:
        folder.write(job["key"], {**record, "config": {**record["config"], "n_updates": 1000}, "updates": stages})
        (rows,) = compare_models(folder).values()
    finally:
        folder.write(job["key"], record)
    (ale,) = (row for row in rows if row["model"] == "ale")
    assert ale["updates"] == {"planned": [1000, 4], "done": (374 + 4) / 2}


def test_updates_of_runs_that_chose_other_lengths_stand_as_a_range(folder):
    job, record = next(iter(folder.records()))
    stages = {"generative": {"planned": 12, "done": 12}}
    cells = []
    try:
        for done in (12, 6):
            stages["generative"]["done"] = done
            folder.write(job["key"], {**record, "config": {**record["config"], "n_updates": 12}, "updates": stages})
            groups = compare_models(folder)
            lines = comparison_table(groups).splitlines()
            (line,) = (line for line in lines if line.startswith("| ale "))
            cells.append(line.strip("|").split("|")[list(COLUMNS).index("updates")].strip())
    finally:
        folder.write(job["key"], record)
    assert cells == ["4 to 12", "5 of 4 to 12"]


@pytest.mark.parametrize(
    "damaged",
    [
        {"metrics": None},
        {"metrics": {"t1": [1, 2]}},
        {"metrics_corrected": dict.fromkeys(("t1", "u", "s", "h", "ausuc"), "x")},
        {"test_selected": {"t1": 0.5}},
        {"seconds": {"training": "x"}},
        {"selection": []},
        {"setting": {}},
    ],
    ids=str,
)
def test_a_record_that_is_damaged_is_named(folder, damaged):
    job, record = next(iter(folder.records()))
    folder.write(job["key"], {**record, **damaged})
    try:
        with pytest.raises(RunFolderError, match=rf"{job['key']}\.json is damaged .*Remove it"):
            compare_models(folder)
    finally:
        folder.write(job["key"], record)


def test_what_was_not_rehearsed_has_no_corrected_figures(folder):
    job, record = next(iter(folder.records()))
    folder.write(job["key"], {**record, "selection": {**record["selection"], "rehearsal": None}})
    try:
        (rows,) = compare_models(folder).values()
    finally:
        folder.write(job["key"], record)
    (ale,) = (row for row in rows if row["model"] == "ale")
    assert (ale["runs"], list(ale["h_by_seed"])) == (2, ["1"])
    unrehearsed = [
        {**row, "h_by_seed": {}, **dict.fromkeys(("u_corrected", "s_corrected", "h_corrected"))} for row in rows
    ]
    lines = comparison_table({("glyphs", "1"): unrehearsed}).splitlines()[4:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    areas = [float(line[list(COLUMNS).index("ausuc")].split(" ")[0]) for line in cells]
    assert areas == sorted(areas, reverse=True)
    assert {line[list(COLUMNS).index(name)] for line in cells for name in ("h_corrected", "h_behind")} == {"-"}


def test_runs_say_what_they_were_made_from(folder, rows):
    record = next(iter(folder.records()))[1]
    made = rows["ale"]["made_by"][0]
    assert made["data"]["checksum"] == record["data"]["checksum"]
    assert (made["seed"], made["config"], made["versions"]) == (0, record["config"], record["versions"])


def test_the_table_has_every_column_and_the_best_first(folder):
    groups = compare_models(folder)
    title, _, header, rule, *lines = comparison_table(groups).splitlines()
    assert title.startswith("glyphs, class split 1: percent")
    assert [cell.strip() for cell in header.strip("|").split("|")] == list(COLUMNS.values())
    assert {len(line) for line in (header, rule, *lines)} == {len(header)}
    place = list(COLUMNS).index("h_corrected")
    best = [float(line.strip("|").split("|")[place].split("±")[0]) for line in lines]
    assert best == sorted(best, reverse=True)
    teacher = next(line for line in lines if line.startswith("| teacher"))
    assert " of 1000 " in teacher


def test_the_command_prints_it_and_refuses_what_has_no_run(folder, tmp_path, capsys):
    assert main(["benchmark", "table", str(folder.path)]) == 0
    assert capsys.readouterr().out.rstrip("\n") == comparison_table(compare_models(folder))
    assert main(["benchmark", "table", str(folder.path), "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert {row["model"] for row in table["rows"]} == {"ale", "ale: longer", "eszsl", "teacher"}
    plan = (folder.path / "experiment.json").read_text()
    (tmp_path / "experiment.json").write_text(plan)
    assert main(["benchmark", "table", str(tmp_path)]) == 2
    assert "no run of the experiment" in capsys.readouterr().err
