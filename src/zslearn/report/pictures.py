"""The pictures of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zslearn.data.dataset import TestView, ZSLDataset
from zslearn.evaluation.protocol import Measurement, Outcome
from zslearn.files import write_atomic
from zslearn.shapes import Features, Ids

_OURS, _REFERENCE, _GRID = "#c2410c", "#64748b", "#e2e8f0"
_N_MAPPED = 60
_N_DRAWN = 8
_MAX_MAP_CLASSES = 10


def draw_run(folder: Path, dataset: ZSLDataset, outcome: Outcome, history: Sequence[Mapping[str, Any]]) -> list[str]:
    """Draw all pictures of a finished run into its folder.

    Real unseen samples appear in them, for diagnosis only: everything is chosen and measured by now.

    Args:
        folder: The run folder.
        dataset: What it ran on.
        outcome: What came out.
        history: The fit's reports.

    Returns:
        The names of the files.
    """
    test, estimator = dataset.test(), outcome.estimator
    unseen_names = estimator.unseen_classes_.tolist()
    generated = np.asarray(estimator.synthesize(unseen_names, _N_MAPPED))
    pictures: dict[str, Callable[[], Figure]] = {
        "training.png": lambda: training_curves(history),
        "seen-unseen.png": lambda: seen_unseen_curves(outcome),
        "map.png": lambda: sample_map(test, generated, estimator.unseen_ids_, unseen_names),
    }
    if dataset.image_shape is not None:
        shape = dataset.image_shape
        pictures["drawn.png"] = lambda: drawn_classes(test, generated, estimator.unseen_ids_, unseen_names, shape)
    for name, draw in pictures.items():
        save_figure(draw(), folder / name)
    return list(pictures)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically."""
    FigureCanvasAgg(figure)
    write_atomic(path, lambda temporary: figure.savefig(temporary, format="png", dpi=120))


