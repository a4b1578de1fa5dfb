"""f-CLSWGAN's updates the way the field writes them: plain torch, from the equations.

What the library's step is compared with, in speed by ``step.py`` and number by number by the tests. The generator draws
a batch of its own, as in the library; most released codes let it reuse the critic's last one. A permutation of all rows
for every batch, copies into buffers, fakes with a graph that is cut off, three backward passes for a critic
whose gradient penalty is differentiated twice, and Adam as it comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional


class Draws(Protocol):
    """Where random numbers come from."""

    def rows(self, n_rows: int, size: int) -> Tensor:
        """The rows of a batch."""

    def noise(self, *shape: int) -> Tensor:
        """Standard normal numbers."""

    def mix(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1)."""


class FieldDraws:
    """Draws as the field's code does."""

    def rows(self, n_rows: int, size: int) -> Tensor:
        """The first places of a permutation of all rows."""
        return torch.randperm(n_rows)[:size]

    def noise(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(*shape)

    def mix(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1)."""
        return torch.rand(*shape)


class Network(nn.Module):
    """One hidden layer of leaky rectifiers on concatenated inputs."""

    def __init__(self, in_dim: int, hidden_dim: int, out_dim: int, *, last_bias: bool = True) -> None:
        super().__init__()
        self.hidden = nn.Linear(in_dim, hidden_dim)
        self.last = nn.Linear(hidden_dim, out_dim, bias=last_bias)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Map a batch."""
        return self.last(functional.leaky_relu(self.hidden(torch.cat([first, second], dim=1)), 0.2))


@dataclass
class EagerFCLSWGAN:
    """Networks, data and optimisers of f-CLSWGAN, and one step of its adversarial training.

    Attributes:
        generator: From noise and semantics to features, before its rectifier.
        critic: From features and semantics to a score.
        classifier: The frozen softmax over seen classes.
        features: Training rows.
        labels: Their classes, counted over the seen ones.
        semantics: One row per seen class.
        draws: Random numbers.
        batch_size: Rows in an update.
        latent_dim: Size of the noise.
        critic_updates: Critic updates before each generator update.
        penalty_weight: Weight of the gradient penalty.
        class_weight: Weight of the classifier's verdict.
        learning_rate: Adam's step size.
    """

    generator: Network
    critic: Network
    classifier: nn.Linear
    features: Tensor
    labels: Tensor
    semantics: Tensor
    draws: Draws
    batch_size: int = 64
    latent_dim: int = 85
    critic_updates: int = 5
    penalty_weight: float = 10.0
    class_weight: float = 0.01
    learning_rate: float = 1e-4

    def __post_init__(self) -> None:
        """Make optimisers and the buffers of a batch."""
        rate, betas = self.learning_rate, (0.5, 0.999)
        self.critic_optimiser = torch.optim.Adam(self.critic.parameters(), lr=rate, betas=betas)
        self.generator_optimiser = torch.optim.Adam(self.generator.parameters(), lr=rate, betas=betas)
        for parameter in self.classifier.parameters():
            parameter.requires_grad_(False)
        self.real = torch.empty(self.batch_size, self.features.shape[1], dtype=self.features.dtype)
        self.condition = torch.empty(self.batch_size, self.semantics.shape[1], dtype=self.semantics.dtype)
        self.label = torch.empty(self.batch_size, dtype=torch.int64)

    def step(self) -> None:
        """The critic's updates and one of the generator."""
        _require_gradients(self.critic.parameters(), True)
        for _ in range(self.critic_updates):
            self.critic_update()
        _require_gradients(self.critic.parameters(), False)
        self.generator_update()

    def critic_update(self) -> None:
        """One update of the critic."""
        self._next_batch()
        self.critic.zero_grad()
        (-self.critic(self.real, self.condition).mean()).backward()
        fake = self._fake().detach()
        self.critic(fake, self.condition).mean().backward()
        mix = self.draws.mix(self.batch_size, 1)
        between = (mix * fake + (1 - mix) * self.real).requires_grad_()
        (slope,) = torch.autograd.grad(
            self.critic(between, self.condition).sum(), between, create_graph=True, retain_graph=True
        )
        (self.penalty_weight * ((slope.norm(2, dim=1) - 1) ** 2).mean()).backward()
        self.critic_optimiser.step()

    def generator_update(self) -> None:
        """One update of the generator."""
        self._next_batch()
        self.generator.zero_grad()
        fake = self._fake()
        verdict = -self.critic(fake, self.condition).mean()
        class_error = functional.cross_entropy(self.classifier(fake), self.label)
        (verdict + self.class_weight * class_error).backward()
        self.generator_optimiser.step()

    def _next_batch(self) -> None:
        rows = self.draws.rows(len(self.features), self.batch_size)
        labels = self.labels[rows]
        self.real.copy_(self.features[rows])
        self.condition.copy_(self.semantics[labels])
        self.label.copy_(labels)

    def _fake(self) -> Tensor:
        noise = self.draws.noise(self.batch_size, self.latent_dim)
        return functional.relu(self.generator(noise, self.condition))


def _require_gradients(parameters: Iterable[nn.Parameter], required: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(required)
