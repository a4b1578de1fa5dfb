"""A trained recogniser: generator, spaces and final classifier, fitted to one training view."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from zslearn.classifiers.linear import LinearClassifier, gaussian_classifier, train_newcomers, train_softmax
from zslearn.configuration import build
from zslearn.data.dataset import TrainingView
from zslearn.errors import DataError
from zslearn.models import model_entry
from zslearn.models.base import GenerativeConfig, GenerativeModel, Task, sample_classes
from zslearn.shapes import Features, Ids, Scores, Semantics
from zslearn.spaces import FeatureSpace, SemanticSpace
from zslearn.training.allocator import keep_freed_memory
from zslearn.training.loop import Loop, Progress, Rows
from zslearn.training.streams import Streams

_SCORED_AT_ONCE = 8192
_PLACES_AT_ONCE = 32
"""How many places the tables grow by when classes are added."""
_MOST_OLD_SAMPLES = 20_000
"""How many samples of the classes that are there already a newcomer's column is fitted against, about."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Recogniser:
    """Scores samples against classes, and synthesises samples of any class with semantics.

    What is known of a class lies at its *place* in two tables. The classes of the fit fill one block of places, those
    that are added later fill further blocks of a fixed size. A block is always scored as a whole, its empty places
    (zeros) too: so the scores of a class have the same bits whichever others come and go.

    Attributes:
        model_name: The model's name in the zoo.
        feature_space: Where the model works.
        semantic_space: Turns raw semantics into conditions.
        task: What the training knew.
        model: The trained generative model.
        conditions: The condition vector at every place, ``[n_places, condition_dim]``.
        classifier: The final classifier, a column per place.
        places: The place of every class id, ``[n_classes]``.
        n_fitted: The number of places that the fit filled.
        seconds: How long each stage of the fit took.
    """

    model_name: str
    feature_space: FeatureSpace
    semantic_space: SemanticSpace
    task: Task
    model: GenerativeModel
    conditions: Tensor
    classifier: LinearClassifier
    places: Tensor
    n_fitted: int
    seconds: dict[str, float]

    @property
    def config(self) -> GenerativeConfig:
        """The model's settings."""
        return self.model.config

    def scores(self, features: Features) -> Scores:
        """Return one score per row and class id, in float64; larger is better.

        It is the final classifier's score plus that of the model's own semantic view, where it has one.

        Args:
            features: Raw features, ``[n_rows, feature_dim]``; read in blocks.
        """
        scores = np.empty((len(features), len(self.places)))
        with torch.no_grad():
            for start in range(0, len(features), _SCORED_AT_ONCE):
                rows = slice(start, start + _SCORED_AT_ONCE)
                mapped = self._to_space(features[rows])
                scores[rows] = self._mapped_scores(mapped)[:, self.places].cpu().numpy()
        return scores

    def _mapped_scores(self, mapped: Tensor) -> Tensor:
        """Score rows in the feature space at every place, a block of places at a time."""
        inputs = self.model.represent(mapped)
        scored = []
        for block in self._blocks():
            scores = self.classifier.columns(block)(inputs)
            semantic = self.model.semantic_scores(mapped, self.conditions[block])
            scored.append(scores if semantic is None else scores + semantic)
        return torch.cat(scored, dim=1)

    def _blocks(self) -> Iterator[slice]:
        yield slice(0, self.n_fitted)
        for start in range(self.n_fitted, len(self.conditions), _PLACES_AT_ONCE):
            yield slice(start, start + _PLACES_AT_ONCE)

    def with_classes(self, semantics: Semantics, seeds: Sequence[int]) -> Recogniser:
        """Return a recogniser that knows more classes, without training the generator.

        The old classes keep their ids, the new ones get the next; no score of an old class changes a bit. A Gaussian
        classifier takes the mean of the samples synthesised of a new class. A softmax classifier gets a new column,
        trained with the settings of the fit to tell these samples from those that the generator draws of the classes
        that are there already, whose columns stand as they are.

        Args:
            semantics: Raw semantics, one row per new class.
            seeds: Draws the samples of each of them.
        """
        conditions = _tensor(self.semantic_space.transform(semantics), self.conditions.device)
        synthetic = torch.cat(
            [
                sample_classes(self.model.sample_inputs, row[None], self.config.n_synthetic, Streams(seed, row.device))
                for row, seed in zip(conditions, seeds, strict=True)
            ]
        )
        columns = self._newcomers(synthetic, seeds[0])
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

        return replace(
            self,
            conditions=placed(self.conditions, conditions),
            classifier=LinearClassifier(
                placed(self.classifier.weight.detach(), columns.weight.detach()),
                placed(self.classifier.bias.detach(), columns.bias.detach()),
            ),
            places=torch.cat([self.places, new_places]),
        )

    def without_classes(self, class_ids: Ids) -> Recogniser:
        """Return a recogniser that has forgotten some classes; the other ids close up and keep their scores' bits."""
        kept = np.setdiff1d(np.arange(len(self.places)), class_ids)
        places = self.places[_ids(kept, self.places.device)]

        def emptied(old: Tensor) -> Tensor:
            table = torch.zeros_like(old)
            table[places] = old[places]
            return table

        return replace(
            self,
            conditions=emptied(self.conditions),
            classifier=LinearClassifier(
                emptied(self.classifier.weight.detach()), emptied(self.classifier.bias.detach())
            ),
            places=places,
        )

    def _newcomers(self, synthetic: Float[Tensor, "n_new n_samples input_dim"], seed: int) -> LinearClassifier:
        """Fit the columns of new classes beside those that are there."""
        config = self.config
        if config.classifier == "gaussian":
            return gaussian_classifier(synthetic.mean(dim=1), config.gaussian_variance)
        streams = Streams(seed, synthetic.device)
        n_each = max(1, min(config.n_synthetic, _MOST_OLD_SAMPLES // len(self.places)))
        inputs = synthetic.flatten(0, 1)
        old = sample_classes(self.model.sample_inputs, self.conditions[self.places], n_each, streams).flatten(0, 1)
        with torch.no_grad():
            columns = self.classifier.columns(self.places)
            old_scores = torch.cat([columns(old), columns(inputs)]).logsumexp(dim=1)
        # Fewer samples of the old classes than of the new ones would make the new ones look too likely.
        old_scores -= math.log(config.n_synthetic / n_each)
        n_new = len(synthetic)
        n_rows = torch.tensor([len(old), *[config.n_synthetic] * n_new], device=synthetic.device)
        return train_newcomers(
            torch.cat([old, inputs]),
            old_scores,
            torch.arange(1 + n_new, device=synthetic.device).repeat_interleave(n_rows),
            n_new,
            streams,
            epochs=config.classifier_epochs,
            learning_rate=config.classifier_learning_rate,
            weight_decay=config.classifier_weight_decay,
        )

    def synthesize(self, semantics: Semantics, n_samples: int, seed: int) -> NDArray[np.float32]:
        """Draw samples of classes, as raw features.

        Args:
            semantics: Raw semantics, ``[n_classes, semantic_dim]``.
            n_samples: How many of each.
            seed: Same seed, same samples.

        Returns:
            ``[n_classes, n_samples, feature_dim]``.
        """
        device = self.task.semantics.device
        conditions = _tensor(self.semantic_space.transform(semantics), device)
        drawn = sample_classes(self.model.sample, conditions, n_samples, Streams(seed, device))
        return self.feature_space.inverse(drawn.cpu().numpy())

    def arrays(self) -> dict[str, Tensor]:
        """Return all that ``restore`` needs besides the settings, as named tensors on the host."""
        named = {
            **{
                f"feature_space.{name}": torch.from_numpy(array)
                for name in _FEATURE_SPACE_ARRAYS
                if (array := getattr(self.feature_space, name)) is not None
            },
            "semantic_space.centre": torch.from_numpy(self.semantic_space.centre),
            "semantic_space.projection": torch.from_numpy(self.semantic_space.projection),
            "conditions": self.conditions,
            "places": self.places,
            "n_fitted": torch.tensor(self.n_fitted),
            **{f"task.{name}": getattr(self.task, name) for name in _TASK_TENSORS},
            **{f"model.{name}": tensor for name, tensor in self.model.state_dict().items()},
            **{f"classifier.{name}": tensor for name, tensor in self.classifier.state_dict().items()},
        }
        return {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()}

    @classmethod
    def restore(
        cls,
        model_name: str,
        settings: Mapping[str, Any],
        kind: str,
        arrays: Mapping[str, Tensor],
        device: torch.device,
    ) -> Recogniser:
        """Rebuild a recogniser from what ``arrays`` returned.

        Raises:
            DataError: If a tensor is missing or has a wrong shape.
        """
        model_class = model_entry(model_name).load()
        try:
            on_device = {name: arrays[f"task.{name}"].to(device) for name in _TASK_TENSORS}
            task = Task(kind=kind, **on_device)  # type: ignore[arg-type]
            model = model_class(task, build(model_class.Config, settings), Streams(0, device))
            model.load_state_dict(_below("model.", arrays))
            classifier = LinearClassifier(*(_own(arrays[f"classifier.{name}"], device) for name in ("weight", "bias")))
            return cls(
                model_name=model_name,
                feature_space=FeatureSpace(
                    kind=kind,  # type: ignore[arg-type]
                    **{
                        name: arrays[f"feature_space.{name}"].numpy()
                        for name in _FEATURE_SPACE_ARRAYS
                        if f"feature_space.{name}" in arrays
                    },
                ),
                semantic_space=SemanticSpace(
                    centre=arrays["semantic_space.centre"].numpy(),
                    projection=arrays["semantic_space.projection"].numpy(),
                ),
                task=task,
                model=model.eval(),
                conditions=_own(arrays["conditions"], device),
                classifier=classifier,
                places=arrays["places"].to(device),
                n_fitted=int(arrays["n_fitted"]),
                seconds={},
            )
        except (KeyError, RuntimeError, IndexError) as error:
            raise DataError(
                "the saved tensors do not belong to this model",
                received=str(error).splitlines()[0],
                remedy="Save the model again with this version of zslearn.",
            ) from error

    def _to_space(self, features: Features) -> Tensor:
        return _tensor(self.feature_space.transform(features), self.task.semantics.device)


_FEATURE_SPACE_ARRAYS = ("centre", "scale", "projection", "expansion")
_TASK_TENSORS = ("semantics", "seen_ids", "unseen_ids", "seen_means", "seen_variances")


def fit_recogniser(
    view: TrainingView,
    model_name: str,
    settings: Mapping[str, Any],
    *,
    seed: int,
    device: torch.device,
    on_progress: Callable[[Progress], None] | None = None,
) -> Recogniser:
    """Train a generative model, synthesise unseen samples, and train the final classifier.

    Args:
        view: All that training may see.
        model_name: A generative model of the zoo.
        settings: Its settings that differ from the defaults.
        seed: Decides every random number.
        device: Where to train.
        on_progress: Told how training goes.

    Raises:
        UnknownNameError: If there is no such model or setting.
        ConfigError: If a setting has a wrong value.
        TrainingError: If training diverges.
    """
    keep_freed_memory()
    model_class = model_entry(model_name).load()
    config = build(model_class.Config, settings)
    clock = _Clock()

    feature_space = FeatureSpace.fit(
        view.features,
        view.labels,
        config.feature_space,
        n_components=config.n_components,
        shrinkage=config.shrinkage,
    )
    known_ids = np.arange(len(view.semantics)) if config.unseen_semantics else view.seen_ids
    semantic_space = SemanticSpace.fit(
        view.semantics[known_ids], config.semantic_power, centring=config.semantic_centring
    )
    features = _tensor(feature_space.transform(view.features), device)
    labels = _ids(view.labels, device)
    known_labels = _ids(np.searchsorted(known_ids, view.labels), device)
    conditions = _tensor(semantic_space.transform(view.semantics), device)
    task = _task(feature_space, conditions, view, known_ids, features, labels)
    clock.lap("preparation")

    streams = Streams(seed, device)
    model = model_class(task, config, streams)
    Loop(model, model.plan(), Rows(features, known_labels, task.semantics), streams).run(on_progress)
    model.eval()
    clock.lap("training")

    unseen_ids = _ids(view.unseen_ids, device)
    synthetic = sample_classes(model.sample_inputs, conditions[unseen_ids], config.n_synthetic, streams)
    clock.lap("synthesis")

    classifier = _fit_classifier(model, config, features, labels, synthetic, view, streams)
    clock.lap("classifier")
    return Recogniser(
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
    )


def _fit_classifier(
    model: GenerativeModel,
    config: GenerativeConfig,
    features: Tensor,
    labels: Tensor,
    synthetic: Float[Tensor, "n_unseen n_samples input_dim"],
    view: TrainingView,
    streams: Streams,
) -> LinearClassifier:
    """Fit the final classifier to what it reads of real seen and of synthetic unseen samples."""
    device, n_classes = features.device, len(view.semantics)
    seen_ids, unseen_ids = _ids(view.seen_ids, device), _ids(view.unseen_ids, device)
    with torch.no_grad():
        real = model.represent(features, streams)
    if config.classifier == "gaussian":
        means = torch.empty(n_classes, real.shape[1], device=device)
        means[seen_ids] = _class_moments(real, labels, seen_ids)[0]
        means[unseen_ids] = synthetic.mean(dim=1)
        return gaussian_classifier(means, config.gaussian_variance)
    return train_softmax(
        torch.cat([real, synthetic.flatten(0, 1)]),
        torch.cat([labels, unseen_ids.repeat_interleave(config.n_synthetic)]),
        n_classes,
        streams,
        epochs=config.classifier_epochs,
        learning_rate=config.classifier_learning_rate,
        weight_decay=config.classifier_weight_decay,
    )


class _Clock:
    """Names the time since the last lap."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


def _task(
    feature_space: FeatureSpace,
    conditions: Tensor,
    view: TrainingView,
    known_ids: Ids,
    features: Tensor,
    labels: Tensor,
) -> Task:
    device = features.device
    means, variances = _class_moments(features, labels, _ids(view.seen_ids, device))
    unseen_known = np.intersect1d(view.unseen_ids, known_ids)
    return Task(
        kind=feature_space.kind,
        semantics=conditions[_ids(known_ids, device)],
        seen_ids=_ids(np.searchsorted(known_ids, view.seen_ids), device),
        unseen_ids=_ids(np.searchsorted(known_ids, unseen_known), device),
        seen_means=means,
        seen_variances=variances,
    )


def _class_moments(rows: Tensor, labels: Tensor, class_ids: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each class's rows, per dimension."""
    moments = [torch.var_mean(rows[labels == class_id], dim=0, correction=0) for class_id in class_ids]
    return torch.stack([mean for _, mean in moments]), torch.stack([variance for variance, _ in moments])


def _own(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy what was read from a file: there it may lie at an address that makes sums come out another way."""
    return tensor.to(device, copy=True)


def _below(prefix: str, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in arrays.items() if name.startswith(prefix)}


def _tensor(array: NDArray[Any], device: torch.device) -> Tensor:
    return torch.tensor(array, dtype=torch.float32, device=device)


def _ids(array: Ids, device: torch.device) -> Tensor:
    return torch.tensor(array, dtype=torch.int64, device=device)
