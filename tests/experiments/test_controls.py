import json
from dataclasses import replace

import numpy as np
import pytest

from toy import write_toy_folder
from zslearn.errors import ConfigError
from zslearn.evaluation.events import contradictions, holds
from zslearn.evaluation.protocol import run_protocol
from zslearn.experiments.arms import CONTROLS
from zslearn.experiments.controls import _halved, run_control, with_permuted_semantics
from zslearn.experiments.execution import RunTask, execute
from zslearn.experiments.experiment import read_experiment
from zslearn.experiments.jobs import make_jobs
from zslearn.records import make_record, source_facts

SETTINGS = {"n_updates": 30, "teacher_updates": 30}


@pytest.fixture(scope="module")
def protocol():
    def run(dataset):
        return run_protocol(dataset, settings=SETTINGS, rehearse=False, references=False)

    return run


@pytest.fixture(scope="module")
def plain(toy_dataset, protocol):
    return protocol(toy_dataset).measurement.plain


def test_permuted_semantics_are_the_same_vectors_for_other_unseen_classes(toy_dataset):
    permuted = with_permuted_semantics(toy_dataset, np.random.default_rng(0))
    seen, unseen = toy_dataset.seen_ids, toy_dataset.unseen_ids
    np.testing.assert_array_equal(permuted.semantics[seen], toy_dataset.semantics[seen])
    assert not np.array_equal(permuted.semantics[unseen], toy_dataset.semantics[unseen])
    np.testing.assert_array_equal(
        np.sort(permuted.semantics[unseen], axis=0), np.sort(toy_dataset.semantics[unseen], axis=0)
    )
    assert permuted.checksum != toy_dataset.checksum


def test_without_true_semantics_unseen_classes_are_guessed(toy_dataset, protocol, plain):
    assert plain.t1 > 0.6
    for control in ("permuted unseen semantics", "random semantics"):
        t1 = [run_control(control, toy_dataset, seed, protocol)[1].measurement.plain.t1 for seed in range(4)]
        assert np.mean(t1) < 0.45, control


def test_the_ceiling_learns_from_half_of_the_real_samples_and_is_measured_on_the_other(toy_dataset):
    def without_verdict(dataset):
        settings = {**SETTINGS, "kd_verdict_weight": 0.0}
        return run_protocol(dataset, settings=settings, rehearse=False, references=False)

    # With semantics that say nothing, only the real samples can tell the classes apart.
    senseless = replace(toy_dataset, semantics=np.random.default_rng(1).normal(size=toy_dataset.semantics.shape))
    halved, outcome = run_control("real unseen samples", senseless, 0, without_verdict)
    assert outcome.measurement.plain.t1 > 0.85 > without_verdict(senseless).measurement.plain.t1 + 0.3
    learned, _ = _halved(toy_dataset, np.random.default_rng(0))
    rows = np.concatenate(learned)
    assert not set(rows) & set(halved.test_unseen_rows)
    assert set(rows) | set(halved.test_unseen_rows) == set(toy_dataset.test_unseen_rows)
    events = [event.as_dict() for event in outcome.events]
    assert holds(events)
    assert [event["event"] for event in events][-2:] == ["measured", "control measured"]
    record = json.loads(json.dumps(make_record(halved, outcome, source_facts(halved, "toy"))))
    assert contradictions(record) == []
    record["metrics"]["t1"] = 0.5
    assert contradictions(record) == ["it differs from what was settled as 'control measured'"]


def test_class_means_change_nothing_for_a_classifier_that_reads_means_alone(toy_dataset, protocol):
    _, outcome = run_control("class means", toy_dataset, 0, protocol)
    assert outcome.measurement.plain.t1 == pytest.approx(protocol(toy_dataset).measurement.plain.t1, abs=0.05)


def test_class_means_leave_a_trained_classifier_without_spread(toy_dataset):
    def softmax(dataset):
        settings = {**SETTINGS, "classifier": "softmax", "classifier_epochs": 3, "kd_verdict_weight": 0.0}
        return run_protocol(dataset, settings=settings, rehearse=False, references=False)

    _, outcome = run_control("class means", toy_dataset, 0, softmax)
    assert outcome.measurement.plain != softmax(toy_dataset).measurement.plain


def test_pictures_of_samples_that_a_control_does_not_use_are_left_out(tmp_path):
    text = f"""
title: t
data: [{write_toy_folder(tmp_path / "TOY")}]
splits: [official]
rehearse: false
references: false
test_selected: true
ablation: controls
models: [{{model: skd, settings: {{n_updates: 2, teacher_updates: 2}}}}]
"""
    jobs = make_jobs(read_experiment(text, "t", "t.yaml"))
    plain = next(job for job in jobs if job.control is None)
    for job in (plain, *(job for job in jobs if job.control is not None)):
        record = execute(RunTask(job=job))
        assert record["status"] == "finished", record
        uses_other_samples = job.control in ("class means", "real unseen samples")
        assert (record["diagnostics"]["generated"] is None) == uses_other_samples
        assert (record["sheet"]["map"] is None) == uses_other_samples
        assert ("test_selected" in record) == (job.control is None)


def test_a_class_with_one_sample_has_no_half_to_learn_from(toy_dataset):
    first = toy_dataset.test_unseen_rows[toy_dataset.labels[toy_dataset.test_unseen_rows] == toy_dataset.unseen_ids[0]]
    rows = np.setdiff1d(toy_dataset.test_unseen_rows, first[1:])
    with pytest.raises(ConfigError, match="too few samples for a ceiling.*received 1"):
        run_control("real unseen samples", replace(toy_dataset, test_unseen_rows=rows), 0, lambda dataset: None)


@pytest.mark.parametrize("control", ["real unseen samples", "class means"])
def test_models_without_a_generator_have_no_samples_to_replace(toy_dataset, control):
    def closed_form(dataset):
        return run_protocol(dataset, model="eszsl", rehearse=False, references=False)

    with pytest.raises(ConfigError, match=f"the control '{control}' needs a generative model .received eszsl"):
        run_control(control, toy_dataset, 0, closed_form)


def test_every_control_is_described():
    assert all(len(text) > 20 for text in CONTROLS.values())
