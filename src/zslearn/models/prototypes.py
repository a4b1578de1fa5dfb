"""Class means regressed from semantics: where a generator starts from."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zslearn.models.base import Task
from zslearn.tensors import FeatureBatch, SemanticBatch


class Prototypes(nn.Module):
    """Ridge regression from condition vectors to class means, in closed form; nothing here is trained.

    Args:
        task: The classes and their statistics.
        ridge: Ridge on condition vectors of unit length, > 0.
    """

    weight: Float[Tensor, "semantic_dim feature_dim"]
    centre: Float[Tensor, " feature_dim"]

    def __init__(self, task: Task, ridge: float) -> None:
        super().__init__()
        conditions = task.semantics[task.seen_ids].double()
        means = task.seen_means.double()
        centre = means.mean(dim=0)
        gram = conditions @ conditions.T
        gram.diagonal().add_(ridge)
        # The dual form: there are fewer seen classes than feature dimensions.
        weight = conditions.T @ torch.linalg.solve(gram, means - centre)
        self.register_buffer("weight", weight.to(task.semantics.dtype))
        self.register_buffer("centre", centre.to(task.semantics.dtype))

    def forward(self, semantics: SemanticBatch) -> FeatureBatch:
        """Return the regressed class mean of each condition vector."""
        return semantics @ self.weight + self.centre
