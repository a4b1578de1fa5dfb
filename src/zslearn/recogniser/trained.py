"""A recogniser whose model was trained: spaces, networks and, beside a generator, a final classifier."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from zslearn.allocator import freed_memory_kept, return_freed_memory
from zslearn.classifiers.linear import LinearClassifier
from zslearn.configuration import build
from zslearn.data.dataset import TrainingView
from zslearn.devices import fast_float32, resolve_precision
from zslearn.errors import ConfigError, DataError, TrainingError, ZslearnError, is_out_of_memory
from zslearn.models.base import GenerativeModel, ModelConfig, Task, TrainedModel, sample_classes
from zslearn.nets import multiplied_in
from zslearn.recogniser.base import Clock, Recogniser, arrays_below
from zslearn.recogniser.blueprint import check_networks
from zslearn.recogniser.classifier import fit_classifier, fit_newcomers
from zslearn.recogniser.rows import SpacePoints, SyntheticSamples, class_moments, space_points, synthesized
from zslearn.shapes import Features, Ids, Scores, Semantics
from zslearn.spaces import FeatureSpace, SemanticSpace
from zslearn.training.loop import Keeper, Loop, Progress, Rows
from zslearn.training.streams import Streams

_PLACES_AT_ONCE = 32
"""How many places the tables grow by when classes are added."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedRecogniser(Recogniser):
    """Scores samples against classes; with a generator it also synthesises samples of any class with semantics.

    What is known of a class lies at its *place* in two tables. The classes of the fit fill one block of places, those
    that are added later fill further blocks of a fixed size. A block is always scored as a whole, its empty places
    (zeros) too: so the scores of a class have the same bits whichever others come and go.

    Attributes:
        model_name: The model's name in the zoo.
        feature_space: Where the model works.
        semantic_space: Turns raw semantics into conditions.
        task: What the training knew.
        model: The trained model.
        conditions: The condition vector at every place, ``[n_places, condition_dim]``.
        classifier: The final classifier, a column per place; None where the model answers alone.
        places: The place of every class id, ``[n_classes]``.
        n_fitted: The number of places that the fit filled.
        seconds: How long each stage of the fit took.
        updates: How many steps of each stage of the training were planned and done.
    """

    model_name: str
    feature_space: FeatureSpace
    semantic_space: SemanticSpace
    task: Task
    model: TrainedModel
    conditions: Tensor
    classifier: LinearClassifier | None
    places: Tensor
    n_fitted: int
    seconds: dict[str, float]
    updates: dict[str, dict[str, int]]

    @property
    def config(self) -> ModelConfig:
        """The model's settings."""
        return self.model.config

    @property
    def feature_space_kind(self) -> str:
        """The kind of space in which the model works."""
        return self.feature_space.kind

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.task.semantics.device

    @property
    def reads_unseen_semantics(self) -> bool:
        """Whether training was allowed to read the semantics of unseen classes."""
        return self.config.unseen_semantics

    @property
    def generates(self) -> bool:
        """Whether there is a generator."""
        return isinstance(self.model, GenerativeModel)

    def with_classes(self, semantics: Semantics, seeds: Sequence[int]) -> TrainedRecogniser:
        """Return a recogniser that knows more classes, without training the model.

        The old classes keep their ids, the new ones get the next; no score of an old class changes a bit.

        Args:
            semantics: Raw semantics, one row per new class.
            seeds: Draws the samples of each of them that a final classifier is fitted to.
        """
        conditions = _tensor(self.semantic_space.transform(semantics), self.conditions.device)
        used = set(self.places.tolist())
        grown = len(self.conditions)
        while grown - len(used) < len(conditions):
            grown += _PLACES_AT_ONCE
        free = [place for place in range(grown) if place not in used][: len(conditions)]
        new_places = torch.tensor(free, device=self.places.device)

        def placed(old: Tensor, new: Tensor) -> Tensor:
            table = old.new_zeros(grown, *old.shape[1:])
            table[: len(old)] = old
            table[new_places] = new
            return table

        classifier = None
        if self.classifier is not None and isinstance(self.model, GenerativeModel):
            known, known_conditions = self.classifier.columns(self.places), self.conditions[self.places]
            columns = fit_newcomers(self.model, known, known_conditions, conditions, seeds)
            classifier = LinearClassifier(
                placed(self.classifier.weight.detach(), columns.weight.detach()),
                placed(self.classifier.bias.detach(), columns.bias.detach()),
            )
        return replace(
            self,
            conditions=placed(self.conditions, conditions),
            classifier=classifier,
            places=torch.cat([self.places, new_places]),
        )

    def without_classes(self, class_ids: Ids) -> TrainedRecogniser:
        """Return a recogniser that has forgotten some classes; the other ids close up and keep their scores' bits."""
        kept = np.setdiff1d(np.arange(len(self.places)), class_ids)
        places = self.places[_ids(kept, self.places.device)]

        def emptied(old: Tensor) -> Tensor:
            table = torch.zeros_like(old)
            table[places] = old[places]
            return table

        classifier = None
        if self.classifier is not None:
            weight, bias = (emptied(part.detach()) for part in (self.classifier.weight, self.classifier.bias))
            classifier = LinearClassifier(weight, bias)
        return replace(self, conditions=emptied(self.conditions), classifier=classifier, places=places)

    def with_unseen_samples(self, view: TrainingView, samples: Float[np.ndarray, ...], seed: int) -> TrainedRecogniser:
        """Return a recogniser whose final classifier learned from given samples of the unseen classes.

        Args:
            view: What the model was trained on.
            samples: Raw features of each unseen class, ``[n_unseen, n_synthetic, feature_dim]``.
            seed: Draws the classifier's batches.

        Raises:
            ConfigError: If the model has no final classifier.
        """
        model, streams = self._generative(), Streams(seed, self.device)
        with torch.no_grad():
            mapped = _tensor(self.feature_space.transform(samples.reshape(-1, samples.shape[-1])), self.device)
            inputs = model.represent(mapped, streams).unflatten(0, samples.shape[:2])
        return self._with_classifier(view, inputs, streams)

    def refitted(self, view: TrainingView, seed: int) -> TrainedRecogniser:
        """Return a recogniser whose final classifier learned from new samples of the model as it is.

        Args:
            view: What the model was trained on.
            seed: Draws the samples and the classifier's batches.

        Raises:
            ConfigError: If the model has no final classifier.
        """
        model, streams = self._generative(), Streams(seed, self.device)
        synthetic = synthesized(model, self.conditions[_ids(view.unseen_ids, self.device)], streams)
        return self._with_classifier(view, synthetic, streams)

    def _generative(self) -> GenerativeModel:
        if isinstance(self.model, GenerativeModel):
            return self.model
        raise ConfigError(
            f"the model {self.model_name!r} has no classifier that learns from samples",
            remedy="Take a model that synthesizes.",
        )

    def _with_classifier(self, view: TrainingView, synthetic: SyntheticSamples, streams: Streams) -> TrainedRecogniser:
        features = space_points(view, self.feature_space, self.device)
        labels, unseen_ids = _ids(view.labels, self.device), _ids(view.unseen_ids, self.device)
        classifier = fit_classifier(self._generative(), features, labels, synthetic, unseen_ids, streams)
        return replace(self, classifier=classifier)

    def arrays(self) -> dict[str, Tensor]:
        """Return all that ``restore`` needs besides the settings, as named tensors on the host."""
        classifier = {} if self.classifier is None else self.classifier.state_dict()
        named = {
            **{
                f"feature_space.{name}": torch.from_numpy(array)
                for name in _FEATURE_SPACE_ARRAYS
                if (array := getattr(self.feature_space, name)) is not None
            },
            "feature_space.power": torch.tensor(self.feature_space.power, dtype=torch.float64),
            "feature_space.length": torch.tensor(self.feature_space.length, dtype=torch.float64),
            "semantic_space.centre": torch.from_numpy(self.semantic_space.centre),
            "semantic_space.projection": torch.from_numpy(self.semantic_space.projection),
            "conditions": self.conditions,
            "places": self.places,
            "n_fitted": torch.tensor(self.n_fitted),
            **{f"task.{name}": getattr(self.task, name) for name in _TASK_TENSORS},
            **{f"model.{name}": tensor for name, tensor in self.model.state_dict().items()},
            **{f"classifier.{name}": tensor for name, tensor in classifier.items()},
        }
        return {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()}

    @classmethod
    def restore(
        cls,
        model_name: str,
        model_class: type[TrainedModel],
        settings: Mapping[str, Any],
        kind: str | None,
        arrays: Mapping[str, Tensor],
        device: torch.device,
    ) -> TrainedRecogniser:
        """Rebuild a recogniser from what ``arrays`` returned.

        Raises:
            DataError: If a tensor is missing or has a wrong shape.
        """
        try:
            _check_sides(arrays)
            on_device = {name: arrays[f"task.{name}"].to(device) for name in _TASK_TENSORS}
            task = Task(kind=kind, **on_device)  # type: ignore[arg-type]
            config, state = build(model_class.Config, settings), arrays_below("model.", arrays)
            check_networks(model_class, task, config, state)
            model = model_class(task, config, Streams(0, device))
            model.load_state_dict(state)
            linear = {name: _own(tensor, device) for name, tensor in arrays_below("classifier.", arrays).items()}
            return cls(
                model_name=model_name,
                feature_space=FeatureSpace(
                    kind=kind,  # type: ignore[arg-type]
                    **{
                        name: arrays[f"feature_space.{name}"].numpy()
                        for name in _FEATURE_SPACE_ARRAYS
                        if f"feature_space.{name}" in arrays
                    },
                    power=float(arrays["feature_space.power"]),
                    length=float(arrays["feature_space.length"]),
                ),
                semantic_space=SemanticSpace(
                    centre=arrays["semantic_space.centre"].numpy(),
                    projection=arrays["semantic_space.projection"].numpy(),
                ),
                task=task,
                model=model.eval(),
                conditions=_own(arrays["conditions"], device),
                classifier=LinearClassifier(**linear) if linear else None,
                places=arrays["places"].to(device),
                n_fitted=int(arrays["n_fitted"]),
                seconds={},
                updates={},
            )
        except ZslearnError:
            raise
        # Tensors that do not belong together end in errors of many types.
        except Exception as error:
            raise DataError(
                "the saved tensors do not belong to this model",
                received=f"{type(error).__name__}: {error}",
                remedy="Save the model again with this version of zslearn.",
            ) from error

    def _draw(self, semantics: Semantics, n_samples: int, seed: int) -> NDArray[np.float32]:
        if not isinstance(self.model, GenerativeModel):
            return super()._draw(semantics, n_samples, seed)
        conditions = _tensor(self.semantic_space.transform(semantics), self.device)
        drawn = sample_classes(self.model.sample, conditions, n_samples, Streams(seed, self.device))
        return self.feature_space.inverse(drawn.cpu().numpy())

    def _score_block(self, features: Features) -> Scores:
        with torch.no_grad():
            mapped = _tensor(self.feature_space.transform(features), self.device)
            scores = torch.cat([self._place_scores(mapped, places) for places in self._blocks()], dim=1)
        return scores[:, self.places].cpu().numpy()

    def _blocks(self) -> Iterator[slice]:
        yield slice(0, self.n_fitted)
        for start in range(self.n_fitted, len(self.conditions), _PLACES_AT_ONCE):
            yield slice(start, start + _PLACES_AT_ONCE)

    def _place_scores(self, mapped: Tensor, places: slice) -> Tensor:
        """Add the final classifier's scores to those of the model's own semantic view; one of them may be missing."""
        verdicts = [self.model.semantic_scores(mapped, self.conditions[places])]
        if self.classifier is not None and isinstance(self.model, GenerativeModel):
            verdicts.append(self.classifier.columns(places)(self.model.represent(mapped)))
        return functools.reduce(torch.add, [verdict for verdict in verdicts if verdict is not None])


