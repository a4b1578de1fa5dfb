"""Small networks that models share.

Weights may carry a leading seed dimension: then inputs do too, and each seed's slice is a network of its own.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from zslearn.training.streams import Streams

_SLOPE = 0.2


class Linear(nn.Module):
    """An affine layer, ``x W^T + b``.

    Starts uniform in +-1/sqrt(in_dim), weights and bias alike.

    Args:
        in_dim: Size of an input.
        out_dim: Size of an output.
        streams: Draws the first weights; its number of seeds is the layer's.
        name: The stream to draw them from.
        bias: Whether there is a ``b``.
    """

    def __init__(self, in_dim: int, out_dim: int, streams: Streams, name: str, *, bias: bool = True) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(in_dim)
        self.weight = nn.Parameter((2.0 * streams.uniform(f"init/{name}", out_dim, in_dim) - 1.0) * bound)
        self.bias = nn.Parameter((2.0 * streams.uniform(f"init/{name}", 1, out_dim) - 1.0) * bound) if bias else None

    def forward(self, inputs: Tensor) -> Tensor:
        """Map ``[*seeds, batch, in_dim]`` to ``[*seeds, batch, out_dim]``."""
        if self.weight.dim() == 2:
            return functional.linear(inputs, self.weight, None if self.bias is None else self.bias[0])
        if self.bias is None:
            return inputs @ self.weight.transpose(-1, -2)
        return torch.baddbmm(self.bias, inputs, self.weight.transpose(-1, -2))


def activation(inputs: Tensor) -> Tensor:
    """Leaky rectifier with slope 0.2, the field's usual one."""
    return functional.leaky_relu(inputs, _SLOPE)


class Perceptron(nn.Module):
    """Affine layers with leaky rectifiers between them.

    Args:
        sizes: Sizes of input, hidden layers and output.
        streams: Draws the first weights.
        name: The stream to draw them from.
        last_bias: Whether the output layer has a bias; a critic's would cancel in every difference of scores.
    """

    def __init__(self, sizes: tuple[int, ...], streams: Streams, name: str, *, last_bias: bool = True) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(sizes))
        self.layers = nn.ModuleList(
            Linear(in_dim, out_dim, streams, f"{name}/{index}", bias=last_bias or index < len(pairs) - 1)
            for index, (in_dim, out_dim) in enumerate(pairs)
        )

    def forward(self, *inputs: Tensor) -> Tensor:
        """Map the concatenated inputs through all layers."""
        hidden = inputs[0] if len(inputs) == 1 else torch.cat(inputs, dim=-1)
        for index, layer in enumerate(self.layers):
            hidden = layer(hidden if index == 0 else activation(hidden))
        return hidden


class Encoder(nn.Module):
    """E: a sample and its class to a Gaussian over latents, with the hidden layer that R shares.

    The visual and the semantic part of the first layer are kept apart, so that the hidden view of a sample
    alone, ``h(x)``, is the encoder's own.
    """

    def __init__(self, feature_dim: int, semantic_dim: int, hidden_dim: int, latent_dim: int, streams: Streams) -> None:
        super().__init__()
        self.visual = Linear(feature_dim, hidden_dim, streams, "encoder/visual")
        self.semantic = Linear(semantic_dim, hidden_dim, streams, "encoder/semantic", bias=False)
        self.mean = Linear(hidden_dim, latent_dim, streams, "encoder/mean")
        self.log_variance = Linear(hidden_dim, latent_dim, streams, "encoder/log_variance")

    def forward(self, features: Tensor, semantics: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the latent, each ``[*seeds, batch, latent_dim]``."""
        hidden = activation(self.visual(features) + self.semantic(semantics))
        return self.mean(hidden), self.log_variance(hidden)

    def view(self, features: Tensor) -> Tensor:
        """Return ``h(x)``, the hidden layer on the sample alone, ``[*seeds, batch, hidden_dim]``."""
        return activation(self.visual(features))


class Projector(nn.Module):
    """A sample to a point in semantic space, through one hidden layer: the teacher's shape."""

    def __init__(self, feature_dim: int, hidden_dim: int, semantic_dim: int, streams: Streams, name: str) -> None:
        super().__init__()
        self.visual = Linear(feature_dim, hidden_dim, streams, f"{name}/visual")
        self.head = Linear(hidden_dim, semantic_dim, streams, f"{name}/head")

    def forward(self, features: Tensor) -> Tensor:
        """Return the projection, ``[*seeds, batch, semantic_dim]``."""
        return self.head(self.view(features))

    def view(self, features: Tensor) -> Tensor:
        """Return the hidden layer, ``[*seeds, batch, hidden_dim]``."""
        return activation(self.visual(features))
