import json
from dataclasses import replace

import numpy as np
import pytest

from toy import toy_dataset as make_toy_dataset
from zslearn.evaluation.events import Event, EventLog, contradictions, holds
from zslearn.evaluation.metrics import evaluate_scores
from zslearn.evaluation.protocol import measure, run_protocol
from zslearn.records import make_record, source_facts
from zslearn.sheets import make_sheet

SHORT = {"n_updates": 15, "teacher_updates": 15}


@pytest.fixture(scope="module")
def outcome(toy_dataset):
    return run_protocol(toy_dataset, settings=SHORT)


def test_the_test_view_is_opened_after_all_choices(toy_dataset, monkeypatch):
    opened = []

    def watched(opens):
        def test_view(dataset):
            opened.append(len(reports))
            return opens(dataset)

        return test_view

    for way in ("test", "test_in_place"):
        monkeypatch.setattr(type(toy_dataset), way, watched(getattr(type(toy_dataset), way)))
    reports = []
    outcome = run_protocol(toy_dataset, settings=SHORT, on_progress=reports.append)
    assert opened == [len(reports)]
    assert [event.name for event in outcome.events] == [
        "rehearsed",
        "trained",
        "references chosen",
        "test view opened",
        "measured",
    ]


def test_without_rehearsal_and_references_the_rest_is_the_same(toy_dataset, outcome):
    bare = run_protocol(toy_dataset, settings=SHORT, rehearse=False, references=False, searched={"n_trials": 3})
    assert bare.measurement.plain == outcome.measurement.plain == bare.measurement.corrected
    assert [event.name for event in bare.events] == ["searched", "trained", "test view opened", "measured"]
    record = make_record(toy_dataset, bare, source_facts(toy_dataset, "toy"))
    assert record["references"] == {}
    assert record["selection"]["chosen_on"] == "nothing: not rehearsed"


def test_one_row_per_class_is_trained_on_without_a_rehearsal_and_the_record_says_why():
    dataset = make_toy_dataset(n_train=1)
    outcome = run_protocol(dataset, model="eszsl")
    assert outcome.estimator.rehearsal_ is None
    assert outcome.measurement.plain == outcome.measurement.corrected
    assert {reference.n_candidates for reference in outcome.references.values()} == {1}
    record = make_record(dataset, outcome, source_facts(dataset, "toy"))
    assert record["selection"]["chosen_on"] == "nothing: too few rows of seen classes to hold some out"


def test_measurements_are_those_of_the_final_model(toy_dataset, outcome):
    test = toy_dataset.test()
    scores = outcome.estimator.decision_scores(test.features, corrected=False)
    sides = {"seen_ids": test.seen_ids, "unseen_ids": test.unseen_ids}
    offset = outcome.estimator.offset_
    assert outcome.measurement.plain == evaluate_scores(scores, test.labels, **sides)
    assert outcome.measurement.corrected == evaluate_scores(scores, test.labels, **sides, offset=offset)
    assert outcome.measurement.curve.area == pytest.approx(outcome.measurement.plain.ausuc)


def test_references_are_corrected_by_their_own_offsets(toy_dataset, outcome):
    test = toy_dataset.test()
    assert len(outcome.references) == 4
    for name, reference in outcome.references.items():
        expected = evaluate_scores(
            reference.scores(test.features),
            test.labels,
            seen_ids=test.seen_ids,
            unseen_ids=test.unseen_ids,
            offset=reference.offset,
        )
        assert outcome.reference_measurements[name].corrected == expected


def test_per_class_accuracies_and_confusion_follow_from_predictions(toy_dataset):
    test = toy_dataset.test()
    scores = np.random.default_rng(0).normal(size=(len(test.labels), toy_dataset.n_classes))
    measured = measure(scores, test, offset=0.3)
    corrected = scores.copy()
    corrected[:, test.seen_ids] -= 0.3
    predicted = corrected.argmax(axis=1)
    expected = [(predicted[test.labels == c] == c).mean() for c in range(toy_dataset.n_classes)]
    np.testing.assert_allclose(measured.per_class, expected)
    unseen_rows = np.isin(test.labels, test.unseen_ids)
    sent_to_seen = np.isin(predicted[unseen_rows], test.seen_ids).mean()
    assert measured.confusion_corrected.unseen_as_seen == pytest.approx(sent_to_seen)