_FEATURE_SPACE_ARRAYS = ("centre", "scale", "projection", "expansion")
_TASK_TENSORS = ("semantics", "seen_ids", "unseen_ids", "seen_means", "seen_variances")


def _check_sides(arrays: Mapping[str, Tensor]) -> None:
    """Check that saved tensors speak of the same numbers of classes and dimensions.

    Raises:
        ValueError: Otherwise.
    """
    n_places, condition_dim = arrays["conditions"].shape
    n_known = len(arrays["task.seen_ids"]) + len(arrays["task.unseen_ids"])
    per_seen = (len(arrays["task.seen_ids"]), arrays["task.seen_means"].shape[-1])
    expected = {
        "task.semantics": (n_known, condition_dim),
        "task.seen_means": per_seen,
        "task.seen_variances": per_seen,
        "semantic_space.projection": (len(arrays["semantic_space.centre"]), condition_dim),
        "classifier.bias": (n_places,),
    }
    for name, shape in expected.items():
        if name in arrays and tuple(arrays[name].shape) != shape:
            raise ValueError(f"{name!r} has the shape {tuple(arrays[name].shape)}, and {shape} fits the others")
    if "classifier.weight" in arrays and len(arrays["classifier.weight"]) != n_places:
        raise ValueError(f"'classifier.weight' has {len(arrays['classifier.weight'])} rows for {n_places} classes")
    if arrays["n_fitted"] > n_places or (arrays["places"] >= n_places).any():
        raise ValueError("'places' lead beyond the classes")


