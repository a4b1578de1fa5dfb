"""What embedding models share: settings, the plan of one stage, and a bilinear map for those that are one."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from zslearn.configuration import Range
from zslearn.models.base import ModelConfig, Task, TrainedModel
from zslearn.nets import Linear
from zslearn.tensors import ClassSemantics, FeatureBatch, ScoreBatch
from zslearn.training.plan import Phase, Plan, Stage, Step, Terms
from zslearn.training.streams import Streams


@dataclass(frozen=True, kw_only=True)
class EmbeddingConfig(ModelConfig):
    """Settings that every embedding model has."""

    feature_space: Literal["whitened", "unit", "standard", "auto"] = "standard"
    """Where the model works: principal components whitened within classes; features scaled to [0, 1] (unit) or to
    mean 0 and deviation 1 (standard); or one of the latter two by whether features are ever negative (auto)."""
    semantic_centring: bool = False
    """Whether semantics are centred and rotated to their principal axes; off, they are L2-normalised only."""
    unseen_semantics: bool = False
    """Whether training may use the semantics of unseen classes. These methods have no use for them but to centre, and
    DAP for its thresholds."""
    n_updates: Annotated[int, Range(1)] = 1000
    """Updates."""
    batch_size: Annotated[int, Range(2)] = 128
    """Samples in an update."""
    learning_rate: Annotated[float, Range(0, low_open=True)] = 1e-3
    """Adam's step size; it falls to 0 along half a cosine."""
    weight_decay: Annotated[float, Range(0)] = 0.0
    """Decoupled weight decay."""


class EmbeddingModel(TrainedModel):
    """A model that compares samples with classes directly; it samples nothing and needs no final classifier.

    A subclass has its networks in ``embedding`` and one ``loss``.
    """

    Config: ClassVar[type[EmbeddingConfig]]
    config: EmbeddingConfig

    def plan(self) -> Plan:
        """One stage of one phase."""
        config = self.config
        phase = Phase(
            name="embedding",
            trains=("embedding",),
            loss=self.loss,
            learning_rate=config.learning_rate,
            betas=(0.9, 0.999),
            weight_decay=config.weight_decay,
            cosine=True,
        )
        stage = Stage(name="embedding", phases=(phase,), n_steps=config.n_updates, batch_size=config.batch_size)
        return Plan((stage,))

    @abstractmethod
    def loss(self, step: Step) -> Terms:
        """The terms that are minimised."""

    @abstractmethod
    def semantic_scores(self, features: FeatureBatch, semantics: ClassSemantics) -> ScoreBatch:
        """Score samples against classes; each class's score depends on its own condition vector alone."""


class BilinearModel(EmbeddingModel):
    """Compatibility of a sample with a class as ``x' W a``."""

    def __init__(self, task: Task, config: Any, streams: Streams) -> None:
        super().__init__(task, config, streams)
        self.embedding = Linear(task.feature_dim, task.semantic_dim, streams, "bilinear", bias=False)

    def semantic_scores(self, features: FeatureBatch, semantics: ClassSemantics) -> ScoreBatch:
        """Return the compatibilities."""
        return self.embedding(features) @ semantics.transpose(-1, -2)

    def seen_scores(self, step: Step) -> ScoreBatch:
        """Return the compatibilities of a batch with the seen classes."""
        return self.semantic_scores(step.features, self.task.semantics[self.task.seen_ids])
