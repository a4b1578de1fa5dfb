from zslearn import load_data
from zslearn.evaluation.protocol import run_protocol


def test_the_trained_letters_are_far_above_chance_and_eszsl():
    dataset = load_data("glyphs", split=1)
    settings = {"n_updates": 400, "teacher_updates": 500, "feature_space": "unit", "classifier": "softmax"}
    outcome = run_protocol(dataset, settings=settings)
    ours, eszsl = outcome.measurement, outcome.reference_measurements["eszsl"]
    assert ours.corrected.t1 > 3 / 8
    assert ours.corrected.t1 > eszsl.corrected.t1 + 0.2
    assert ours.corrected.h > eszsl.corrected.h + 0.15
