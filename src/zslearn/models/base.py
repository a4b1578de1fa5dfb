"""What a trained model knows of its data, and what it has to offer in return."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from zslearn.configuration import Range
from zslearn.errors import ConfigError
from zslearn.spaces import FeatureSpaceKind
from zslearn.tensors import (
    ClassSemantics,
    FeatureBatch,
    HiddenBatch,
    InputBatch,
    LabelBatch,
    ScoreBatch,
    SemanticBatch,
)
from zslearn.training.plan import Plan
from zslearn.training.streams import Streams


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Settings that every trained model has: the spaces in which it works."""

    feature_space: Literal["whitened", "unit", "standard", "auto"] = "whitened"
    """Where the model works: principal components whitened within classes; features scaled to [0, 1] (unit) or to
    mean 0 and deviation 1 (standard); or one of the latter two by whether features are ever negative (auto)."""
    n_components: Annotated[int, Range(1)] = 512
    """Principal components that the whitened space keeps, at most."""
    shrinkage: Annotated[float, Range(0, 1)] = 0.5
    """Weight of the spherical target in the shrunk covariance that whitening divides by."""
    feature_power: Annotated[float, Range(0, 1, low_open=True)] = 0.5
    """Power to which non-negative features are raised before they are whitened: 0.5 evens out how far strongly and
    weakly active features scatter, 1 leaves them. Signed features stay as they are."""
    equal_lengths: bool = True
    """Whether rows of the whitened space are brought to one length, so that only their direction counts."""
    semantic_centring: bool = True
    """Whether semantics are centred and rotated to their principal axes; off, they are L2-normalised only."""
    semantic_power: Annotated[float, Range(0, 1)] = 0.5
    """Power to which the strengths of the semantics' principal axes are raised: 1 keeps their geometry."""
    unseen_semantics: bool = True
    """Whether training may use the semantics of unseen classes. Off, they enter afterwards alone."""
    precision: Literal["auto", "float32", "bf16"] = "float32"
    """How layers multiply in training: bf16 rounds what is multiplied to 8 bits, which saves time in wide networks on
    processors and GPUs that have it; weights, sums and losses stay float32. auto takes it where whole runs were shown
    to be as good: nowhere yet."""
    compiled: bool = False
    """Whether torch.compile turns losses and their gradients into kernels of their own, which takes minutes first and
    was of no use on processors. What cannot be compiled is computed as it is."""
    max_seconds: Annotated[float, Range(0)] = 0.0
    """Seconds after which a training stops where it stands, for comparisons at equal time; 0 sets no limit. Where the
    limit is met, the same seed no longer gives the same bits."""


@dataclass(frozen=True, kw_only=True)
class GenerativeConfig(ModelConfig):
    """Settings that every generative model has."""

    n_synthetic: Annotated[int, Range(1)] = 200
    """Samples synthesised for each unseen class to fit the final classifier."""
    classifier: Literal["gaussian", "softmax"] = "gaussian"
    """The final classifier: Gaussians of one common variance around the class means, or a trained linear softmax."""
    gaussian_variance: Annotated[float, Range(0, low_open=True)] = 2.0
    """Common variance of the Gaussians per dimension, in the feature space: how far to trust their verdict beside
    that of the semantic view."""
    classifier_input: Literal["features", "encoded"] = "features"
    """What the final classifier reads: features, or features beside the encoder's hidden view of them."""
    classifier_epochs: Annotated[int, Range(1)] = 25
    """Passes of the softmax classifier over real seen and synthetic unseen samples."""
    classifier_batch_size: Annotated[int, Range(1)] = 256
    """Samples in an update of the softmax classifier."""
    classifier_learning_rate: Annotated[float, Range(0, low_open=True)] = 1e-3
    """Step size of the softmax classifier."""
    classifier_weight_decay: Annotated[float, Range(0)] = 0.0
    """Decoupled weight decay of the softmax classifier."""


