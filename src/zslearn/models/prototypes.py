"""Class means regressed from semantics: where a generator starts from, and how far to trust semantics."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zslearn.models.base import Task
from zslearn.tensors import FeatureBatch, PerSeed, SemanticBatch

_MOST_DUAL = 1024
"""With more seen classes than this, the regression is solved in the size of their semantics instead of their number."""

Solved = tuple[Float[Tensor, "semantic_dim feature_dim"], Float[Tensor, "n_seen feature_dim"]]
"""The weights, and by how much each class's mean would be missed without its own row."""


class Prototypes(nn.Module):
    """Ridge regression from condition vectors to class means, in closed form; nothing here is trained.

    Args:
        task: The classes and their statistics.
        ridge: Ridge on condition vectors of unit length, > 0.

    Attributes:
        left_out: The mean of each seen class as regressed from all other seen classes, in the order of the task's
            ``seen_ids``: how a class looks from semantics when nobody gave an example of it. The centre is still that
            of all seen classes, the class itself among them.
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
        solve = _solve_dual if len(conditions) <= _MOST_DUAL else _solve_primal
        weight, left_out_errors = solve(conditions, means - centre, ridge)
        left_out = means - left_out_errors
        for name, tensor in {
            "weight": weight,
            "centre": centre,
            "left_out": left_out,
            "error": (left_out - means).square().sum(dim=1).mean(),
        }.items():
            self.register_buffer(name, tensor.to(task.semantics.dtype))

    def forward(self, semantics: SemanticBatch) -> FeatureBatch:
        """Return the regressed class mean of each condition vector."""
        return semantics @ self.weight + self.centre


def _solve_dual(conditions: Tensor, targets: Tensor, ridge: float) -> Solved:
    gram = conditions @ conditions.T
    gram.diagonal().add_(ridge)
    inverse = torch.linalg.inv(gram)
    duals = inverse @ targets
    return conditions.T @ duals, duals / inverse.diagonal()[:, None]


def _solve_primal(conditions: Tensor, targets: Tensor, ridge: float) -> Solved:
    gram = conditions.T @ conditions
    gram.diagonal().add_(ridge)
    solved = torch.linalg.solve(gram, conditions.T)
    weight = solved @ targets
    leverage = (conditions * solved.T).sum(dim=1, keepdim=True)
    return weight, (targets - conditions @ weight) / (1.0 - leverage)
