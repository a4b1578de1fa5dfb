import itertools

import numpy as np
import pytest

from zslearn.report.published import published_on
from zslearn.report.study import read_study
from zslearn.report.summary import summed_up


def digest_of(study_of, *variations, **described):
    return summed_up(read_study(study_of(*variations, **described)))


def test_official_and_class_splits_are_never_in_one_group(study_of):
    digest = digest_of(study_of, {"seed": 0}, {"split": "1"}, {"split": "0"}, {"data": "other"})
    assert [group.name for group in digest.groups] == [
        "toy, official split",
        "toy, class splits 0, 1",
        "other, official split",
    ]


def test_references_are_counted_once_for_each_unit(study_of, real_record):
    runs = [{"seed": seed, "model": model} for seed in (0, 1) for model in ("skd", "cada-vae")]
    (group,) = digest_of(study_of, *runs).groups
    assert {row.method: len(row.corrected) for row in group.rows} == {
        "skd": 2,
        "cada-vae": 2,
        **dict.fromkeys(real_record["references"], 2),
    }


def test_references_are_those_of_runs_on_the_data_as_they_are(study_of, real_record):
    name, told = next(iter(real_record["references"].items()))
    nothing = {name: {**told, "corrected": {**told["corrected"], "h": 0.0}}}
    control = {"arm": "random semantics", "marks": {"control": "random semantics"}, "references": nothing}
    (group,) = digest_of(study_of, control, {"arm": "base"}, kind="ablation").groups
    row = next(row for row in group.rows if row.method == name)
    assert told["corrected"]["h"] > 0
    assert row.summary("h").mean == pytest.approx(told["corrected"]["h"])
    assert row.summary("h").n == 1


def test_means_are_those_of_the_corrected_figures(study_of):
    figures = [0.4, 0.5, 0.9]
    (group,) = digest_of(study_of, *({"seed": seed, "h": h} for seed, h in enumerate(figures))).groups
    row = next(row for row in group.rows if row.method == "skd")
    summary = row.summary("h")
    assert summary.mean == pytest.approx(np.mean(figures))
    assert summary.sd == pytest.approx(np.std(figures, ddof=1))
    assert summary.lower < summary.mean < summary.upper


def clear_case(n_seeds, references=None):
    runs = []
    for seed in range(n_seeds):
        runs.append({"seed": seed, "model": "skd", "h": 0.6 + 0.01 * seed, "references": {}})
        runs.append({"seed": seed, "model": "cada-vae", "h": 0.5 + 0.01 * seed, "references": {}})
    return runs


def test_a_figure_leads_only_where_a_paired_test_says_so(study_of):
    (group,) = digest_of(study_of, *clear_case(7)).groups
    assert set(group.leaders.values()) == {"skd"}
    assert "10.0 points above cada-vae. It is better than cada-vae" in group.verdict


def test_five_pairs_cannot_prove_anything_and_the_verdict_says_so(study_of):
    (group,) = digest_of(study_of, *clear_case(5)).groups
    assert group.leaders == {}
    assert "No difference seen from cada-vae: 5 pairs cannot show one." in group.verdict


def test_one_run_proves_nothing(study_of):
    (group,) = digest_of(study_of, *clear_case(1)).groups
    assert "10.0 points above cada-vae, by one pair, which proves nothing" in group.verdict


def test_a_lead_that_missing_runs_make_is_told_over_the_runs_that_both_have(study_of):
    """Which seeds failed can put a method first that is behind wherever both were measured."""
    complete = [{"seed": seed, "h": 0.6 + 0.01 * seed, "references": {}} for seed in range(5)]
    partial = [{"seed": seed, "model": "cada-vae", "h": 0.595 + 0.01 * seed, "references": {}} for seed in (2, 3, 4)]
    failed = [{"seed": seed, "model": "cada-vae", "status": "failed"} for seed in (0, 1)]
    (group,) = digest_of(study_of, *complete, *partial, *failed).groups
    told = (
        "cada-vae has the highest mean H, 62.5 [61.5, 63.5]: over the runs that both have, it is 0.5 points below skd. "
    )
    assert group.verdict.startswith(told)
    assert [group.runs_told(row) for row in group.ranked] == ["3 of 5", "5"]


def test_without_a_rehearsal_ausuc_decides(study_of):
    area = {"t1": 0.5, "u": 0.1, "s": 0.9, "h": 0.2, "ausuc": 0.7}
    peak = {**area, "h": 0.5, "ausuc": 0.4}
    runs = [
        {"model": model, "metrics": figures, "metrics_corrected": figures, "references": {}}
        for model, figures in (("cada-vae", peak), ("skd", area))
    ]
    (rehearsed,) = digest_of(study_of, *runs).groups
    assert rehearsed.verdict.startswith("cada-vae has the highest mean H, 50.0: 30.0 points above skd")
    (group,) = digest_of(study_of, *({**run, "selection": {"rehearsal": None}} for run in runs)).groups
    assert [row.method for row in group.ranked] == ["skd", "cada-vae"]
    assert group.verdict.startswith("skd has the highest mean AUSUC, 0.700: 0.300 above cada-vae")