@dataclass(frozen=True)
class Task:
    """What training knows: the classes' semantics and the statistics of the seen ones.

    Class ids count the rows of ``semantics``. Where unseen semantics are not to be used in training,
    ``semantics`` holds the seen classes alone and ``unseen_ids`` is empty.

    Attributes:
        kind: The feature space, which decides how generators end.
        semantics: Centred, normalised condition vectors, one row per known class.
        seen_ids: The classes with training rows.
        unseen_ids: The known classes without.
        seen_means: Mean of each seen class in the feature space, in the order of ``seen_ids``.
        seen_variances: Its variance per dimension.
    """

    kind: FeatureSpaceKind
    semantics: ClassSemantics
    seen_ids: Int[Tensor, " n_seen"]
    unseen_ids: Int[Tensor, " n_unseen"]
    seen_means: Float[Tensor, "n_seen feature_dim"]
    seen_variances: Float[Tensor, "n_seen feature_dim"]

    @property
    def feature_dim(self) -> int:
        """The size of a sample."""
        return self.seen_means.shape[1]

    @property
    def semantic_dim(self) -> int:
        """The size of a condition vector."""
        return self.semantics.shape[1]

    @property
    def deviation(self) -> Float[Tensor, ""]:
        """The standard deviation within seen classes, over all dimensions."""
        return self.seen_variances.mean().sqrt()

    @property
    def n_seen(self) -> int:
        """The number of seen classes."""
        return self.seen_ids.shape[0]

    @property
    def n_unseen(self) -> int:
        """The number of unseen classes known in training."""
        return self.unseen_ids.shape[0]

    def seen_ranks(self, labels: LabelBatch) -> LabelBatch:
        """Return the position of each label among the sorted seen classes."""
        return torch.searchsorted(self.seen_ids, labels.contiguous())


def memberships(ranks: LabelBatch, n_classes: int) -> Bool[Tensor, "*seeds n_classes batch"]:
    """Say for each class which rows of a batch are its own, without making the host wait as ``one_hot`` may."""
    return ranks.unsqueeze(-2) == torch.arange(n_classes, device=ranks.device).unsqueeze(-1)


class TrainedModel(nn.Module, ABC):
    """A model whose networks a plan trains on seen classes.

    A subclass builds its networks in ``__init__``, after this one's, and knows no optimiser, device, file or loop.

    Args:
        task: The classes and their statistics.
        config: The settings, of the class named by ``Config``.
        streams: Draws the first weights.
    """

    Config: ClassVar[type[ModelConfig]]
    config: ModelConfig
    task: Task

    def __init__(self, task: Task, config: Any, streams: Streams) -> None:
        super().__init__()
        self.task = task
        self.config = config

    @classmethod
    def alternatives(cls, *, n_rows: int, feature_dim: int, non_negative: bool) -> tuple[Mapping[str, Any], ...]:
        """Settings among which a rehearsal chooses, the one to take without a rehearsal first.

        What the user sets stands in every alternative.

        Args:
            n_rows: Training samples.
            feature_dim: Size of a sample.
            non_negative: Whether no training feature is negative.
        """
        return ({},)

    @abstractmethod
    def plan(self) -> Plan:
        """Who is trained, by which loss, how often."""

    def semantic_scores(self, features: FeatureBatch, semantics: ClassSemantics) -> ScoreBatch | None:
        """Score samples against classes by the model's own semantic view of them, where it has one.

        Each class's score must not depend on which other classes are asked for.
        """
        return None


class GenerativeModel(TrainedModel):
    """A model that learns from seen classes to sample features of any class with semantics."""

    Config: ClassVar[type[GenerativeConfig]]
    config: GenerativeConfig

    @abstractmethod
    def sample(self, semantics: SemanticBatch, streams: Streams) -> FeatureBatch:
        """Draw one sample per condition vector, in the feature space; gradients reach the generator."""

    def represent(self, features: FeatureBatch, streams: Streams | None = None) -> InputBatch:
        """Return what the final classifier reads of samples, real or synthetic.

        Args:
            features: Samples in the feature space.
            streams: Draws what is random about it, while the classifier is fitted; None for its mean.
        """
        if self.config.classifier_input == "features":
            return features
        return torch.cat([features, self.view(features)], dim=-1)

    def sample_inputs(self, semantics: SemanticBatch, streams: Streams) -> InputBatch:
        """Draw one classifier input per condition vector: here, what it would read of a sample."""
        return self.represent(self.sample(semantics, streams), streams)

    def view(self, features: FeatureBatch) -> HiddenBatch:
        """Return the encoder's hidden view of samples, for classifiers on encoded features.

        Raises:
            ConfigError: If the model has no such encoder.
        """
        raise ConfigError(
            f"{type(self).__name__} has no encoder that reads samples alone",
            remedy="Set classifier_input to features.",
        )


def sample_classes(
    sample: Callable[[SemanticBatch, Streams], Tensor], semantics: ClassSemantics, n_samples: int, streams: Streams
) -> Float[Tensor, "*seeds n_classes n_samples sample_dim"]:
    """Draw ``n_samples`` of each class, without gradients, one class at a time to bound the memory.

    Args:
        sample: A model's ``sample`` or ``sample_inputs``.
        semantics: The condition vector of each class.
        n_samples: How many of each.
        streams: Where all randomness comes from.
    """
    with torch.no_grad():
        drawn = [sample(row.expand(*streams.leading, n_samples, -1), streams) for row in semantics.unbind(0)]
    return torch.stack(drawn, dim=-3)