def training_curves(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the weighted terms of the final training, one panel per stage."""
    final = [entry for entry in history if entry["part"] == entry["n_parts"] - 1]
    stages = list(dict.fromkeys(entry["stage"] for entry in final))
    figure = Figure(figsize=(5.2 * len(stages), 3.6), layout="constrained")
    for axes, stage in zip(figure.subplots(1, len(stages), squeeze=False)[0], stages, strict=True):
        entries = [entry for entry in final if entry["stage"] == stage]
        names = [name for name in entries[-1]["terms"] if _belongs(name, stage, stages)]
        for name in names:
            points = [(entry["step"], entry["terms"][name]) for entry in entries if name in entry["terms"]]
            steps, values = zip(*points, strict=True)
            axes.plot(steps, values, marker=".", markersize=3, linewidth=1.2, label=name.partition(".")[2])
        axes.set_yscale("symlog", linthresh=0.01)
        axes.set(title=f"{stage.replace('_', ' ')} stage", xlabel="step", ylabel="weighted loss term")
        axes.legend(fontsize=7, ncols=2, frameon=False)
        _plain(axes)
    return figure


def seen_unseen_curves(outcome: Outcome) -> Figure:
    """Draw seen against unseen accuracy over all offsets, with the plain and the corrected operating points."""
    figure = Figure(figsize=(5.6, 4.6), layout="constrained")
    axes = figure.subplots()
    for name, measured in outcome.reference_measurements.items():
        _curve(axes, measured, name, _REFERENCE, width=0.9)
    _curve(axes, outcome.measurement, outcome.estimator.model, _OURS, width=2.0)
    axes.set(
        xlabel="accuracy on unseen classes (%)",
        ylabel="accuracy on seen classes (%)",
        title="Every offset between seen and unseen\nring: uncorrected, dot: corrected by the rehearsal",
        xlim=(0, 100),
        ylim=(0, 100),
    )
    axes.title.set_fontsize(10)
    for h in (20, 40, 60, 80):
        u = np.linspace(h / 2 + 0.5, 100, 200)
        axes.plot(u, h * u / (2 * u - h), color=_GRID, linewidth=0.8, zorder=0)
        axes.annotate(f"H {h}", (h, h), fontsize=7, color="#94a3b8", ha="center", va="center", zorder=0)
    axes.legend(fontsize=8, frameon=False, loc="upper right")
    _plain(axes)
    return figure


def sample_map(
    test: TestView, generated: Float[np.ndarray, "n_unseen n_drawn feature_dim"], unseen_ids: Ids, names: Sequence[Any]
) -> Figure:
    """Draw real and generated unseen samples on the two main axes of the real class means."""
    real = {class_id: test.features[test.labels == class_id][:_N_MAPPED] for class_id in unseen_ids.tolist()}
    means = np.stack([rows.mean(axis=0) for rows in real.values()])
    axes_of_means = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)[2][:2].T
    figure = Figure(figsize=(7.2, 5.0), layout="constrained")
    axes = figure.subplots()
    colours = figure_colours(len(names))
    for number, (class_id, name) in enumerate(zip(unseen_ids.tolist(), names, strict=True)):
        if number >= _MAX_MAP_CLASSES:
            break
        points = (real[class_id] - means.mean(axis=0)) @ axes_of_means
        imagined = (generated[number] - means.mean(axis=0)) @ axes_of_means
        axes.scatter(points[:, 0], points[:, 1], s=14, color=colours[number], alpha=0.45, linewidths=0, label=str(name))
        axes.scatter(imagined[:, 0], imagined[:, 1], s=16, marker="x", color=colours[number], alpha=0.6, linewidths=0.8)
    axes.set(title="Unseen classes: real samples (dots) and generated ones (crosses)", xticks=[], yticks=[])
    axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    _plain(axes)
    return figure


def drawn_classes(
    test: TestView,
    generated: Float[np.ndarray, "n_unseen n_drawn feature_dim"],
    unseen_ids: Ids,
    names: Sequence[Any],
    image_shape: tuple[int, int],
) -> Figure:
    """Draw generated images of each unseen class, their mean, and real images beside them."""
    height, width = image_shape
    rows = []
    rng = np.random.default_rng(0)
    for class_id, drawn in zip(unseen_ids.tolist(), generated, strict=True):
        real = test.features[test.labels == class_id]
        shown = real[rng.permutation(len(real))[:_N_DRAWN]]
        gap = np.full((1, height * width), np.nan)
        rows.append(np.concatenate([drawn.mean(axis=0, keepdims=True), gap, drawn[:_N_DRAWN], gap, shown]))
    n_columns = rows[0].shape[0]
    sheet = np.concatenate([_strip(row, height, width) for row in rows])
    figure = Figure(figsize=(0.5 * n_columns + 0.6, 0.5 * len(rows) + 0.6), layout="constrained")
    axes = figure.subplots()
    colours = np.ma.masked_invalid(np.clip(sheet, 0.0, 1.0))
    axes.imshow(colours, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    axes.set_yticks([(number + 0.5) * height for number in range(len(rows))], [str(name) for name in names])
    groups = {"mean": 0.5, "generated, never seen": 2 + _N_DRAWN / 2, "real": n_columns - _N_DRAWN / 2}
    axes.set_xticks([place * width for place in groups.values()], list(groups))
    axes.tick_params(length=0, labelsize=9, labeltop=True, labelbottom=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def figure_colours(n: int) -> list[Any]:
    """Return as many colours that can be told apart, as far as ten go."""
    from matplotlib import colormaps

    return [colormaps["tab10"](index % 10) for index in range(n)]


def _strip(images: Features, height: int, width: int) -> Float[np.ndarray, "height columns"]:
    return np.concatenate(list(images.reshape(-1, height, width)), axis=1)


def _belongs(name: str, stage: str, stages: Sequence[str]) -> bool:
    """Whether a term is of this stage: terms of earlier stages keep their last value in the reports."""
    phase = name.partition(".")[0]
    return phase == stage if phase in stages else True


def _curve(axes: Axes, measured: Measurement, name: str, colour: str, width: float) -> None:
    styles = {"eszsl": ":", "ridge-cosine": "-.", "kernel-ridge-cosine": "--"}
    curve = measured.curve
    style = styles.get(name, "-")
    axes.plot(100 * curve.unseen, 100 * curve.seen, style, color=colour, linewidth=width, label=name)
    plain, corrected = measured.plain, measured.corrected
    axes.plot(100 * plain.u, 100 * plain.s, "o", color=colour, markerfacecolor="white", markersize=6)
    axes.plot(100 * corrected.u, 100 * corrected.s, "o", color=colour, markersize=6)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=_GRID, linewidth=0.5)
    axes.set_axisbelow(True)