def test_the_record_holds_what_it_promises(toy_dataset, outcome):
    record = make_record(toy_dataset, outcome, source_facts(toy_dataset, "toy"))
    five = {"t1", "u", "s", "h", "ausuc"}
    assert set(record["metrics"]) == set(record["metrics_corrected"]) == five
    for figures in record["references"].values():
        assert set(figures) == five | {"corrected"}
        assert set(figures["corrected"]) == five
    assert record["setting"] == {"samples": "inductive", "unseen_semantics_in_training": True}
    assert record["config"]["n_updates"] == 15
    assert record["data"]["checksum"] == toy_dataset.checksum
    assert record["selection"]["rehearsal"]["offset"] == outcome.estimator.offset_
    events = record["selection"]["events"]
    assert holds(events)
    assert [event["event"] for event in events[-2:]] == ["test view opened", "measured"]
    assert events[0]["choices"]["offset"] == record["selection"]["rehearsal"]["offset"]
    assert events[-2]["choices"]["data"] == toy_dataset.checksum
    assert record["peak_memory_bytes"] > 50e6
    assert {"rehearsal", "training", "synthesis", "classifier", "references", "evaluation"} <= set(record["seconds"])


@pytest.fixture
def record(toy_dataset, outcome):
    """The record as it comes back from its file."""
    searched = replace(outcome, events=_with_a_search(outcome.events))
    record = make_record(toy_dataset, searched, source_facts(toy_dataset, "toy"))
    record["selection"]["search"] = {"settings": {"n_updates": 15}}
    return json.loads(json.dumps(record))


def _with_a_search(events):
    log = EventLog()
    log.add("searched", settings={"n_updates": 15})
    for event in events:
        log.add(event.name, **event.choices)
    return log.events


def test_an_untouched_record_agrees_with_its_events(record):
    assert contradictions(record) == []


@pytest.mark.parametrize(
    ("path", "value", "contradiction"),
    [
        (("config", "learning_rate"), 1.0, "it differs from what was settled as 'trained'"),
        (("seed",), 7, "it differs from what was settled as 'trained'"),
        (("data", "checksum"), "0" * 64, "it differs from what was settled as 'test view opened: data'"),
        (("metrics", "t1"), 0.99, "it differs from what was settled as 'measured'"),
        (("metrics_corrected", "h"), 0.99, "it differs from what was settled as 'measured'"),
        (("references", "eszsl", "h"), 0.01, "it differs from what was settled as 'measured: references'"),
        (("selection", "rehearsal", "offset"), 0.5, "it differs from what was settled as 'rehearsed: offset'"),
        (("selection", "rehearsal", "ausuc"), [0.9], "it differs from what was settled as 'rehearsed: ausuc'"),
        (("selection", "alternatives", 0), {"x": 1}, "it differs from what was settled as 'rehearsed: settings'"),
        (("selection", "search", "settings", "n_updates"), 9, "it differs from what was settled as 'searched'"),
        (("selection", "references", "eszsl"), {}, "it differs from what was settled as 'references chosen'"),
        (("selection", "events", 1, "choices", "offset"), 0.5, "its events were changed, moved or taken out"),
        (("selection", "events"), None, "its events cannot be read"),
        (("selection",), {}, "its events cannot be read"),
    ],
)  # fmt: skip
def test_a_record_that_was_changed_is_noticed(record, path, value, contradiction):
    part = record
    for name in path[:-1]:
        part = part[name]
    assert part[path[-1]] != value
    part[path[-1]] = value
    assert contradictions(record)[0].startswith(contradiction)


