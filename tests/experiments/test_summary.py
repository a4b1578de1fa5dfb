import numpy as np
import pytest

from zslearn.experiments.folder import ExperimentFolder
from zslearn.experiments.summary import summarise_experiment, summary_table


def marks_of(arm):
    if arm == "as set":
        return {"as_set": {"w": 1}}
    parts = [] if arm == "base" else (arm or "").lower().split("+")
    return {"parts": parts} if set(parts) <= {"sr", "sp", "kd"} else {}


class Recorded(ExperimentFolder):
    """A folder whose records are made up."""

    def __init__(self, tmp_path, kind, values, **plan):
        super().__init__(tmp_path, {"kind": kind, "jobs": [], **plan})
        self.made = {}
        (tmp_path / "records").mkdir()
        for (model, arm), by_unit in values.items():
            for (split, seed), value in by_unit.items():
                key = f"{len(self.plan['jobs']):04}"
                job = {"key": key, "model": model, "data": "toy", "split": split, "seed": seed, "arm": arm}
                job["marks"] = marks_of(arm)
                self.plan["jobs"].append(job)
                if value is not None:
                    figures = dict.fromkeys(("t1", "u", "s", "h", "ausuc"), value)
                    references = {"ridge": {**figures, "corrected": dict.fromkeys(figures, 0.1)}}
                    selection = {"rehearsal": {"chosen": 0} if self.plan.get("rehearse", True) else None}
                    record = {"status": "finished", "metrics": figures, "metrics_corrected": figures, "seconds": {}}
                    self.write(key, {**record, "references": references, "selection": selection})


UNITS = [(str(split), seed) for split in range(8) for seed in range(2)]


def series(start, step=0.01):
    return {unit: start + step * i for i, unit in enumerate(UNITS)}


def test_means_deviations_and_what_is_missing(tmp_path):
    values = {("a", None): series(0.5), ("b", None): {**series(0.3), UNITS[0]: None}}
    (group,) = summarise_experiment(Recorded(tmp_path, "grid", values))
    rows = {row.name: row for row in group.rows}
    expected = np.array(list(series(0.5).values()))
    assert rows["a"].summary("h").mean == pytest.approx(expected.mean())
    assert rows["a"].summary("h").sd == pytest.approx(expected.std(ddof=1))
    assert (rows["b"].n_planned, rows["b"].n_finished) == (16, 15)
    assert [row.name for row in group.rows] == ["a", "b", "ridge"]
    assert (group.data, group.splits, group.metric) == ("toy", "class splits", "h")


def test_every_model_is_compared_with_the_best_over_common_units_and_each_split_counts_once(tmp_path):
    values = {("a", None): series(0.5), ("b", None): {**series(0.3), UNITS[0]: None}}
    (group,) = summarise_experiment(Recorded(tmp_path, "grid", values))
    by_name = {comparison.name: comparison for comparison in group.comparisons}
    assert by_name["b"].against == "a"
    assert by_name["b"].gain.n_pairs == 8
    assert by_name["b"].gain.mean == pytest.approx(-0.2)
    assert by_name["b"].verdict == "worse"
    assert by_name["b"].n_comparisons == 2
    text = summary_table([group])
    assert "b: -20.0 [-20.0, -20.0], worse than a" in text
    assert "15/16" in text


def test_seeds_of_one_split_are_pairs_and_too_few_of_them_are_told_once(tmp_path):
    units = [("official", seed) for seed in range(5)]
    values = {(name, None): dict.fromkeys(units, value) for name, value in (("a", 0.5), ("b", 0.4), ("c", 0.3))}
    (group,) = summarise_experiment(Recorded(tmp_path, "grid", values))
    assert {comparison.gain.n_pairs for comparison in group.comparisons} == {5}
    told = summary_table([group]).split("\n\n")[-1]
    assert told.startswith("Paired differences in H, 95 % interval; none can be shown with so few pairs (5):\n")
    assert set(told.splitlines()[1:]) == {
        "  b: -10.0 [-10.0, -10.0] against a",
        "  c: -20.0 [-20.0, -20.0] against a",
        "  ridge: -40.0 [-40.0, -40.0] against a",
    }


