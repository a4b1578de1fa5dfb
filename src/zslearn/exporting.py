"""Predictors as ONNX: what a fitted estimator answers, for programs that have neither zslearn nor torch."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from zslearn import __version__
from zslearn.errors import ConfigError, DataError, first_line, require_extra
from zslearn.estimator import GenerativeZSL
from zslearn.files import write_bytes
from zslearn.models.base import GenerativeModel
from zslearn.models.closed_form import FittedLinear, FittedMatching
from zslearn.models.kernel_ridge import FittedPrototypes
from zslearn.recogniser import SolvedRecogniser, TrainedRecogniser
from zslearn.shapes import Features
from zslearn.spaces import FeatureSpace, unit_rows

EXTRA: Final[str] = "onnx"
TOLERANCE: Final[float] = 1e-4
"""How far a probability of the exported predictor may be from the original's."""
INPUT: Final[str] = "features"
OUTPUTS: Final[tuple[str, ...]] = ("scores", "probabilities")

_N_COMPARED = 64
_OPSET = 20


class Predictor(nn.Module):
    """Raw features to corrected scores and probabilities of all classes, as one computation.

    Args:
        estimator: A fitted estimator; what it knows is copied.

    Raises:
        ConfigError: If its model cannot be written as one computation.
    """

    offset: Tensor

    def __init__(self, estimator: GenerativeZSL) -> None:
        super().__init__()
        self.scorer = _scorer(estimator)
        offset = np.zeros(len(estimator.classes_))
        offset[estimator.seen_ids_] = estimator.offset_
        self.register_buffer("offset", torch.tensor(offset))
        self.temperature = 1.0 if estimator.rehearsal_ is None else estimator.rehearsal_.temperature

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores and probabilities, both ``[n_rows, n_classes]`` in double precision.

        Args:
            features: Raw features, ``[n_rows, feature_dim]`` float32.
        """
        scores = self.scorer(features).double() - self.offset
        return scores, torch.softmax(scores / self.temperature, dim=-1)


class _Space(nn.Module):
    """A feature space as a computation."""

    centre: Tensor
    scale: Tensor
    projection: Tensor | None

    def __init__(self, space: FeatureSpace) -> None:
        super().__init__()
        self.kind, self.power, self.length = space.kind, space.power, space.length
        self.register_buffer("centre", torch.tensor(space.centre))
        self.register_buffer("scale", torch.tensor(space.scale))
        self.register_buffer("projection", None if space.projection is None else torch.tensor(space.projection))

    def forward(self, features: Tensor) -> Tensor:
        powered = features if self.power == 1.0 else features.sign() * features.abs().pow(self.power)
        mapped: Tensor = (powered - self.centre) / self.scale
        if self.projection is not None:
            mapped = mapped @ self.projection
        if self.length > 0:
            mapped = _unit(mapped) * self.length
        return mapped.clamp(0.0, 1.0) if self.kind == "unit" else mapped


class _Trained(nn.Module):
    """The scores of a trained model and its final classifier, in the order of the class ids."""

    conditions: Tensor

    def __init__(self, recogniser: TrainedRecogniser) -> None:
        super().__init__()
        self.space = _Space(recogniser.feature_space)
        # What moves or sets the predictor, as the export does, must leave the network in use alone.
        self.model = copy.deepcopy(recogniser.model)
        self.register_buffer("conditions", recogniser.conditions[recogniser.places])
        known = recogniser.classifier
        self.classifier = None if known is None else known.columns(recogniser.places)

    def forward(self, features: Tensor) -> Tensor:
        mapped = self.space(features)
        scores: Tensor | None = self.model.semantic_scores(mapped, self.conditions)
        if self.classifier is not None and isinstance(self.model, GenerativeModel):
            verdict = self.classifier(self.model.represent(mapped))
            scores = verdict if scores is None else scores + verdict
        assert scores is not None
        return scores


class _Solved(nn.Module):
    """Rows mapped linearly, perhaps to unit length, and compared with a table of classes, in double precision."""

    weights: Tensor
    intercept: Tensor
    table: Tensor

    def __init__(self, weights: Any, intercept: Any, table: Any, *, normalised: bool, squared: bool = False) -> None:
        super().__init__()
        self.normalised, self.squared = normalised, squared
        self.register_buffer("weights", torch.tensor(weights))
        self.register_buffer("intercept", torch.tensor(intercept))
        self.register_buffer("table", torch.tensor(table))

    def forward(self, features: Tensor) -> Tensor:
        mapped: Tensor = features.double() @ self.weights + self.intercept
        if self.squared:
            lengths = mapped.square().sum(dim=1, keepdim=True) + self.table.square().sum(dim=1)
            return mapped @ self.table.T - lengths / 2
        return (_unit(mapped) if self.normalised else mapped) @ self.table.T


def export_onnx(estimator: GenerativeZSL, path: Path) -> float:
    """Write a fitted estimator's predictor as an ONNX file, and check its answers against the estimator's.

    The file takes ``features`` (``[n_rows, feature_dim]`` float32) and gives ``scores`` and ``probabilities``
    (``[n_rows, n_classes]`` float64, corrected for label shift, at the rehearsal's temperature). Its metadata
    ``zslearn`` holds the class names, in the order of the columns, and which of them were seen.

    Args:
        estimator: The fitted estimator.
        path: The file to make or replace; it appears when it is complete and checked.

    Returns:
        The largest difference of a probability from the estimator's own, in [0, 1].

    Raises:
        MissingExtraError: If the packages of the extra ``onnx`` are not installed.
        ConfigError: If the model cannot be written as one computation.
        DataError: If the file would answer differently.
    """
    for module in ("onnx", "onnxscript", "onnxruntime"):
        require_extra(module, EXTRA)
    content = _converted(Predictor(estimator).eval(), _facts(estimator), estimator.n_features_in_)
    difference = _difference(estimator, content)
    if not difference <= TOLERANCE:
        raise DataError(
            "the exported predictor would answer differently from the original",
            expected=f"probabilities within {TOLERANCE:g}",
            received=f"{difference:.2g}",
            remedy="Use the model through zslearn itself.",
        )
    write_bytes(path, content)
    return difference


def _facts(estimator: GenerativeZSL) -> dict[str, Any]:
    return {
        "zslearn": __version__,
        "model": estimator.model,
        "classes": estimator.classes_.tolist(),
        "seen": estimator.seen_classes_.tolist(),
        "offset": estimator.offset_,
        "backbone": estimator.backbone_,
    }


def _scorer(estimator: GenerativeZSL) -> nn.Module:
    recogniser = estimator.recogniser_
    if isinstance(recogniser, TrainedRecogniser):
        return _Trained(recogniser)
    if isinstance(recogniser, SolvedRecogniser):
        fitted = recogniser.fitted
        table = np.concatenate([fitted.class_table, recogniser.added])[recogniser.places]
        if isinstance(fitted, FittedLinear):
            return _Solved(fitted.weights, fitted.intercept, table, normalised=fitted.normalised)
        if isinstance(fitted, FittedMatching):
            feature_dim = estimator.n_features_in_
            return _Solved(np.eye(feature_dim), np.zeros(feature_dim), table, normalised=True)
        if isinstance(fitted, FittedPrototypes):
            weights = np.linalg.inv(fitted.whitening.factor).T
            intercept = -fitted.whitening.mean @ weights
            if fitted.scoring == "cosine":
                return _Solved(weights, intercept, unit_rows(table), normalised=True)
            return _Solved(weights, intercept, table, normalised=False, squared=True)
    raise ConfigError(
        f"the model {estimator.model!r} cannot be exported",
        expected="a trained model, or a closed form that is a linear map, a comparison by cosine or with prototypes",
        remedy="Train another model; 'zslearn show models' lists them.",
    )


def _converted(predictor: Predictor, facts: dict[str, Any], feature_dim: int) -> bytes:
    rows = torch.export.Dim("n_rows", min=1)
    # Two rows: a dimension of one would be taken for a constant.
    example = (torch.zeros(2, feature_dim),)
    with torch.no_grad(), _silent():
        try:
            program = torch.onnx.export(
                predictor.cpu(),
                example,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_shapes=({0: rows},),
                opset_version=_OPSET,
                dynamo=True,
                verbose=False,
            )
        # The exporter has errors of its own for what it cannot trace.
        except Exception as error:
            raise ConfigError(
                f"the model {facts['model']!r} cannot be exported",
                received=f"{type(error).__name__}: {first_line(error)}",
                remedy="Use it through zslearn itself.",
            ) from error
    assert program is not None
    proto = program.model_proto
    entry = proto.metadata_props.add()
    entry.key, entry.value = "zslearn", json.dumps(facts, ensure_ascii=False)
    content: bytes = proto.SerializeToString()
    return content


def _difference(estimator: GenerativeZSL, content: bytes) -> float:
    """Return how far the exported probabilities are from the original's, at worst."""
    runtime = require_extra("onnxruntime", EXTRA)
    rows = _some_rows(estimator)
    exported = runtime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(
        ["probabilities"], {INPUT: rows}
    )
    return float(np.abs(exported[0] - np.asarray(estimator.predict_proba(rows))).max())


def _some_rows(estimator: GenerativeZSL) -> Features:
    """Return rows like those that the predictor will meet, as far as a model alone can tell."""
    if estimator.recogniser_.generates:
        names = estimator.classes_[: _N_COMPARED // 4].tolist()
        return np.asarray(estimator.synthesize(names, 4)).reshape(-1, estimator.n_features_in_)
    rng = np.random.default_rng(0)
    return rng.uniform(size=(_N_COMPARED, estimator.n_features_in_)).astype(np.float32)


def _unit(rows: Tensor) -> Tensor:
    lengths = rows.norm(dim=1, keepdim=True)
    return rows / torch.where(lengths > 0, lengths, torch.ones_like(lengths))


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep the exporter's own notes, warnings and progress from the user; what matters is checked afterwards."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
