"""Small networks that models share.

Weights may carry a leading seed dimension: then inputs do too, and each seed's slice is a network of its own.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from zslearn.one_layer import SLOPE, OneLayer
from zslearn.training.streams import Streams


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

    products: torch.dtype | None = None
    """The type in which matrices are multiplied, where it is not that of the weights; see ``multiplied_in``."""

    def __init__(self, in_dim: int, out_dim: int, streams: Streams, name: str, *, bias: bool = True) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(in_dim)
        self.weight = nn.Parameter(streams.around_zero(f"init/{name}", bound, out_dim, in_dim))
        self.bias = nn.Parameter(streams.around_zero(f"init/{name}", bound, 1, out_dim)) if bias else None

    def forward(self, *inputs: Tensor) -> Tensor:
        """Map the concatenated inputs, ``[*seeds, batch, in_dim]``, to ``[*seeds, batch, out_dim]``.

        One that repeats a single row, as an expanded tensor does, goes through its columns once.
        """
        if any(map(_repeats, inputs)):
            parts = zip(inputs, self.columns(*(each.shape[-1] for each in inputs)), strict=True)
            products = (self._product(_once(each), part) for each, part in parts)
            outputs = functools.reduce(torch.add, products if self.bias is None else (self.bias, *products))
            return outputs.expand(*outputs.shape[:-2], inputs[0].shape[-2], -1)
        joined = inputs[0] if len(inputs) == 1 else torch.cat(inputs, dim=-1)
        if self.products is not None:
            outputs = self._product(joined, self.weight)
            return outputs if self.bias is None else outputs + self.bias
        if self.weight.dim() == 2:
            return functional.linear(joined, self.weight, None if self.bias is None else self.bias[0])
        if self.bias is None:
            return joined @ self.weight.transpose(-1, -2)
        return torch.baddbmm(self.bias, joined, self.weight.transpose(-1, -2))

    def columns(self, *sizes: int) -> tuple[Tensor, ...]:
        """Return the columns of ``W`` that belong to inputs of these sizes."""
        return self.weight.split(sizes, dim=-1)

    def _product(self, inputs: Tensor, weight: Tensor) -> Tensor:
        products = self.products or weight.dtype
        return (inputs.to(products) @ weight.to(products).mT).to(weight.dtype)


@contextmanager
def multiplied_in(products: torch.dtype, model: nn.Module) -> Iterator[None]:
    """Let the layers of a model multiply in another type for a while; weights, sums and all else keep theirs."""
    layers = [module for module in model.modules() if isinstance(module, Linear)]
    for layer in layers:
        layer.products = None if products is layer.weight.dtype else products
    try:
        yield
    finally:
        for layer in layers:
            layer.products = None


def _repeats(inputs: Tensor) -> bool:
    return inputs.shape[-2] > 1 and inputs.stride(-2) == 0


def _once(inputs: Tensor) -> Tensor:
    return inputs[..., :1, :] if _repeats(inputs) else inputs


def activation(inputs: Tensor) -> Tensor:
    """Leaky rectifier with slope 0.2, the field's usual one, of inputs of any shape."""
    return functional.leaky_relu(inputs, SLOPE)


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
        first, *others = self.layers
        hidden = first(*inputs)
        for layer in others:
            hidden = layer(activation(hidden))
        return hidden

    @property
    def n_hidden(self) -> int:
        """The number of hidden layers."""
        return len(self.layers) - 1

    def between(self, start: Tensor, end: Tensor, condition: Tensor, mix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the outputs at two samples of one condition, and the slope at a point between them, in one pass.

        Only for one hidden layer and one output without a bias; nothing is differentiated twice (``one_layer``).

        Args:
            start: Samples, ``[*seeds, batch, sample_dim]``.
            end: As many others.
            condition: What is concatenated with both, ``[*seeds, batch, condition_dim]``.
            mix: Where between the two, 0 to 1, the slope is taken, ``[*seeds, batch, 1]``.

        Returns:
            The outputs at the start and at the end, ``[*seeds, batch, 1]``, and the slope, ``[*seeds, batch,
            sample_dim]``.
        """
        first, last = cast("tuple[Linear, Linear]", tuple(self.layers))
        bias = torch.zeros_like(last.weight) if first.bias is None else first.bias
        outcome: tuple[Tensor, Tensor, Tensor] = OneLayer.apply(  # type: ignore[no-untyped-call]
            first.weight, bias, last.weight, start, end, condition, mix, first.products or start.dtype
        )
        return outcome


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
