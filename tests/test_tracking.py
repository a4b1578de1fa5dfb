import json

import pytest

from zslearn.errors import ConfigError
from zslearn.evaluation.protocol import run_protocol
from zslearn.tracking import JSONLines, TensorBoard, Trackers
from zslearn.training.checkpoint import Checkpoints

SHORT = {"n_updates": 4, "teacher_updates": 3}


def test_the_hook_hears_of_every_stage_and_of_the_result(toy_dataset):
    calls = []
    outcome = run_protocol(
        toy_dataset, settings=SHORT, references=False, log=lambda metrics, step: calls.append((step, metrics))
    )
    steps = [step for step, _ in calls]
    assert steps == sorted(steps)
    assert steps[-1] == 4 * (4 + 3)
    names = [name for _, metrics in calls for name in metrics]
    assert {name.split("/")[0] for name in names} == {"rehearsal-1", "rehearsal-2", "rehearsal-3", "train", "test"}
    assert "train/joint/reconstruction" in names
    told = {name: value for _, metrics in calls for name, value in metrics.items()}
    assert told["test/ausuc"] == outcome.measurement.plain.ausuc
    assert told["test/corrected/h"] == outcome.measurement.corrected.h


def test_the_hook_does_not_disturb_progress_or_the_result(toy_dataset):
    reports = []
    options = {"settings": SHORT, "rehearse": False, "references": False}
    tracked = run_protocol(toy_dataset, on_progress=reports.append, log=lambda metrics, step: None, **options)
    assert reports
    assert tracked.measurement.plain == run_protocol(toy_dataset, **options).measurement.plain


def test_steps_go_on_where_a_stopped_run_had_come_to(toy_dataset, tmp_path):
    calls = []

    def run(stop_in=None):
        checkpoints = Checkpoints(lambda: tmp_path)
        checkpoints.load()

        def keep(progress):
            checkpoints.history.append(progress.as_dict())
            if progress.part == stop_in:
                checkpoints.ask_to_stop()

        run_protocol(
            toy_dataset,
            settings=SHORT,
            references=False,
            on_progress=keep,
            checkpoints=checkpoints,
            log=lambda metrics, step: calls.append(step),
        )

    with pytest.raises(KeyboardInterrupt):
        run(stop_in=2)
    assert 2 * (4 + 3) < calls[-1] < 3 * (4 + 3)
    run()
    assert calls == sorted(calls)
    assert calls[-1] == 4 * (4 + 3)


def test_json_lines_are_one_call_each(tmp_path):
    log = JSONLines(tmp_path / "log.jsonl")
    log({"a": 1.5}, 3)
    log({"a": 2.0, "b": 0.0}, 4)
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == [{"step": 3, "metrics": {"a": 1.5}}, {"step": 4, "metrics": {"a": 2.0, "b": 0.0}}]


def test_tensorboard_reads_what_was_written(tmp_path):
    pytest.importorskip("tensorboard", reason="needs the extra tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with Trackers([f"tensorboard:{tmp_path / 'board'}", f"jsonl:{tmp_path / 'log.jsonl'}"]) as log:
        for step in range(3):
            log({"train/loss": 1.0 / (step + 1)}, step)
    events = EventAccumulator(str(tmp_path / "board")).Reload()
    scalars = events.Scalars("train/loss")
    assert [event.step for event in scalars] == [0, 1, 2]
    assert [event.value for event in scalars] == pytest.approx([1.0, 0.5, 1 / 3])
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3


def test_without_tensorboard_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    with pytest.raises(ImportError, match=r"zslearn\[tensorboard\]"):
        TensorBoard(tmp_path)


@pytest.mark.parametrize("target", ["wandb:x", "jsonl", "jsonl:", ":x"])
def test_an_unknown_tracker_is_refused(target):
    with pytest.raises(ConfigError, match="expected tensorboard:DIR or jsonl:FILE"):
        Trackers([target])


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot log to"), Trackers([f"jsonl:{tmp_path}"]):
        pass