def test_a_failed_run_leaves_a_hole_that_is_counted(tmp_path):
    folder = Recorded(tmp_path, "grid", {("a", None): {UNITS[0]: 0.5, UNITS[1]: None}, ("b", None): {UNITS[0]: None}})
    folder.write("0001", {"status": "failed", "cause": "NaN"})
    (group,) = summarise_experiment(folder)
    rows = {row.name: row for row in group.rows}
    assert (rows["a"].n_finished, rows["a"].n_failed, rows["a"].n_planned) == (1, 1, 2)
    text = summary_table([group])
    assert "1 failed" in text
    assert "not run" in text


def test_references_are_those_of_runs_on_the_data_as_they_are(tmp_path):
    folder = Recorded(tmp_path, "ablation", {("skd", arm): {UNITS[0]: 0.5} for arm in ("base", "random semantics")})
    folder.plan["jobs"][1]["marks"] = {"control": "random semantics"}
    by_chance = {"ridge": {"corrected": dict.fromkeys(("t1", "u", "s", "h", "ausuc"), 0.01)}}
    folder.write("0001", {**folder.read("0001"), "references": by_chance})
    (group,) = summarise_experiment(folder)
    assert next(row for row in group.rows if row.is_reference).values["h"] == {UNITS[0]: 0.1}


def test_a_reference_that_is_also_a_model_has_one_row(tmp_path):
    (group,) = summarise_experiment(
        Recorded(tmp_path, "grid", {("a", None): series(0.5), ("ridge", None): series(0.2)})
    )
    rows = {row.name: row for row in group.rows}
    assert rows["ridge"].summary("h").mean == pytest.approx(0.275)
    assert not rows["ridge"].is_reference


def test_parts_are_averaged_over_the_states_of_the_others(tmp_path):
    effect = {"SR": 0.1, "SP": 0.02, "KD": 0.0}
    arms = ["SR+SP+KD", "SR+SP", "SR+KD", "SP+KD", "SR", "SP", "KD", "base", "teacher: plain"]
    values = {("skd", arm): series(0.3 + sum(effect.get(part, 0) for part in arm.split("+"))) for arm in arms}
    (group,) = summarise_experiment(Recorded(tmp_path, "ablation", values, rehearse=False))
    gains = {(each.name, each.against): each.gain.mean for each in group.comparisons}
    for part, gain in effect.items():
        assert gains[f"{part}, averaged over the other parts", "its absence"] == pytest.approx(gain)
    assert gains["SR+SP+KD", "base"] == pytest.approx(0.12)
    assert gains["SR+SP+KD", "teacher: plain"] == pytest.approx(0.12)
    assert len(group.comparisons) == 3 + 8
    assert group.metric == "ausuc"


def test_sweeps_compare_each_value_with_what_is_set(tmp_path):
    values = {("skd", "as set"): series(0.3), ("skd", "w = 2"): series(0.35)}
    (group,) = summarise_experiment(Recorded(tmp_path, "sweep", values))
    (comparison,) = group.comparisons
    assert (comparison.name, comparison.against) == ("w = 2", "as set")
    assert comparison.gain.mean == pytest.approx(0.05)
    assert group.as_dict()["comparisons"][0]["verdict"] == "better"


def test_rows_of_a_grid_are_told_apart_by_model_and_label(tmp_path):
    values = {("a", None): series(0.5), ("a", "a"): series(0.3), ("a", "ridge"): series(0.2)}
    (group,) = summarise_experiment(Recorded(tmp_path, "grid", values))
    means = {row.name: row.summary("h").mean for row in group.rows}
    assert means == pytest.approx({"a": 0.575, "a: a": 0.375, "a: ridge": 0.275, "ridge": 0.1})


def test_where_nothing_was_rehearsed_rows_are_compared_by_ausuc_whatever_the_plan_says(tmp_path):
    folder = Recorded(tmp_path, "grid", {("a", None): series(0.5)}, rehearse=False)
    folder.plan["rehearse"] = True
    (group,) = summarise_experiment(folder)
    assert group.metric == "ausuc"
    assert "corrected" not in summary_table([group])


def test_figures_chosen_on_test_stand_in_columns_of_that_name(tmp_path):
    folder = Recorded(tmp_path, "grid", {("a", None): {UNITS[0]: 0.5}})
    record = folder.read("0000")
    folder.write("0000", {**record, "test_selected": {"t1": 0.9, "h": 0.8}})
    (group,) = summarise_experiment(folder)
    assert group.rows[0].summary("h").mean == 0.5
    assert group.rows[0].summary("test_selected_h").mean == 0.8
    assert "H test-selected" in summary_table([group])
