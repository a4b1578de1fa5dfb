"""Class means regressed from semantics: where a generator starts from, and how far to trust semantics."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zslearn.models.base import Task
from zslearn.tensors import FeatureBatch, PerSeed, SemanticBatch


class Prototypes(nn.Module):
    """Ridge regression from condition vectors to class means, in closed form; nothing here is trained.

    Args:
        task: The classes and their statistics.
        ridge: Ridge on condition vectors of unit length, > 0.

    Attributes:
        left_out: The mean of each seen class as regressed from all other seen classes, in the order of the task's
            ``seen_ids``: how a class looks from semantics when nobody gave an example of it.
        error: The mean squared distance between these and the real means.
    """

    weight: Float[Tensor, "semantic_dim feature_dim"]
    centre: Float[Tensor, " feature_dim"]
    left_out: Float[Tensor, "n_seen feature_dim"]
    error: PerSeed

    def __init__(self, task: Task, ridge: float) -> None:
        super().__init__()
        conditions = task.semantics[task.seen_ids].double()
        means = task.seen_means.double()
        centre = means.mean(dim=0)
        gram = conditions @ conditions.T
        gram.diagonal().add_(ridge)
        # The dual form: there are fewer seen classes than feature dimensions, and its diagonal gives what each
        # class would be regressed to without its own row.
        inverse = torch.linalg.inv(gram)
        duals = inverse @ (means - centre)
        left_out = means - duals / inverse.diagonal()[:, None]
        for name, tensor in {
            "weight": conditions.T @ duals,
            "centre": centre,
            "left_out": left_out,
            "error": (left_out - means).square().sum(dim=1).mean(),
        }.items():
            self.register_buffer(name, tensor.to(task.semantics.dtype))

    def forward(self, semantics: SemanticBatch) -> FeatureBatch:
        """Return the regressed class mean of each condition vector."""
        return semantics @ self.weight + self.centre
