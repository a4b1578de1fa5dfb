import numpy as np
import pytest
from matplotlib.image import imread

from zslearn.data.dataset import TestView
from zslearn.report.pictures import drawn_classes, sample_map, save_figure, training_curves


def report(stage, step, terms, part=1):
    return {"part": part, "n_parts": 2, "stage": stage, "step": step, "terms": terms}


HISTORY = [
    report("teacher", 1, {"teacher.class": 9.0}, part=0),
    report("teacher", 1, {"teacher.class": 3.0}),
    report("teacher", 51, {"teacher.class": 1.0}),
    report("generative", 1, {"joint.kl": 5.0}),
    report("generative", 51, {"joint.kl": 4.0, "joint.late": 2.0}),
]


def view(n_classes, n_per_class=6, dim=12):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(n_classes), n_per_class)
    features = (rng.normal(size=(len(labels), dim)) + 3 * labels[:, None]).astype(np.float32)
    ids = np.arange(n_classes)
    return TestView(features=features, labels=labels, seen_ids=ids[:1], unseen_ids=ids[1:])


def generated(n_classes, n_drawn=5, dim=12):
    return np.random.default_rng(1).normal(size=(n_classes, n_drawn, dim)).astype(np.float32)


def test_training_curves_show_each_stage_of_the_final_part_alone():
    panels = training_curves(HISTORY).axes
    assert [panel.get_title() for panel in panels] == ["teacher stage", "generative stage"]
    teacher, generative = ({line.get_label(): line for line in panel.get_lines()} for panel in panels)
    np.testing.assert_array_equal(teacher["class"].get_xydata(), [[1, 3], [51, 1]])
    assert set(generative) == {"kl", "late"}
    np.testing.assert_array_equal(generative["late"].get_xydata(), [[51, 2]])


@pytest.mark.parametrize(("n_unseen", "title"), [(3, "Unseen classes: "), (14, "10 of 14 unseen classes: ")])
def test_the_map_names_each_class_at_its_real_mean(n_unseen, title):
    test = view(n_unseen + 1)
    names = [f"class {i}" for i in test.unseen_ids]
    axes = sample_map(test, generated(n_unseen), test.unseen_ids, names).axes[0]
    assert axes.get_title().startswith(title)
    shown = {text.get_text(): np.array(text.get_position()) for text in axes.texts if text.get_text()}
    assert list(shown) == names[:10]
    dots = [points.get_offsets().mean(axis=0) for points in axes.collections[::2]]
    np.testing.assert_allclose(np.stack(list(shown.values())), np.stack(dots), rtol=1e-4, atol=1e-4)


def test_the_map_keeps_the_distances_of_samples_that_lie_in_a_plane():
    plane = np.random.default_rng(2).normal(size=(2, 12)).astype(np.float32)
    test = view(3)
    flat = TestView(
        features=test.features[:, :2] @ plane, labels=test.labels, seen_ids=test.seen_ids, unseen_ids=test.unseen_ids
    )
    axes = sample_map(flat, generated(2)[..., :2] @ plane, flat.unseen_ids, ["a", "b"]).axes[0]
    real = flat.features[flat.labels == 1]
    drawn = np.asarray(axes.collections[0].get_offsets())
    expected = np.linalg.norm(real[:, None] - real, axis=-1)
    np.testing.assert_allclose(np.linalg.norm(drawn[:, None] - drawn, axis=-1), expected, rtol=1e-4, atol=1e-4)


def test_drawn_classes_show_the_mean_first_and_real_ones_last():
    test, drawn = view(3), generated(2)
    sheet = drawn_classes(test, drawn, test.unseen_ids, ["a", "b"], (3, 4)).axes[0].images[0].get_array()
    np.testing.assert_allclose(
        sheet[:3, :4].filled(np.nan), np.clip(drawn[0].mean(axis=0), 0, 1).reshape(3, 4), rtol=1e-6
    )
    last = np.clip(test.features[test.labels == 2], 0, 1).reshape(-1, 3, 4)
    assert any(np.array_equal(sheet[3:, -4:].filled(np.nan), image) for image in last)


def test_names_of_classes_are_no_formulas(tmp_path):
    names = [r"$\frac$ 1", "a$_b$"]
    test, drawn = view(3), generated(2)
    save_figure(sample_map(test, drawn, test.unseen_ids, names), tmp_path / "map.png")
    save_figure(drawn_classes(test, drawn, test.unseen_ids, names, (3, 4)), tmp_path / "drawn.png")
    assert {path.name for path in tmp_path.iterdir()} == {"map.png", "drawn.png"}


def test_pictures_are_written_as_png(tmp_path):
    save_figure(training_curves(HISTORY), tmp_path / "a.png")
    assert imread(tmp_path / "a.png").shape[:2] == (432, 1392)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