COMBINATIONS = ["SR+SP+KD", "SR+SP", "SR+KD", "SP+KD", "SR", "SP", "KD", "base"]


def ablation_of(study_of, n_splits):
    runs = []
    for split, arm in itertools.product(range(n_splits), COMBINATIONS):
        parts = [] if arm == "base" else arm.lower().split("+")
        h = 0.4 + 0.01 * split + 0.2 * ("kd" in parts) + 0.02 * ("sp" in parts) * (-1) ** split
        runs.append({"split": str(split), "arm": arm, "marks": {"parts": parts}, "h": h, "references": {}})
    return digest_of(study_of, *runs, kind="ablation")


def test_an_ablation_tells_what_each_part_does(study_of):
    digest = ablation_of(study_of, 10)
    (group,) = digest.groups
    assert digest.headline(group).method == "skd: SR+SP+KD"
    told = digest.verdict(group)
    assert told.startswith("skd: SR+SP+KD has a mean H of 64.5 [62.5, 66.5]. Each part beside its absence: SR +0.0")
    assert "SP +0.0 [-1.2, +1.2], no difference seen (p 1)" in told
    assert "KD +20.0 [+20.0, +20.0], better (p 0.0" in told
    assert len(digest.differences(group)) == 3 + 7
    few = ablation_of(study_of, 3)
    assert few.verdict(few.groups[0]).endswith("; too few pairs (3) to show a difference.")


def test_a_sweep_tells_the_best_value_beside_what_is_set(study_of):
    arms = {"as set": ({"as_set": {"w": 1.0}}, 0.5), "w = 2.0": ({"field": "w", "value": 2.0}, 0.6)}
    runs = [
        {"seed": seed, "arm": arm, "marks": marks, "h": h, "references": {}}
        for arm, (marks, h) in arms.items()
        for seed in range(6)
    ]
    digest = digest_of(study_of, *runs, kind="sweep")
    assert digest.verdict(digest.groups[0]) == (
        "skd: as set has a mean H of 50.0 [50.0, 50.0]. "
        "w = 2.0 is 10.0 points above it. It is better than as set (p 0.031)."
    )
    lower = digest_of(study_of, *({**run, "h": 1 - run["h"]} for run in runs), kind="sweep")
    assert lower.verdict(lower.groups[0]).endswith("No other value has a higher mean.")


def test_methods_whose_figures_look_the_same_stand_level(study_of):
    runs = [{"model": model, "h": h, "references": {}} for model, h in (("skd", 0.5), ("cada-vae", 0.49999))]
    assert (
        "skd has the highest mean H, 50.0: level with cada-vae, by one pair"
        in digest_of(study_of, *runs).groups[0].verdict
    )


def test_seeds_of_one_class_split_count_once(study_of):
    runs = [{**run, "split": split} for split in ("0", "1") for run in clear_case(7)]
    (group,) = digest_of(study_of, *runs).groups
    assert group.leaders == {}
    assert "2 pairs cannot show one" in group.verdict


def test_where_a_closed_form_leads_the_best_model_is_told(study_of, real_record):
    references = {"eszsl": {**real_record["references"]["eszsl"]}}
    references["eszsl"] |= {"corrected": dict.fromkeys(("t1", "u", "s", "h", "ausuc"), 0.9)}
    (group,) = digest_of(study_of, {"h": 0.5, "references": references}).groups
    assert group.verdict.startswith("eszsl has the highest mean H, 90.0")
    assert group.verdict.endswith("The best model, skd, has 50.0.")


def test_what_uses_test_data_is_no_result(study_of):
    setting = {"samples": "labelled unseen test samples", "unseen_semantics_in_training": False}
    digest = digest_of(
        study_of,
        {"h": 0.5, "references": {}},
        {"arm": "real unseen samples", "h": 0.9, "setting": setting, "references": {}},
    )
    (group,) = digest.groups
    assert [row.method for row in group.ranked] == ["skd"]
    assert any("skd: real unseen samples" in warning and "Ceilings" in warning for warning in digest.warnings)


def test_figures_that_could_not_be_measured_lead_nothing(study_of):
    figures = {"t1": None, "u": None, "s": 0.5, "h": None, "ausuc": None}
    unmeasured = {"metrics": figures, "metrics_corrected": figures, "references": {}, "curve": None}
    (group,) = digest_of(study_of, {**unmeasured}, {**unmeasured, "seed": 1}).groups
    assert group.leaders == {}
    assert group.verdict.startswith("There is no H")
    (row,) = group.rows
    assert row.summary("s").mean == 0.5
    assert row.summary("h").n == 0


