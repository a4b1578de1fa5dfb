"""How a model is trained, as data: a plan of stages, a stage of phases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from zslearn.tensors import FeatureBatch, LabelBatch, SemanticBatch
from zslearn.training.streams import Streams

Terms = Mapping[str, Tensor]
"""Named terms of a loss, already weighted; each is a scalar, or one number per seed."""


@dataclass(frozen=True)
class Step:
    """What one execution of a phase may look at.

    Attributes:
        features: Real training features in the model's feature space.
        semantics: The condition vector of each row's class.
        labels: The class id of each row.
        progress: The share of the stage that is done, from 0 to just under 1.
        streams: Where the randomness of each row comes from; ``streams.whole`` is for what does not belong to one row.
    """

    features: FeatureBatch
    semantics: SemanticBatch
    labels: LabelBatch
    progress: float
    streams: Streams


Loss = Callable[[Step], Terms]
"""What a phase minimises the sum of."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One kind of update.

    Attributes:
        name: Names the phase in the history and in errors.
        trains: Names of the model's sub-modules whose parameters this phase moves, and no others.
        loss: Computes the terms whose sum is minimised.
        repeats: How many updates in a row, each on a batch of its own.
        learning_rate: Adam's step size.
        own_rates: The step sizes of the sub-modules whose is another one, by name.
        betas: Adam's decay rates of the first and second moment.
        weight_decay: Decoupled weight decay.
        cosine: Whether the step size falls to 0 along half a cosine over the stage.
        divisible: Whether the loss of a batch is the mean over equal parts of it, so that processes can share it; not
            where rows are compared with each other. Then each process computes the whole batch.
    """

    name: str
    trains: tuple[str, ...]
    loss: Loss
    repeats: int = 1
    learning_rate: float = 1e-3
    own_rates: Mapping[str, float] = field(default_factory=dict)
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 0.0
    cosine: bool = False
    divisible: bool = True


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A number of steps, each of which executes all phases in order.

    Attributes:
        name: Names the stage in the history and in the record.
        phases: What one step does.
        n_steps: How many steps; 0 skips the stage.
        batch_size: Rows in a batch.
        average: Names of sub-modules whose weights become, at the end of the stage, the exponential moving
            average over its steps.
        decay: Decay of that average per step, in [0, 1); it starts lower, so that the first weights are soon forgotten.
    """

    name: str
    phases: tuple[Phase, ...]
    n_steps: int
    batch_size: int
    average: tuple[str, ...] = ()
    decay: float = 0.999


@dataclass(frozen=True)
class Plan:
    """The stages of a training.

    Attributes:
        stages: Executed in order.
    """

    stages: tuple[Stage, ...]

    @property
    def n_steps(self) -> int:
        """The steps of all stages together."""
        return sum(stage.n_steps for stage in self.stages)
