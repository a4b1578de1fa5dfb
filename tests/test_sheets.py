import base64
import io
import json

import numpy as np
import pytest
from matplotlib.image import imread

from zslearn import load_data
from zslearn.estimator import GenerativeZSL
from zslearn.evaluation.metrics import confusion
from zslearn.evaluation.protocol import Outcome, measure
from zslearn.sheets import MAX_CONFUSED, _confusion, make_sheet, training_terms


def measured(dataset):
    """An outcome without rehearsal and references."""
    estimator = GenerativeZSL(settings={"n_updates": 5, "teacher_updates": 5}, rehearse=False)
    estimator.fit_view(dataset.training())
    test = dataset.test()
    measurement = measure(estimator.decision_scores(test.features), test, 0.0)
    return Outcome(
        estimator=estimator,
        measurement=measurement,
        references={},
        reference_measurements={},
        seconds={},
        events=(),
    )


def report(stage, step, terms, part=1):
    return {"part": part, "n_parts": 2, "stage": stage, "step": step, "terms": terms}


@pytest.fixture(scope="module")
def outcome(toy_dataset):
    return measured(toy_dataset)


@pytest.fixture(scope="module")
def sheet(toy_dataset, outcome):
    return make_sheet(toy_dataset, outcome, [])


def test_confusion_adds_up_to_the_test_rows_with_seen_classes_first(toy_dataset, outcome, sheet):
    told, test = sheet["confusion"], toy_dataset.test()
    assert told["unseen"] == [False] * 16 + [True] * 4
    whole = confusion(test.labels, outcome.measurement.answers, 20)
    ids = [toy_dataset.class_names.index(name) for name in told["classes"]]
    matrix = np.zeros((20, 20), dtype=int)
    matrix[told["true"], told["answered"]] = told["count"]
    np.testing.assert_array_equal(matrix, whole[np.ix_(ids, ids)])
    assert told["rows"] == whole[ids].sum(axis=1).tolist()


def test_of_many_classes_the_most_confused_are_kept(toy_dataset):
    labels = np.repeat(np.arange(100), 10)
    answers = labels.copy()
    answers[labels >= 70] = 99 - (answers[labels >= 70] - 70)
    test = type(toy_dataset.test())(
        features=np.zeros((1000, 1), dtype=np.float32),
        labels=labels,
        seen_ids=np.arange(90),
        unseen_ids=np.arange(90, 100),
    )
    told = _confusion(test, answers, [f"c{i}" for i in range(100)])
    assert len(told["classes"]) == MAX_CONFUSED
    assert told["n_classes"] == 100
    assert {f"c{i}" for i in range(70, 100)} <= set(told["classes"])


def test_the_map_places_real_generated_and_training_rows(sheet, toy_dataset):
    told = sheet["map"]
    kinds = [(group["class"], group["kind"]) for group in told["groups"]]
    names = [toy_dataset.class_names[i] for i in toy_dataset.unseen_ids]
    assert kinds == [*((name, kind) for name in names for kind in ("real", "generated")), (None, "training")]
    places = np.concatenate([[*group["x"], *group["y"]] for group in told["groups"]])
    assert np.abs(places).max() == 1.0
    assert 0 < told["explained"] <= 1
    assert sheet["images"] is None


def test_images_of_letters_are_drawn_row_by_row():
    letters = load_data("glyphs", split=0)
    outcome = measured(letters)
    sheet = make_sheet(letters, outcome, [])
    assert [strip["class"] for strip in sheet["images"]] == [letters.class_names[i] for i in letters.unseen_ids]
    strip = sheet["images"][0]
    drawn = np.asarray(outcome.estimator.synthesize([strip["class"]], 40))[0]
    shown = {name: imread(io.BytesIO(base64.b64decode(strip[name]))) for name in ("mean", "generated", "real")}
    assert [image.shape for image in shown.values()] == [(16, 16), (16, 128), (16, 128)]
    np.testing.assert_allclose(1 - shown["generated"][:, :16], np.clip(drawn[0], 0, 1).reshape(16, 16), atol=0.04)
    np.testing.assert_allclose(1 - shown["mean"], np.clip(drawn.mean(axis=0), 0, 1).reshape(16, 16), atol=0.04)
    assert len(json.dumps(sheet)) < 60_000


def test_training_terms_are_those_of_the_final_part_by_stage():
    history = [
        report("teacher", 1, {"teacher.class": 9.0}, part=0),
        report("teacher", 1, {"teacher.class": 3.0}),
        report("teacher", 51, {"teacher.class": 1.0}),
        report("generative", 1, {"joint.kl": 5.0}),
        report("generative", 51, {"joint.kl": 4.0, "joint.late": 2.0}),
    ]
    assert training_terms(history) == [
        {"stage": "teacher", "terms": {"teacher.class": {"step": [1, 51], "value": [3.0, 1.0]}}},
        {
            "stage": "generative",
            "terms": {"joint.kl": {"step": [1, 51], "value": [5.0, 4.0]}, "joint.late": {"step": [51], "value": [2.0]}},
        },
    ]
    assert training_terms([]) == []


def test_long_histories_are_thinned_with_both_ends_kept():
    history = [report("a", step, {"a.x": float(step)}) for step in range(1, 1001)]
    steps = training_terms(history)[0]["terms"]["a.x"]["step"]
    assert len(steps) == 60
    assert (steps[0], steps[-1]) == (1, 1000)
