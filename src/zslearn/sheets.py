"""The sheet of a run: what pictures are drawn from, kept beside its record for reports.

Real unseen rows stand on it, for diagnosis only: everything is chosen and measured when it is made.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from zslearn.data.dataset import TestView, ZSLDataset
from zslearn.evaluation.metrics import confusion
from zslearn.evaluation.protocol import Outcome
from zslearn.shapes import Features, Ids, Labels

MAX_CONFUSED: Final[int] = 60
"""Classes, at most, whose confusion is kept: the most confused ones where there are more."""

_SHEET_VERSION = 1
_MAP_CLASSES, _MAP_ROWS, _MAP_SEEN = 10, 40, 120
_N_DRAWN = 8
_IMAGE_CLASSES = 40
_GREY_LEVELS = 16
_HISTORY_POINTS = 60


def make_sheet(dataset: ZSLDataset, outcome: Outcome, history: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Gather what reports draw of a finished run, ready for JSON.

    Args:
        dataset: What it ran on.
        outcome: What came out.
        history: The fit's reports, as ``history.jsonl`` holds them.

    Returns:
        ``confusion`` (counts of true and answered class), ``training`` (the terms of the final training), ``map`` (real
        and generated samples in the plane; None for models that generate nothing, and without rows of unseen classes)
        and ``images`` (drawn samples as PNG; None where there is no map or samples are no images).
    """
    test, estimator = dataset.test_in_place(), outcome.estimator
    sheet = {
        "sheet_version": _SHEET_VERSION,
        "confusion": _confusion(test, outcome.measurement.answers, dataset.class_names),
        "training": training_terms(history),
        "map": None,
        "images": None,
    }
    shown = np.intersect1d(test.unseen_ids, test.labels)[:_IMAGE_CLASSES]
    if len(shown) and estimator.recogniser_.generates:
        drawn = np.asarray(estimator.synthesize(estimator.classes_[shown].tolist(), _MAP_ROWS))
        names = [dataset.class_names[class_id] for class_id in shown]
        seen = dataset.features[dataset.train_rows[_some(len(dataset.train_rows), _MAP_SEEN)]]
        sheet["map"] = _map(test, drawn, shown, names, np.asarray(seen, dtype=np.float32))
        if dataset.image_shape is not None:
            sheet["images"] = _images(test, drawn, shown, names, dataset.image_shape)
    return sheet


def training_terms(history: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the terms of the final training by stage, each thinned to a few dozen points.

    Returns:
        For each stage its name and ``terms``: by name, the steps and the values.
    """
    reports = list(history)
    final = [report for report in reports if report["part"] == report["n_parts"] - 1]
    stages = list(dict.fromkeys(report["stage"] for report in final))
    told = []
    for stage in stages:
        entries = [report for report in final if report["stage"] == stage]
        kept = [entries[index] for index in _spread(len(entries), _HISTORY_POINTS)]
        told.append({"stage": stage, "terms": {name: _term(kept, name) for name in entries[-1]["terms"]}})
    return told


def _term(reports: Sequence[Mapping[str, Any]], name: str) -> dict[str, list[float]]:
    points = [(report["step"], _short(report["terms"][name])) for report in reports if name in report["terms"]]
    return {"step": [step for step, _ in points], "value": [value for _, value in points]}


def _confusion(test: TestView, answers: Labels, names: Sequence[str]) -> dict[str, Any]:
    counts = confusion(test.labels, answers, len(names))
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")
    unseen = np.isin(np.arange(len(names)), test.unseen_ids)
    # Seen classes first, then unseen ones: what is answered across the border stands in two corners.
    kept = sorted(order[:MAX_CONFUSED].tolist(), key=lambda class_id: (unseen[class_id], class_id))
    among = counts[np.ix_(kept, kept)]
    true, answered = np.nonzero(among)
    return {
        "n_classes": len(names),
        "classes": [names[class_id] for class_id in kept],
        "unseen": unseen[kept].tolist(),
        "rows": counts[kept].sum(axis=1).tolist(),
        "true": true.tolist(),
        "answered": answered.tolist(),
        "count": among[true, answered].tolist(),
    }


def _map(
    test: TestView,
    drawn: Float[np.ndarray, "n_shown n_drawn feature_dim"],
    shown: Ids,
    names: Sequence[str],
    seen: Features,
) -> dict[str, Any]:
    """Place real and generated samples of some unseen classes, and training rows, on the main axes of the former."""
    groups: list[tuple[str | None, str, Features]] = []
    for index, class_id in enumerate(shown[:_MAP_CLASSES].tolist()):
        real = test.features[test.labels == class_id]
        groups.append((names[index], "real", real[_some(len(real), _MAP_ROWS)]))
        groups.append((names[index], "generated", drawn[index]))
    centre, axes, explained = _main_axes(np.concatenate([rows for _, _, rows in groups]))
    groups.append((None, "training", seen))
    places = [(rows - centre) @ axes for _, _, rows in groups]
    scale = max(float(np.abs(place).max()) for place in places) or 1.0
    return {
        "n_unseen": len(test.unseen_ids),
        "explained": _short(explained),
        "groups": [
            {
                "class": name,
                "kind": kind,
                "x": [_short(x) for x in place[:, 0] / scale],
                "y": [_short(y) for y in place[:, 1] / scale],
            }
            for (name, kind, _), place in zip(groups, places, strict=True)
        ],
    }


def _images(
    test: TestView,
    drawn: Float[np.ndarray, "n_shown n_drawn feature_dim"],
    shown: Ids,
    names: Sequence[str],
    shape: tuple[int, int],
) -> list[dict[str, Any]]:
    """Draw a strip for each class: the mean of the generated samples, some of them, and some real ones."""
    strips = []
    for name, class_id, samples in zip(names, shown.tolist(), drawn, strict=True):
        real = test.features[test.labels == class_id]
        strips.append(
            {
                "class": name,
                "mean": picture_strip(samples.mean(axis=0, keepdims=True), shape),
                "generated": picture_strip(samples[:_N_DRAWN], shape),
                "real": picture_strip(real[_some(len(real), _N_DRAWN)], shape),
            }
        )
    return strips


def picture_strip(images: Features, shape: tuple[int, int]) -> str:
    """Return grey images side by side, 1 for ink, as a PNG in base64."""
    from PIL import Image

    sheet = np.concatenate(list(images.reshape(-1, *shape)), axis=1)
    levels = np.rint((1.0 - np.clip(sheet, 0.0, 1.0)) * (_GREY_LEVELS - 1)) * (255 / (_GREY_LEVELS - 1))
    png = io.BytesIO()
    Image.fromarray(levels.astype(np.uint8)).save(png, format="PNG", optimize=True)
    return base64.b64encode(png.getvalue()).decode("ascii")


def _main_axes(rows: Features) -> tuple[Features, Float[np.ndarray, "feature_dim 2"], float]:
    """Return the mean of rows, their two principal axes, and the share of variance that these hold."""
    centre = rows.mean(axis=0)
    _, strengths, axes = np.linalg.svd(rows - centre, full_matrices=False)
    total = float(np.square(strengths).sum())
    return centre, axes[:2].T, float(np.square(strengths[:2]).sum()) / total if total else 1.0


def _some(n_rows: int, n_wanted: int) -> Ids:
    return np.sort(np.random.default_rng(0).permutation(n_rows)[:n_wanted])


def _spread(n_entries: int, n_wanted: int) -> list[int]:
    return sorted({round(place) for place in np.linspace(0, n_entries - 1, min(n_entries, n_wanted))})


def _short(value: float) -> float:
    return float(f"{value:.3g}")