def train_recogniser(
    view: TrainingView,
    model_name: str,
    model_class: type[TrainedModel],
    settings: Mapping[str, Any],
    *,
    seed: int,
    device: torch.device,
    on_progress: Callable[[Progress], None] | None = None,
    keeper: Keeper | None = None,
) -> TrainedRecogniser:
    """Train a model; a generative one then synthesises unseen samples, on which the final classifier is fitted.

    Args:
        view: All that training may see.
        model_name: The model's name in the zoo.
        model_class: The model.
        settings: Its settings that differ from the defaults.
        seed: Decides every random number.
        device: Where to train.
        on_progress: Told how training goes.
        keeper: Keeps the state of the training.

    Raises:
        UnknownNameError: If there is no such setting.
        ConfigError: If a setting has a wrong value.
        TrainingError: If training diverges, or memory does not suffice.
    """
    return_freed_memory()
    config = build(model_class.Config, settings)
    products = resolve_precision(config.precision, device)
    clock = Clock()

    feature_space = FeatureSpace.fit(
        *view.some_rows(),
        config.feature_space,
        n_components=config.n_components,
        shrinkage=config.shrinkage,
        power=config.feature_power,
        equal_lengths=config.equal_lengths,
    )
    known_ids = np.arange(len(view.semantics)) if config.unseen_semantics else view.seen_ids
    semantic_space = SemanticSpace.fit(
        view.semantics[known_ids], config.semantic_power, centring=config.semantic_centring
    )
    features = space_points(view, feature_space, device)
    labels = _ids(view.labels, device)
    # Where all classes are known, their ids are their places: one copy of many labels is enough.
    all_known = len(known_ids) == len(view.semantics)
    known_labels = labels if all_known else _ids(np.searchsorted(known_ids, view.labels), device)
    conditions = _tensor(semantic_space.transform(view.semantics), device)
    task = _task(feature_space, conditions, view, known_ids, features, labels)
    clock.lap("preparation")

    streams = Streams(seed, device)
    with freed_memory_kept(), _fitting_memory(config, "batch_size", "hidden_dim"):
        model = model_class(task, config, streams)
        rows = Rows(features, known_labels, task.semantics)
        loop = Loop(model, model.plan(), rows, streams, compiled=config.compiled)
        with multiplied_in(products, model), fast_float32(device):
            loop.run(on_progress, keeper=keeper, max_seconds=config.max_seconds or math.inf)
    model.eval()
    clock.lap("training")

    classifier = None
    if isinstance(model, GenerativeModel):
        unseen_ids = _ids(view.unseen_ids, device)
        with _fitting_memory(config, "n_synthetic"):
            synthetic = synthesized(model, conditions[unseen_ids], streams)
            clock.lap("synthesis")
            classifier = fit_classifier(model, features, labels, synthetic, unseen_ids, streams)
        clock.lap("classifier")
    return TrainedRecogniser(
        model_name=model_name,
        feature_space=feature_space,
        semantic_space=semantic_space,
        task=task,
        model=model,
        conditions=conditions,
        classifier=classifier,
        places=torch.arange(len(conditions), device=device),
        n_fitted=len(conditions),
        seconds=clock.seconds,
        updates={
            stage.name: {"planned": stage.n_steps, "done": n_done}
            for stage, n_done in zip(loop.plan.stages, loop.n_done, strict=True)
        },
    )