def test_published_rows_know_our_own_of_the_same_method(study_of):
    (group,) = digest_of(study_of, {"data": "AWA2", "model": "f-clswgan", "h": 0.5}).groups
    ours = {result.method: row and row.method for result, row in group.published}
    assert ours["f-CLSWGAN"] == "f-clswgan"
    assert ours["ESZSL"] == "eszsl"
    assert ours["CADA-VAE"] is None


@pytest.mark.parametrize(
    ("called", "name"), [("AWA2 (res101.mat)", "AWA2"), ("CUB (res101.mat, sent_splits.mat)", "CUB-sent")]
)
def test_published_rows_are_found_where_an_experiment_names_files(study_of, called, name):
    (group,) = digest_of(study_of, {"data": called, "data_facts": {"name": name}}).groups
    assert group.data == called
    assert tuple(result for result, _ in group.published) == published_on(name) != ()


def test_closed_forms_are_called_rehearsed_only_where_they_were(study_of, real_record):
    def settings(group):
        return {row.settings for row in group.rows if row.kind == "reference"}

    (group,) = digest_of(study_of, {}).groups
    assert settings(group) == {"rehearsed"}
    facts = {name: {"rehearsal": []} for name in real_record["references"]}
    (group,) = digest_of(study_of, {"selection": {"rehearsal": None, "references": facts}}).groups
    assert settings(group) == {"not tuned"}


def test_what_rows_are_ordered_by_is_told_where_it_differs(study_of):
    bare = {"data": "other", "selection": {"rehearsal": None}}
    assert digest_of(study_of, {}).ranked_by == "H"
    assert digest_of(study_of, bare).ranked_by == "AUSUC"
    assert digest_of(study_of, {}, bare).ranked_by == "H, or AUSUC where nothing was rehearsed"


def test_published_rows_stand_beside_the_official_split_alone(study_of):
    (group,) = digest_of(study_of, {"data": "AWA2", "split": "3"}).groups
    assert group.published == ()


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"data_facts": {"warnings": ["a leak"]}}, "toy: a leak."),
        ({"data_facts": {"source": "stand-in features, seed 0"}}, "Stand-in features, figures mean nothing: toy."),
        ({"setting": {"samples": "transductive"}}, "Transductive (unseen samples were seen, unlabelled)"),
        ({"setting": {"unseen_semantics_in_training": True}}, "Trained with the semantics of unseen classes"),
        ({"selection": {"rehearsal": None}}, "U, S and H are not corrected for label shift, on toy"),
        ({"test_selected": {"h": 0.9}}, "Test-selected figures are the best of several"),
        ({"versions": {"zslearn": "9.9"}, "seed": 1}, "several versions of zslearn: 0.1.0, 9.9."),
        ({"data_facts": {"checksum": "f00"}, "seed": 1}, "the runs saw 2 different versions of the data"),
        ({"status": "failed", "seed": 1}, "Of 2 runs 1 failed: see Holes."),
        ({"status": "not run", "seed": 1}, "Of 2 runs 1 not run yet: see Holes."),
    ],
)
def test_what_a_reader_must_know_is_a_warning(study_of, change, warning):
    quiet = {"setting": {"samples": "inductive", "unseen_semantics_in_training": False}}
    quiet["selection"] = {"rehearsal": {"offset": 0.1}}
    assert [told for told in summed_up(read_study(study_of({**quiet}))).warnings if "contradict" not in told] == []
    told = digest_of(study_of, {**quiet}, {"seed": 0, "model": "cada-vae", **quiet, **change}).warnings
    assert any(warning in each for each in told), told


def test_holes_are_counted_by_what_became_of_the_runs(study_of):
    states = ["running", "interrupted", "failed", "not run", "running", "damaged"]
    runs = [{"seed": seed, "status": status} for seed, status in enumerate(states, start=1)]
    told = "Of 7 runs 1 damaged, 1 failed, 1 interrupted, 2 running, 1 not run yet: see Holes."
    assert told in digest_of(study_of, {}, *runs).warnings


def test_records_that_were_changed_after_the_run_are_named(study_of, real_record):
    assert not any("contradict" in told for told in digest_of(study_of, {}, {"split": "3"}).warnings)
    figures = {**real_record["metrics_corrected"], "h": 0.99}
    runs = [{}, *({"seed": seed, "metrics_corrected": figures} for seed in range(1, 8))]
    told = [warning for warning in digest_of(study_of, *runs).warnings if "contradict" in warning]
    assert len(told) == 1
    assert "toy skd seed 1: it differs from what was settled as 'trained'" in told[0]
    assert "toy skd seed 0" not in told[0]
    assert told[0].endswith("; and 2 more.")


def test_stand_in_features_are_the_first_warning(study_of):
    facts = {"source": "stand-in features, seed 0", "warnings": ["stand-in features: figures mean nothing"]}
    told = digest_of(study_of, {"data_facts": facts}, {"status": "failed"}).warnings
    assert told[0].startswith("Stand-in features, figures mean nothing")
    assert sum("tand-in features" in warning for warning in told) == 1
