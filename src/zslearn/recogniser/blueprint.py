"""The networks that settings describe, compared with saved tensors before memory is taken for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from zslearn.models.base import ModelConfig, Task, TrainedModel
from zslearn.training.streams import Streams


class _NoDraws(Streams):
    """Gives every draw its shape and nothing else."""

    def __init__(self) -> None:
        super().__init__(0, "meta")

    def around_zero(self, name: str, bound: float, *shape: int) -> Tensor:
        # Calculating without numbers makes torch load its compiler first, which takes seconds.
        return self.uniform(name, *shape)

    def _named(self, name: str) -> list[Any]:
        return [None]


def check_networks(
    model_class: type[TrainedModel], task: Task, config: ModelConfig, tensors: Mapping[str, Tensor]
) -> None:
    """Compare the networks of a model with tensors; settings from strangers may ask for more than any memory holds.

    Args:
        model_class: The model.
        task: The classes and their statistics.
        config: The settings.
        tensors: What should be the model's state.

    Raises:
        ValueError: If a tensor is missing, superfluous or of another shape.
        RuntimeError: If no network can have these sizes.
    """
    with torch.device("meta"):
        described = _described(model_class, task, config)
    strange = sorted(described.keys() ^ tensors.keys())
    if strange:
        raise ValueError(f"the settings and the tensors differ in {strange[0]!r}")
    for name, tensor in described.items():
        if tensor.shape != tensors[name].shape:
            raise ValueError(
                f"the settings make {name!r} of shape {tuple(tensor.shape)}, and it is {tuple(tensors[name].shape)}"
            )


def _described(model_class: type[TrainedModel], task: Task, config: ModelConfig) -> Mapping[str, Tensor]:
    """Return the state of networks without weights.

    The statistics are at hand and keep their numbers: calculating without any takes torch seconds to prepare. A model
    whose networks read them as it is made gets statistics without numbers too.
    """
    try:
        return model_class(task, config, _NoDraws()).state_dict()
    except RuntimeError:
        bare = {
            field.name: value.to("meta")
            for field in fields(task)
            if isinstance(value := getattr(task, field.name), Tensor)
        }
        return model_class(replace(task, **bare), config, _NoDraws()).state_dict()  # type: ignore[arg-type]
