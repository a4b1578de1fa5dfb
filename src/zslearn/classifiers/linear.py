"""The final classifier: linear scores of every class, from class means or from a trained softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from zslearn.allocator import freed_memory_kept
from zslearn.losses.preservation import class_cross_entropy
from zslearn.tensors import FeatureBatch, ScoreBatch
from zslearn.training.loop import Loop, Rows, RowSource
from zslearn.training.plan import Phase, Plan, Stage, Step, Terms
from zslearn.training.streams import Streams
from zslearn.training.team import ALONE, current_team


@dataclass(frozen=True, kw_only=True)
class SoftmaxTraining:
    """How a softmax classifier is trained.

    Attributes:
        epochs: How often each row is seen on average.
        batch_size: Rows in an update.
        learning_rate: Adam's first step size; it falls to 0 along half a cosine.
        weight_decay: Decoupled weight decay.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float


class LinearClassifier(nn.Module):
    """Linear scores, ``x W^T + b``; each class's score depends on its own row of W and b alone.

    Args:
        weight: One row per class.
        bias: One number per class.
    """

    def __init__(self, weight: Float[Tensor, "n_classes input_dim"], bias: Float[Tensor, " n_classes"]) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias)

    def forward(self, inputs: FeatureBatch) -> ScoreBatch:
        """Return one score per class."""
        return functional.linear(inputs, self.weight, self.bias)

    def columns(self, which: slice | Tensor) -> LinearClassifier:
        """Return the classifier of some classes alone."""
        return LinearClassifier(self.weight.detach()[which], self.bias.detach()[which])


class _Softmax(nn.Module):
    """A linear classifier in training."""

    def __init__(self, input_dim: int, n_classes: int, device: torch.device) -> None:
        super().__init__()
        self.linear = LinearClassifier(
            torch.zeros(n_classes, input_dim, device=device), torch.zeros(n_classes, device=device)
        )

    def loss(self, step: Step) -> Terms:
        scores = self.linear(step.features)
        return {"class": class_cross_entropy(scores, step.labels, temperature=1.0)}


class _Newcomers(_Softmax):
    """The columns of new classes in training; the last input is the joint score of all classes that stay."""

    def loss(self, step: Step) -> Terms:
        inputs, old_scores = step.features[..., :-1], step.features[..., -1:]
        scores = torch.cat([old_scores, self.linear(inputs)], dim=-1)
        return {"class": class_cross_entropy(scores, step.labels, temperature=1.0)}


def gaussian_classifier(means: Float[Tensor, "n_classes input_dim"], variance: float) -> LinearClassifier:
    """Score classes by Gaussian log-likelihood with one spherical covariance shared by all of them.

    Up to what is the same for all classes, ``-|x - mean|^2 / (2 variance)`` is linear in ``x``.

    Args:
        means: The mean of each class: of real samples for seen, of synthetic ones for unseen classes.
        variance: The common variance of every dimension, > 0.
    """
    return LinearClassifier(means / variance, -means.square().sum(dim=1) / (2.0 * variance))


class Inputs(RowSource, Protocol):
    """Rows that are not all in memory, of a known number and size."""

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and their size."""
        ...


def train_softmax(
    inputs: Float[Tensor, "n_rows input_dim"] | Inputs,
    labels: Tensor,
    n_classes: int,
    streams: Streams,
    training: SoftmaxTraining,
) -> LinearClassifier:
    """Train a softmax classifier, from zero, by the common loop.

    Args:
        inputs: Real seen and synthetic unseen samples.
        labels: The class id of each row, ``[n_rows]``.
        n_classes: Number of classes.
        streams: Draws the batches.
        training: How long and in which steps.
    """
    softmax = _Softmax(inputs.shape[1], n_classes, inputs.device)
    _train(softmax, inputs, labels, streams, training)
    return softmax.linear


def train_newcomers(
    inputs: Float[Tensor, "n_rows input_dim"],
    old_scores: Float[Tensor, " n_rows"],
    labels: Tensor,
    n_classes: int,
    streams: Streams,
    training: SoftmaxTraining,
) -> LinearClassifier:
    """Train the columns of new classes as ``train_softmax`` does, beside old columns that stay as they are.

    The loss is the cross-entropy of the softmax over old and new classes, with all old classes taken as one.

    Args:
        inputs: Samples of old and of new classes.
        old_scores: The logarithm of the summed exponentials of each row's scores of the old classes.
        labels: The new class of each row, counted from 1, or 0 for any old class, ``[n_rows]``.
        n_classes: Number of new classes.
        streams: Draws the batches.
        training: How long and in which steps.
    """
    newcomers = _Newcomers(inputs.shape[1], n_classes, inputs.device)
    beside = torch.cat([inputs, old_scores[:, None]], dim=1)
    _train(newcomers, beside, labels, streams, training)
    return newcomers.linear


def _train(
    module: _Softmax,
    inputs: Float[Tensor, "n_rows _dim"] | Inputs,
    labels: Tensor,
    streams: Streams,
    training: SoftmaxTraining,
) -> None:
    phase = Phase(
        name="classifier",
        trains=("linear",),
        loss=module.loss,
        learning_rate=training.learning_rate,
        betas=(0.9, 0.999),
        weight_decay=training.weight_decay,
        cosine=True,
    )
    n_steps = max(1, training.epochs * labels.shape[0] // training.batch_size)
    stage = Stage(name="classifier", phases=(phase,), n_steps=n_steps, batch_size=training.batch_size)
    no_semantics = torch.zeros(int(labels.max()) + 1, 0, device=inputs.device)
    team = current_team()
    # Processes among which a batch cannot be divided do the same work each.
    shared = team if training.batch_size % team.size == 0 else ALONE
    with freed_memory_kept():
        Loop(module, Plan((stage,)), Rows(inputs, labels, no_semantics), streams, team=shared).run()
