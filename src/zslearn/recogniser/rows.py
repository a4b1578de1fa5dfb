"""Training rows where a fit wants them: all in the feature space, or read and mapped a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from zslearn.data.dataset import TrainingView
from zslearn.data.mapped import MappedRows, memory_bytes
from zslearn.models.base import GenerativeModel, sample_classes
from zslearn.spaces import FeatureSpace
from zslearn.training.streams import Streams

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class SpaceRows:
    """Rows of a file as points of the feature space, read and mapped when they are asked for.

    Attributes:
        features: The rows.
        space: Maps them.
        device: Where the points arrive.
    """

    features: MappedRows
    space: FeatureSpace
    device: torch.device

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, which: Tensor) -> Tensor:
        """Return the points of the rows with the given numbers, in the shape of these."""
        read = self.features[which.flatten().cpu().numpy()]
        return torch.from_numpy(self.space.transform(read)).to(self.device).unflatten(0, which.shape)


SpacePoints = Float[Tensor, "n_rows space_dim"] | SpaceRows
"""Rows in the feature space: all of them, or what reads them."""


@dataclass(frozen=True)
class Synthesis:
    """Samples of classes that are drawn when they are asked for, each time anew.

    Attributes:
        model: Draws what a classifier reads of them.
        conditions: The condition vector of each class.
        n_samples: How many of each class there are to be.
        streams: Where all randomness comes from.
    """

    model: GenerativeModel
    conditions: Tensor
    n_samples: int
    streams: Streams

    @torch.no_grad()
    def __getitem__(self, which: Tensor) -> Tensor:
        """Draw samples with the given numbers, which count those of the first class, then of the second, and so on."""
        return self.model.sample_inputs(self.conditions[which // self.n_samples], self.streams)

    def class_means(self) -> Float[Tensor, "n_classes input_dim"]:
        """Return the mean of each class's samples."""
        means = [
            sample_classes(self.model.sample_inputs, row[None], self.n_samples, self.streams).mean(dim=1)
            for row in self.conditions
        ]
        return torch.cat(means)


SyntheticSamples = Float[Tensor, "n_classes n_samples input_dim"] | Synthesis
"""What a classifier reads of synthetic samples: of all of them, or of some when it asks."""


@dataclass(frozen=True)
class SeenAndSynthetic:
    """What a classifier reads of real seen and of synthetic unseen samples, made when it is asked for.

    Attributes:
        model: Represents the real samples.
        seen: The real samples.
        synthetic: The synthetic ones.
        streams: Draws what is random in representing.
    """

    model: GenerativeModel
    seen: SpacePoints
    synthetic: SyntheticSamples
    streams: Streams

    @property
    def device(self) -> torch.device:
        """Where they arrive."""
        return self.seen.device

    @property
    def shape(self) -> tuple[int, int]:
        """How many there are, and their size."""
        first = self.model.represent(self.seen[torch.zeros(1, dtype=torch.int64)])
        synthetic = self.synthetic
        n_synthetic = (
            synthetic.shape[0] * synthetic.shape[1]
            if isinstance(synthetic, Tensor)
            else len(synthetic.conditions) * synthetic.n_samples
        )
        return len(self.seen) + n_synthetic, first.shape[-1]

    @torch.no_grad()
    def __getitem__(self, which: Tensor) -> Tensor:
        """Return samples with the given numbers: first the real ones, then those of each unseen class."""
        real, numbers = which < len(self.seen), which - len(self.seen)
        flat = self.synthetic.flatten(0, 1) if isinstance(self.synthetic, Tensor) else self.synthetic
        drawn = flat[numbers[~real]]
        inputs = drawn.new_empty(len(which), drawn.shape[-1])
        inputs[~real] = drawn
        inputs[real] = self.model.represent(self.seen[which[real]], self.streams)
        return inputs


def space_points(view: TrainingView, space: FeatureSpace, device: torch.device) -> SpacePoints:
    """Return the training rows as points of the feature space."""
    if isinstance(view.features, MappedRows):
        return SpaceRows(view.features, space, device)
    return torch.tensor(space.transform(view.features), dtype=torch.float32, device=device)


def in_blocks(points: SpacePoints) -> Iterator[tuple[slice, Tensor]]:
    """Yield all points with their place; those that are read from a file some at a time."""
    if isinstance(points, Tensor):
        yield slice(0, len(points)), points
        return
    for start in range(0, len(points), _ROWS_AT_ONCE):
        place = slice(start, min(start + _ROWS_AT_ONCE, len(points)))
        yield place, points[torch.arange(place.start, place.stop)]


def synthesized(model: GenerativeModel, conditions: Tensor, streams: Streams) -> SyntheticSamples:
    """Draw what the final classifier reads of synthetic samples, or where these would take much memory, put it off.

    Args:
        model: The trained model, whose settings tell how many.
        conditions: The condition vector of each class, ``[n_classes, semantic_dim]``.
        streams: Where all randomness comes from.
    """
    n_samples = model.config.n_synthetic
    with torch.no_grad():
        input_dim = model.sample_inputs(conditions[:1], Streams(0, conditions.device)).shape[-1]
    if 4 * len(conditions) * n_samples * input_dim > memory_bytes():
        return Synthesis(model, conditions, n_samples, streams)
    return sample_classes(model.sample_inputs, conditions, n_samples, streams)


def class_moments(
    points: SpacePoints,
    labels: Tensor,
    class_ids: Tensor,
    represent: Callable[[Tensor], Tensor] = lambda points: points,
) -> tuple[Float[Tensor, "n_ids dim"], Float[Tensor, "n_ids dim"]]:
    """Return mean and variance of each class's rows, per dimension.

    Args:
        points: The rows.
        labels: Their classes, ``[n_rows]``.
        class_ids: The classes wanted, ``[n_ids]``, sorted; each has a row.
        represent: Applied to the points first.
    """
    if isinstance(points, Tensor):
        rows = represent(points)
        order = labels.argsort(stable=True)
        bounds = torch.searchsorted(labels[order], torch.stack([class_ids, class_ids + 1], dim=1)).tolist()
        moments = [torch.var_mean(rows[order[start:end]], dim=0, correction=0) for start, end in bounds]
        return torch.stack([mean for _, mean in moments]), torch.stack([variance for variance, _ in moments])
    counts = torch.bincount(torch.searchsorted(class_ids, labels), minlength=len(class_ids))[:, None]
    dim = represent(points[torch.zeros(1, dtype=torch.int64)]).shape[-1]
    sums, squares = (torch.zeros(len(class_ids), dim, dtype=torch.float64, device=labels.device) for _ in range(2))
    for place, block in in_blocks(points):
        rows, ranks = represent(block).double(), torch.searchsorted(class_ids, labels[place])
        sums.index_add_(0, ranks, rows)
        squares.index_add_(0, ranks, rows.square())
    means = sums / counts
    return means.float(), (squares / counts - means.square()).clamp_min(0.0).float()
