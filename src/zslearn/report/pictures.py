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
from matplotlib.patheffects import Normal, Stroke

from zslearn.data.dataset import TestView, ZSLDataset
from zslearn.estimator import GenerativeZSL
from zslearn.evaluation.protocol import Measurement, Outcome
from zslearn.files import write_atomic
from zslearn.shapes import Features, Ids
from zslearn.sheets import training_terms

_OURS, _REFERENCE, _GRID = "#c2410c", "#64748b", "#e2e8f0"
_N_MAPPED = 60
_N_DRAWN = 8
_MAX_MAP_CLASSES = 10


def draw_run(folder: Path, dataset: ZSLDataset, outcome: Outcome, history: Sequence[Mapping[str, Any]]) -> list[str]:
    """Draw all pictures of a finished run into its folder, as far as there are test rows to draw.

    Real unseen samples appear in them, for diagnosis only: everything is chosen and measured by now. Without training
    there are no curves of it, without a generator no generated samples.

    Args:
        folder: The run folder.
        dataset: What it ran on.
        outcome: What came out.
        history: The fit's reports.

    Returns:
        The names of the files.
    """
    pictures: dict[str, Callable[[], Figure]] = {}
    if history:
        pictures["training.png"] = lambda: training_curves(history)
    if outcome.measurement.curve is not None:
        pictures["seen-unseen.png"] = lambda: seen_unseen_curves(outcome)
    if outcome.estimator.recogniser_.generates:
        pictures |= _pictures_of_samples(dataset, outcome.estimator)
    for name, draw in pictures.items():
        save_figure(draw(), folder / name)
    return list(pictures)


def _pictures_of_samples(dataset: ZSLDataset, estimator: GenerativeZSL) -> dict[str, Callable[[], Figure]]:
    test = dataset.test_in_place()
    # A class without test rows has nothing real to show beside what was generated.
    unseen_ids = np.intersect1d(estimator.unseen_ids_, test.labels)
    names = estimator.classes_[unseen_ids].tolist()
    if not names:
        return {}
    generated = np.asarray(estimator.synthesize(names, _N_MAPPED))
    pictures: dict[str, Callable[[], Figure]] = {"map.png": lambda: sample_map(test, generated, unseen_ids, names)}
    shape = dataset.image_shape
    if shape is not None:
        pictures["drawn.png"] = lambda: drawn_classes(test, generated, unseen_ids, names, shape)
    return pictures


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically."""
    FigureCanvasAgg(figure)
    write_atomic(path, lambda temporary: figure.savefig(temporary, format="png", dpi=120))


def training_curves(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the weighted terms of the final training, one panel per stage."""
    stages = training_terms(history)
    figure = Figure(figsize=(5.8 * len(stages), 3.6), layout="constrained")
    for axes, stage in zip(figure.subplots(1, len(stages), squeeze=False)[0], stages, strict=True):
        axes.set_prop_cycle(color=figure_colours(20))
        for name, term in stage["terms"].items():
            label = name.partition(".")[2]
            axes.plot(term["step"], term["value"], marker=".", markersize=3, linewidth=1.2, label=label)
        axes.set_yscale("symlog", linthresh=0.01)
        axes.set(title=f"{stage['stage'].replace('_', ' ')} stage", xlabel="step", ylabel="weighted loss term")
        axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        _plain(axes)
    return figure


def seen_unseen_curves(outcome: Outcome) -> Figure:
    """Draw seen against unseen accuracy over all offsets, with the plain and the corrected operating points."""
    figure = Figure(figsize=(5.6, 4.6), layout="constrained")
    axes = figure.subplots()
    model = outcome.estimator.model
    for name, measured in outcome.reference_measurements.items():
        if name == model:
            continue
        _curve(axes, measured, name, _REFERENCE, width=0.9)
    _curve(axes, outcome.measurement, model, _OURS, width=2.0)
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
        place = (100, 100 * h / (200 - h))
        axes.annotate(f"H {h} ", place, fontsize=7, color="#94a3b8", ha="right", va="bottom", zorder=0)
    axes.legend(fontsize=8, frameon=False, loc="upper right")
    _plain(axes)
    return figure


