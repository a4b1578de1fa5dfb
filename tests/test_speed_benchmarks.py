"""What the benchmarks of speed and precision count and conclude."""

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from measurements import script
from toy import toy_dataset
from zslearn.devices import has_bf16, resolve_device
from zslearn.records import hardware


@pytest.fixture(scope="module")
def step():
    return script("step")


@pytest.fixture(scope="module")
def precision():
    return script("precision")


def flop_of(update):
    with profile(activities=[ProfilerActivity.CPU], with_flops=True) as profiler:
        update()
    products = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")
    return sum(event.flops for event in profiler.key_averages() if event.key in products)


def test_the_floor_counts_what_a_step_multiplies(step):
    sizes = step.Sizes(feature_dim=64, semantic_dim=6, hidden_dim=48, batch_size=8, n_rows=30, n_seen=4)
    settings = {"hidden_dim": 48, "batch_size": 8, "critic_updates": 5}
    floor = sum(2 * rows * inner * columns * times for rows, inner, columns, times in step.products(sizes))
    assert flop_of(step.Floor(sizes, "float32")()) == floor
    ours = flop_of(step.Library("f-clswgan", settings, "float32", sizes)())
    field = flop_of(step.FieldsWay(sizes)())
    # The last layer of the critic has one output: not worth a row of the list.
    assert floor <= ours < 1.03 * floor
    assert field > 1.3 * floor


def test_seeds_as_one_multiply_as_often_as_seeds_apart(step):
    sizes = step.Sizes(feature_dim=64, semantic_dim=6, hidden_dim=48, batch_size=8, n_rows=30, n_seen=4)
    one, three = (flop_of(step.Library("skd", {"hidden_dim": 48}, "float32", sizes, n)()) for n in (1, 3))
    assert one > 0
    assert three == pytest.approx(3 * one, rel=0.05)


def test_ratios_are_medians_over_rounds(step):
    ways = {"a": {"seconds": [2.0, 8.0, 9.0]}, "b": {"seconds": [1.0, 2.0, 9.0]}}
    assert step.ratio(ways, "a", "b") == 2.0


@pytest.mark.slow
def test_ways_take_turns_in_processes_of_their_own(step):
    sizes = step.Sizes(feature_dim=64, semantic_dim=6, hidden_dim=48, batch_size=8, n_rows=30, n_seen=4)
    report = step.measure(sizes, 2, 1)
    names = [f"{kind} {each}" for each in step.precisions() for kind in ("zslearn", "floor")]
    assert set(report["ways"]) == {"field float32", *names}
    assert step.precisions() == (("float32", "bf16") if has_bf16(torch.device("cpu")) else ("float32",))
    assert all(len(way["seconds"]) == 2 and min(way["seconds"]) > 0 for way in report["ways"].values())
    table = step.step_table(report)
    assert table.count("\n| ") == 2 + len(names)
    assert "| field float32 |" in table


def record(seed, precision, t1, h, settings=None):
    return {
        "model": "skd",
        "data": {"name": "letters", "split": "0"},
        "settings": settings,
        "seed": seed,
        "precision": precision,
        "t1": t1,
        "h_corrected": h,
    }


def test_the_hardware_is_that_of_the_run(precision):
    settings = {"n_updates": 2, "teacher_updates": 2, "classifier": "gaussian", "feature_space": "whitened"}
    measured = precision.measure(toy_dataset(), "skd", 0, "float32", settings)
    assert measured["hardware"] == hardware(str(resolve_device("auto")))


def test_runs_of_other_defaults_are_others(precision):
    toy = toy_dataset()
    asked = precision.facts(toy, "skd", 0, "bf16")
    assert len(asked["settings"]["alternatives"]) >= 1
    assert asked["settings"]["defaults"]["n_updates"] > 0
    assert precision.facts(toy, "flow", 0, "bf16")["settings"] != asked["settings"]


def test_the_verdict_is_on_intervals_of_ten_paired_differences(precision):
    records = [record(seed, "float32", 0.5 + seed / 100, 0.4) for seed in range(11)]
    records += [record(seed, "bf16", 0.501 + seed / 100, 0.4 + 0.03 * (seed % 2)) for seed in range(10)]
    t1, h = precision.table(records).splitlines()[2:]
    # The last seed has no partner. T1 is 0.1 points better in every pair; H varies by three points.
    assert t1 == "| skd | letters, split 0 | 10 | T1 | +0.10 | [+0.10, +0.10] | yes |"
    assert h.startswith("| skd | letters, split 0 | 10 | H, corrected | +1.50 | [")
    assert h.endswith(" no |")
    other = record(9, "bf16", 0.9, 0.9, {"defaults": "of another time"})
    assert precision.table([*records[:-1], other]) == precision.table(records[:-1])
    assert precision.table(records[:-1]).count("| 9 | ") == precision.table(records[:-1]).count(" too few pairs |") == 2
