"""The teacher of SKD on its own: a projection of features into semantic space, judged by cosine.

Source: the semantic-based teacher that X. Bao et al., IEEE Signal Processing Letters 32 (2025) 2704-2708, name; network
and loss are this library's own, and the same as in SKD. It shows what generation and distillation add to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, final

from zslearn.configuration import Range
from zslearn.losses.preservation import cosine_scores
from zslearn.models.base import Task
from zslearn.models.embedding import EmbeddingConfig, EmbeddingModel
from zslearn.models.terms import TEACHER_TEMPERATURE, noisy, teacher_terms
from zslearn.nets import Projector
from zslearn.tensors import ClassSemantics, FeatureBatch, ScoreBatch
from zslearn.training.plan import Step, Terms
from zslearn.training.streams import Streams


@dataclass(frozen=True, kw_only=True)
class TeacherConfig(EmbeddingConfig):
    """Settings of the teacher; defaults are those of SKD's."""

    feature_space: Literal["whitened", "unit", "standard", "auto"] = "whitened"
    """Where the model works: principal components whitened within classes; features scaled to [0, 1] (unit) or to
    mean 0 and deviation 1 (standard); or one of the latter two by whether features are ever negative (auto)."""
    semantic_centring: bool = True
    """Whether semantics are centred and rotated to their principal axes; off, they are L2-normalised only."""
    unseen_semantics: bool = True
    """Whether the semantics of unseen classes take part in the centring."""
    hidden_dim: Annotated[int, Range(1)] = 512
    """Width of the hidden layer."""
    noise: Annotated[float, Range(0)] = 1.0
    """Noise on the samples in training, in units of the deviation within classes."""


@final
class Teacher(EmbeddingModel):
    """A projection into semantic space.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    Config = TeacherConfig
    config: TeacherConfig

    def __init__(self, task: Task, config: TeacherConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        self.embedding = Projector(task.feature_dim, config.hidden_dim, task.semantic_dim, streams, "teacher")

    def loss(self, step: Step) -> Terms:
        """Cross-entropy of cosines over seen classes, on noisy samples."""
        return teacher_terms(self.embedding(noisy(step, self.task, self.config.noise)), step, self.task)

    def semantic_scores(self, features: FeatureBatch, semantics: ClassSemantics) -> ScoreBatch:
        """Cosines over the temperature that they were trained at."""
        return cosine_scores(self.embedding(features), semantics) / TEACHER_TEMPERATURE