def sample_map(
    test: TestView, generated: Float[np.ndarray, "n_unseen n_drawn feature_dim"], unseen_ids: Ids, names: Sequence[Any]
) -> Figure:
    """Draw real and generated samples of up to ten unseen classes on the two main axes of all of them together."""
    n_classes = len(names)
    unseen_ids, names = unseen_ids[:_MAX_MAP_CLASSES], names[:_MAX_MAP_CLASSES]
    real = [test.features[np.flatnonzero(test.labels == class_id)[:_N_MAPPED]] for class_id in unseen_ids]
    imagined = list(generated[: len(names), :_N_MAPPED])
    centre, main_axes = _main_axes(np.concatenate([*real, *imagined]))
    figure = Figure(figsize=(7.2, 5.0), layout="constrained")
    axes = figure.subplots()
    colours = figure_colours(len(names))
    for name, colour, dots, crosses in zip(names, colours, real, imagined, strict=True):
        place, drift = (dots - centre) @ main_axes, (crosses - centre) @ main_axes
        axes.scatter(place[:, 0], place[:, 1], s=14, color=colour, alpha=0.4, linewidths=0)
        axes.scatter(drift[:, 0], drift[:, 1], s=16, marker="x", color=colour, alpha=0.5, linewidths=0.8)
        ends = np.stack([place.mean(axis=0), drift.mean(axis=0)])
        axes.annotate("", ends[1], ends[0], arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 1.6})
        look = {"color": colour, "fontsize": 11, "weight": "bold", "ha": "center", "va": "center"}
        label = axes.text(ends[0, 0], ends[0, 1], str(name), parse_math=False, **look)
        label.set_path_effects([Stroke(linewidth=3, foreground="white"), Normal()])
    shown = f"{len(names)} of {n_classes} unseen classes" if n_classes > len(names) else "Unseen classes"
    what = "real samples (dots), generated ones (crosses)\narrows lead from the real mean to the generated one"
    axes.set_title(f"{shown}: {what}", fontsize=10)
    axes.set(xticks=[], yticks=[], xlabel="first main axis", ylabel="second main axis")
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
    places = [(number + 0.5) * height for number in range(len(rows))]
    axes.set_yticks(places, [str(name) for name in names], parse_math=False)
    groups = {"mean": 0.5, "generated, never seen": 2 + _N_DRAWN / 2, "real": n_columns - _N_DRAWN / 2}
    axes.set_xticks([place * width for place in groups.values()], list(groups))
    axes.tick_params(length=0, labelsize=9, labeltop=True, labelbottom=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def figure_colours(n: int) -> list[Any]:
    """Return as many colours that can be told apart, as far as twenty go: ten strong ones, then their pale kin."""
    from matplotlib import colormaps

    return [colormaps["tab20"](2 * (index % 10) + index // 10 % 2) for index in range(n)]


def _main_axes(rows: Features) -> tuple[Features, Float[np.ndarray, "feature_dim 2"]]:
    """Return the mean of rows and their two principal axes."""
    centre = rows.mean(axis=0)
    return centre, np.linalg.svd(rows - centre, full_matrices=False)[2][:2].T


def _strip(images: Features, height: int, width: int) -> Float[np.ndarray, "height columns"]:
    return np.concatenate(list(images.reshape(-1, height, width)), axis=1)


def _curve(axes: Axes, measured: Measurement, name: str, colour: str, width: float) -> None:
    styles = {"eszsl": ":", "ridge-cosine": "-.", "kernel-ridge-cosine": "--"}
    curve, style = measured.curve, styles.get(name, "-")
    if curve is None:
        return
    axes.plot(100 * curve.unseen, 100 * curve.seen, style, color=colour, linewidth=width, label=name)
    plain, corrected = measured.plain, measured.corrected
    axes.plot(100 * plain.u, 100 * plain.s, "o", color=colour, markerfacecolor="white", markersize=6)
    axes.plot(100 * corrected.u, 100 * corrected.s, "o", color=colour, markersize=6)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=_GRID, linewidth=0.5)
    axes.set_axisbelow(True)
