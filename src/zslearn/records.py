"""The record of a run: every figure with all that it depends on."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zslearn import __version__
from zslearn.data.dataset import TestView, ZSLDataset
from zslearn.data.splits import MIN_REHEARSAL_CLASSES
from zslearn.devices import resolve_precision
from zslearn.estimator import GenerativeZSL
from zslearn.evaluation.diagnostics import (
    N_COMPARED_CLASSES,
    N_COPY_CLASSES,
    N_GENERATED,
    answers_of_unseen,
    compare_generated,
)
from zslearn.evaluation.metrics import SeenUnseenCurve
from zslearn.evaluation.protocol import Measurement, Outcome
from zslearn.training.team import current_team

RECORD_VERSION = 2
CURVE_POINTS = 200
"""Points of the model's seen-unseen curve that a record keeps, at most; of each reference's, a quarter."""
_LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn")


def source_facts(
    dataset: ZSLDataset, source: str, features: str | None = None, semantics: str | None = None
) -> dict[str, Any]:
    """Describe a data set and where it was taken from, so that it can be found again.

    Args:
        dataset: The data set.
        source: What was asked for: a name or a folder.
        features: The feature file that was asked for.
        semantics: The split file that was asked for.
    """
    return {
        "name": dataset.name,
        "checksum": dataset.checksum,
        "split": dataset.split,
        "source": dataset.source,
        "warnings": list(dataset.warnings),
        "backbone": dataset.backbone,
        "text_encoder": dataset.text_encoder,
        "asked_for": {"data": source, "features": features, "semantics": semantics},
    }


def make_record(dataset: ZSLDataset, outcome: Outcome, data: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a finished run, ready for JSON.

    Accuracies are fractions in [0, 1], times are seconds. The diagnostics look at real unseen rows, after all choices.

    Args:
        dataset: What it ran on.
        outcome: What came out.
        data: The data set's ``source_facts``.
    """
    estimator, config = outcome.estimator, outcome.estimator.recogniser_.config
    rehearsal = estimator.rehearsal_
    return {
        "record_version": RECORD_VERSION,
        "status": "finished",
        "data": dict(data),
        "model": estimator.model,
        "config": asdict(config),
        "seed": estimator.seed,
        "setting": {
            "samples": "inductive",
            "unseen_semantics_in_training": estimator.recogniser_.reads_unseen_semantics,
        },
        "metrics": outcome.measurement.plain.as_dict(),
        "metrics_corrected": outcome.measurement.corrected.as_dict(),
        "references": {name: measured.figures() for name, measured in outcome.reference_measurements.items()},
        "per_class": _per_class(dataset, outcome.measurement),
        "unseen_classes": [dataset.class_names[class_id] for class_id in dataset.unseen_ids],
        "curve": _curve(outcome.measurement.curve, CURVE_POINTS),
        "reference_curves": {
            name: _curve(measured.curve, CURVE_POINTS // 4) for name, measured in outcome.reference_measurements.items()
        },
        "confusion": outcome.measurement.confusion.as_dict(),
        "confusion_corrected": outcome.measurement.confusion_corrected.as_dict(),
        # They compare the two sides, as the curve does.
        "diagnostics": None if outcome.measurement.curve is None else _diagnostics(dataset, outcome),
        "selection": {
            "chosen_on": _chosen_on(estimator),
            "alternatives": [dict(alternative) for alternative in estimator.alternatives_],
            "rehearsal": None if rehearsal is None else asdict(rehearsal),
            "references": {name: reference.facts() for name, reference in outcome.references.items()},
            "events": [event.as_dict() for event in outcome.events],
        },
        "versions": versions(),
        "hardware": hardware(str(estimator.recogniser_.device), getattr(config, "precision", "float32")),
        "seconds": dict(outcome.seconds),
        "updates": estimator.recogniser_.updates,
        "peak_memory_bytes": peak_memory_bytes(),
    }


def versions() -> Mapping[str, str]:
    """Return the versions that figures depend on."""
    return {
        "zslearn": __version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _LIBRARIES},
    }


def hardware(device: str, precision: str = "float32") -> Mapping[str, Any]:
    """Return what "same seed, same bits" depends on besides the versions.

    Args:
        device: Where the model trains.
        precision: The model's setting of that name.
    """
    in_bf16 = resolve_precision(precision, torch.device(device)) is torch.bfloat16
    return {
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else "cpu",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "precision": "bf16" if in_bf16 else "float32",
        **({"processes": size} if (size := current_team().size) > 1 else {}),
    }


def peak_memory_bytes() -> int:
    """Return the largest memory that this process has held, in bytes; 0 on Windows, which is not asked."""
    # Linux counts in ru_maxrss what the process held that started this one.
    status = Path("/proc/self/status")
    for line in status.read_text(encoding="utf-8").splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _chosen_on(estimator: GenerativeZSL) -> str:
    if estimator.rehearsal_ is not None:
        return "rehearsal classes"
    if not estimator.rehearse:
        return "nothing: not rehearsed"
    if len(estimator.seen_classes_) < MIN_REHEARSAL_CLASSES:
        return f"nothing: fewer than {MIN_REHEARSAL_CLASSES} seen classes"
    return "nothing: too few rows of seen classes to hold some out"


def _per_class(dataset: ZSLDataset, measurement: Measurement) -> dict[str, float]:
    return {
        name: float(accuracy)
        for name, accuracy in zip(dataset.class_names, measurement.per_class, strict=True)
        if accuracy == accuracy
    }


def _curve(curve: SeenUnseenCurve | None, n_points: int) -> dict[str, list[float]] | None:
    if curve is None:
        return None
    thinned = curve.thinned(n_points)
    return {"unseen": thinned.unseen.round(4).tolist(), "seen": thinned.seen.round(4).tolist()}


def _diagnostics(dataset: ZSLDataset, outcome: Outcome) -> dict[str, Any]:
    test, estimator = dataset.test_in_place(), outcome.estimator
    answers = answers_of_unseen(outcome.measurement.answers, test, dataset.class_names)
    generates = estimator.recogniser_.generates
    return {"answers_of_unseen": answers, "generated": _generated(dataset, test, estimator) if generates else None}


def _generated(dataset: ZSLDataset, test: TestView, estimator: GenerativeZSL) -> dict[str, Any]:
    # A class without test rows has nothing real to be compared with.
    unseen_ids = np.intersect1d(test.unseen_ids, test.labels)
    seen_ids = np.intersect1d(test.seen_ids, test.labels)
    seen_ids, unseen_ids = (
        np.sort(np.random.default_rng(0).permutation(class_ids)[:n_most])
        for class_ids, n_most in ((seen_ids, N_COPY_CLASSES), (unseen_ids, N_COMPARED_CLASSES))
    )
    drawn = (
        np.asarray(estimator.synthesize(estimator.classes_[class_ids].tolist(), N_GENERATED))
        for class_ids in (unseen_ids, seen_ids)
    )
    unseen, seen = drawn
    return compare_generated(dataset.training_in_place(), test, unseen, unseen_ids, seen, seen_ids)
