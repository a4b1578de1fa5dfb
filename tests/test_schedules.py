"""The benchmark of peers at their own schedules."""

import json

import pytest

from measurements import script
from toy import toy_dataset

SHORT = {"precision": "float32", "hidden_dim": 16, "batch_size": 16, "teacher_updates": 20, "n_synthetic": 20}


@pytest.fixture(scope="module")
def schedules():
    return script("schedules")


@pytest.fixture(scope="module")
def whole(schedules):
    return schedules.peer(toy_dataset(), "f-clswgan", {**SHORT, "n_updates": 40}, seed=0)


def test_a_peer_is_measured_on_the_way_and_at_the_end(schedules, whole):
    points = [*whole["on_the_way"], whole["measured"]]
    assert [point["share"] for point in points] == [*schedules.SHARES, 1.0]
    seconds = [point["seconds"] for point in points]
    assert seconds == sorted(seconds)
    assert seconds[-1] == whole["seconds"]
    # The best offset is in the peer's favour, and so never below the uncorrected figure.
    assert all(point["h_best_offset"] >= point["h"] - 1e-12 for point in points)
    assert len({point["ausuc"] for point in points}) > 1


def test_time_cuts_a_schedule_off(schedules):
    cut = schedules.peer(toy_dataset(), "f-clswgan", {**SHORT, "n_updates": 100_000, "max_seconds": 5.0}, seed=0)
    assert 0 < cut["measured"]["share"] < 0.5
    assert all(point["share"] <= cut["measured"]["share"] for point in cut["on_the_way"])


def test_the_table_tells_how_many_times_as_long_as_ours_a_schedule_takes(schedules, whole, tmp_path):
    parts = {"preparation": 0.5, "training": 1.5, "synthesis": 0.0, "classifier": 0.0, "rehearsal": 50.0}
    ours = {"seconds": parts, "metrics": {"t1": 0.6, "h": 0.3}, "metrics_corrected": {"t1": 0.5, "h": 0.4}}
    (tmp_path / "toy-5-s0.json").write_text(json.dumps(ours))
    end = {**whole["measured"], "share": 0.5}
    peer = {"data": {"name": "toy", "split": "5"}, "seed": 0, "model": "f-clswgan", "settings_of": "toy", **whole}
    peer |= {"seconds": 1170.0, "measured": end}
    lines = schedules.table([peer, peer], tmp_path).splitlines()
    assert len(lines) == 2 + 2 * (len(schedules.SHARES) + 1) + 2
    assert lines[-3].endswith("| 45 |")
    assert lines[-2].endswith("| 1.00 | 60.0 | 30.0 |  | 2 |  |")
    assert lines[-1].endswith("| 1.00 | 50.0 | 40.0 |  | 52 | 1 |")
    (borrowed, *_) = schedules.table([{**peer, "settings_of": "CUB"}], tmp_path).splitlines()[2:]
    assert borrowed.startswith("| f-clswgan, settings of CUB | float32 |")


def test_runs_that_differ_in_time_or_settings_have_files_of_their_own(schedules, tmp_path):
    for path in schedules.RECORDS.glob("*.json"):
        record = json.loads(path.read_text())
        asked = {name: record[name] for name in ("data", "model", "settings_of", "seed", "settings")}
        assert schedules.place(asked) == path
        (tmp_path / path.name).write_text(path.read_text())
        others = [{**asked, "settings": {**asked["settings"], "max_seconds": 600.0}}, {**asked, "settings_of": "SUN"}]
        for number, other in enumerate(others, start=2):
            place = schedules.place(other, tmp_path)
            assert place == tmp_path / f"{path.stem}-{number}.json"
            place.write_text(json.dumps(other))
            assert schedules.place(other, tmp_path) == place