@contextmanager
def _fitting_memory(config: ModelConfig, *fields: str) -> Iterator[None]:
    """Name the settings to lower where memory runs out."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        large = [f"{field} (now {getattr(config, field)})" for field in fields if hasattr(config, field)]
        raise TrainingError(
            "there is not enough memory for this training", remedy=f"Lower {' or '.join(large)}."
        ) from error


def _task(
    feature_space: FeatureSpace,
    conditions: Tensor,
    view: TrainingView,
    known_ids: Ids,
    features: SpacePoints,
    labels: Tensor,
) -> Task:
    device = labels.device
    means, variances = class_moments(features, labels, _ids(view.seen_ids, device))
    unseen_known = np.intersect1d(view.unseen_ids, known_ids)
    return Task(
        kind=feature_space.kind,
        semantics=conditions[_ids(known_ids, device)],
        seen_ids=_ids(np.searchsorted(known_ids, view.seen_ids), device),
        unseen_ids=_ids(np.searchsorted(known_ids, unseen_known), device),
        seen_means=means,
        seen_variances=variances,
    )


def _own(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy what was read from a file: there it may lie at an address that makes sums come out another way."""
    return tensor.to(device, copy=True)


def _tensor(array: NDArray[Any], device: torch.device) -> Tensor:
    return torch.tensor(array, dtype=torch.float32, device=device)


def _ids(array: Ids, device: torch.device) -> Tensor:
    return torch.tensor(array, dtype=torch.int64, device=device)
