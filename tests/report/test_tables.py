import pytest

from zslearn.report.tables import result_table, verdict


def figures(h, **others):
    return {"t1": 0.5, "u": 0.25, "s": 0.75, "h": h, "ausuc": 0.3333, **others}


def record(ours, references, rehearsal=True):
    return {
        "model": "skd",
        "metrics": figures(0.2),
        "metrics_corrected": figures(ours),
        "references": {name: {**figures(0.1), "corrected": figures(h)} for name, h in references.items()},
        "selection": {
            "chosen_on": "rehearsal classes" if rehearsal else "nothing: fewer than 12 seen classes",
            "rehearsal": {} if rehearsal else None,
        },
    }


def test_figures_are_percent_but_ausuc_a_fraction():
    lines = result_table(record(0.456, {"eszsl": 0.3})).splitlines()
    assert lines[3].split() == ["skd", "50.0", "25.0", "75.0", "20.0", "0.333", "25.0", "75.0", "45.6", "*"]
    assert lines[4].split() == ["eszsl", "50.0", "25.0", "75.0", "10.0", "0.333", "25.0", "75.0", "30.0"]
    assert all(len(line) <= 100 for line in lines)


def test_columns_stand_under_their_names():
    header, _, first = result_table(record(0.456, {})).splitlines()[1:4]
    assert [header.index("T1") + 2, header.index("AUSUC") + 5] == [first.index("50.0") + 4, first.index("0.333") + 5]


@pytest.mark.parametrize(("ours", "marked"), [(0.5, "skd"), (0.2, "ridge")])
def test_the_best_corrected_h_is_marked(ours, marked):
    lines = result_table(record(ours, {"eszsl": 0.1, "ridge": 0.3})).splitlines()
    assert [line.split()[0] for line in lines if line.endswith("*")] == [marked]


def test_the_sentence_compares_with_the_best_reference():
    better = verdict(record(0.5, {"eszsl": 0.1, "ridge": 0.456}))
    assert "corrected H of 50.0 %, 4.4 points above the best closed form, ridge" in better
    assert "changed its H by +30.0 points" in better
    assert "6.0 points below the best closed form, eszsl" in verdict(record(0.4, {"eszsl": 0.46}))


def test_the_sentence_says_when_nothing_could_be_corrected():
    said = verdict(record(0.5, {"eszsl": 0.1}, rehearsal=False))
    assert "no label-shift correction was rehearsed (fewer than 12 seen classes)" in said


def test_a_dash_stands_for_what_was_not_measured_and_the_sentence_says_why():
    missing = record(None, {"ridge": None})
    missing["metrics"] = missing["metrics_corrected"] = figures(None, t1=None, u=None, ausuc=None)
    lines = result_table(missing).splitlines()
    assert lines[3].split() == ["skd", "-", "-", "75.0", "-", "-", "-", "75.0", "-"]
    missing["selection"]["rehearsal"] = {"corrected": {"h": 0.5}}
    assert "no test rows of unseen classes: H could not be measured" in verdict(missing)
    assert "its corrected H was 50.0 %" in verdict(missing)
    missing["metrics_corrected"] = figures(None, s=None, u=None)
    missing["selection"] = {"chosen_on": "nothing: fewer than 12 seen classes", "rehearsal": None}
    assert "no test rows of seen and none of unseen classes: nothing could be measured" in verdict(missing)
    assert "nothing is known about how good it is" in verdict(missing)


def test_a_reference_run_as_the_model_stands_there_once_and_is_compared_with_the_others():
    mine = {**record(0.5, {"skd": 0.5, "ridge": 0.4}), "model": "skd"}
    assert [line.split()[0] for line in result_table(mine).splitlines()[3:]] == ["skd", "ridge"]
    assert "10.0 points above the best closed form, ridge" in verdict(mine)