def test_a_choice_after_the_test_view_is_noticed_even_in_a_whole_chain(record):
    events = [Event(each["event"], each["choices"], "") for each in record["selection"]["events"]]
    names = [event.name for event in events]
    assert names == ["searched", "rehearsed", "trained", "references chosen", "test view opened", "measured"]
    for order in ([0, 2, 3, 4, 1, 5], [0, 1, 4, 2, 3, 5], [0, 1, 2, 3, 4, 4, 5]):
        log = EventLog()
        for place in order:
            log.add(events[place].name, **events[place].choices)
        record["selection"]["events"] = [event.as_dict() for event in log.events]
        assert holds(record["selection"]["events"])
        assert contradictions(record) == ["the test view was not opened once, after all choices"]


def test_events_that_were_cut_off_are_missed(record):
    del record["selection"]["events"][-2:]
    assert holds(record["selection"]["events"])
    assert "it differs from what was settled as 'test view opened: data'" in contradictions(record)


def test_the_record_holds_what_reports_draw(toy_dataset, outcome):
    record = make_record(toy_dataset, outcome, source_facts(toy_dataset, "toy"))
    assert len(json.dumps(record, indent=2)) < 60_000
    assert record["unseen_classes"] == [toy_dataset.class_names[i] for i in toy_dataset.unseen_ids]
    curves = {"model": record["curve"], **record["reference_curves"]}
    assert len(curves) == 5
    for curve in curves.values():
        assert 2 <= len(curve["seen"]) == len(curve["unseen"]) <= 200
        assert curve["unseen"] == sorted(curve["unseen"])
        assert curve["seen"] == sorted(curve["seen"], reverse=True)
    assert curves["model"]["unseen"][-1] == pytest.approx(outcome.measurement.plain.t1, abs=1e-4)
    diagnostics = record["diagnostics"]
    assert diagnostics["answers_of_unseen"]["as_seen"] == record["confusion_corrected"]["unseen_as_seen"]
    assert {each["class"] for each in diagnostics["generated"]["classes"]} == set(record["unseen_classes"])


def test_diagnostics_are_the_same_each_time_and_change_nothing(toy_dataset, outcome):
    facts = source_facts(toy_dataset, "toy")
    before = outcome.estimator.decision_scores(toy_dataset.test().features)
    first, second = (make_record(toy_dataset, outcome, facts)["diagnostics"] for _ in range(2))
    assert first == second
    np.testing.assert_array_equal(outcome.estimator.decision_scores(toy_dataset.test().features), before)


@pytest.mark.parametrize(
    ("dropped", "measured"),
    [
        (["test_unseen_rows"], {"s"}),
        (["test_seen_rows"], {"t1", "u"}),
        (["test_seen_rows", "test_unseen_rows"], set()),
    ],
)
def test_what_has_no_test_rows_is_null_and_the_rest_is_the_same(toy_dataset, outcome, dropped, measured):
    dataset = replace(toy_dataset, **{part: [] for part in dropped})
    found = run_protocol(dataset, settings=SHORT)
    record = make_record(dataset, found, source_facts(dataset, "toy"))
    for key, whole in (("metrics", outcome.measurement.plain), ("metrics_corrected", outcome.measurement.corrected)):
        figures = record[key]
        assert {name for name, value in figures.items() if value is not None} == measured
        assert all(figures[name] == pytest.approx(getattr(whole, name)) for name in measured)
    assert found.estimator.rehearsal_ == outcome.estimator.rehearsal_
    names = [event.name for event in found.events]
    assert ("test view opened" in names) == bool(measured)
    assert set(record["references"]) == (set(outcome.references) if measured else set())
    assert record["curve"] is record["diagnostics"] is None
    json.dumps(record, allow_nan=False)
    sheet = make_sheet(dataset, found, [])
    assert (sheet["map"] is None) == ("test_unseen_rows" in dropped)
    json.dumps(sheet, allow_nan=False)
