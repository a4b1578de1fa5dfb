"""Two outputs of a network with one hidden layer, and its slope between them, written down instead of differentiated.

``f(x) = w . act(V x + A a + b)`` has the slope ``V^T (w * act'(V x + A a + b))`` with respect to ``x``. The rectifier's
slope is constant almost everywhere, so that what a loss on the slope changes in ``V`` and ``w`` is again a product, and
no graph is differentiated twice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

SLOPE = 0.2
"""The leaky rectifier's slope below 0."""


class OneLayer(torch.autograd.Function):
    """Outputs at two samples of one condition, and the slope at a point between them.

    Before its rectifier the layer is linear: its value between two samples lies between its values at both, and the
    condition goes through it once for all three. The gradient of ``V`` is one product over all of them. Samples,
    condition and mix get none.
    """

    @staticmethod
    def forward(
        ctx: Any,
        weight: Tensor,
        bias: Tensor,
        last_weight: Tensor,
        start: Tensor,
        end: Tensor,
        condition: Tensor,
        mix: Tensor,
        products: torch.dtype,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the outputs at the start and at the end, ``[*seeds, batch, 1]``, and the slope.

        Args:
            ctx: Keeps what the gradient needs.
            weight: ``[V A]``, ``[*seeds, hidden_dim, sample_dim + condition_dim]``.
            bias: ``b``, ``[*seeds, 1, hidden_dim]``.
            last_weight: ``w``, ``[*seeds, 1, hidden_dim]``.
            start: Samples, ``[*seeds, batch, sample_dim]``.
            end: As many others.
            condition: What goes with both, ``[*seeds, batch, condition_dim]``.
            mix: Where between the two, 0 to 1, the slope is taken, ``[*seeds, batch, 1]``.
            products: The type in which matrices are multiplied.
        """
        of_samples, of_condition = weight.to(products).split((start.shape[-1], condition.shape[-1]), dim=-1)
        samples, condition = torch.cat([start, end], dim=-2).to(products), condition.to(products)
        shared = (condition @ of_condition.mT).to(bias.dtype) + bias
        hidden = (samples @ of_samples.mT).to(bias.dtype).unflatten(-2, (2, -1)) + shared.unsqueeze(-3)
        at_start, at_end = hidden.unbind(-3)
        steep = _slope(torch.lerp(at_start, at_end, mix))
        slope = ((steep * last_weight).to(products) @ of_samples).to(bias.dtype)
        ctx.save_for_backward(of_samples, last_weight, samples, condition, hidden, steep)
        at_start, at_end = (functional.leaky_relu(hidden, SLOPE) @ last_weight.mT.unsqueeze(-3)).unbind(-3)
        return at_start, at_end, slope

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, at_start: Tensor, at_end: Tensor, slope: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of weight, bias and last weight."""
        of_samples, last_weight, samples, condition, hidden, steep = ctx.saved_tensors
        products = of_samples.dtype
        outputs = torch.stack([at_start, at_end], dim=-3)
        of_hidden = outputs * last_weight.unsqueeze(-3) * _slope(hidden)
        together, slope = of_hidden.sum(-3), slope.to(products)
        left = torch.cat([of_hidden.flatten(-3, -2), steep * last_weight], dim=-2).to(products)
        of_weight = torch.cat(
            [left.mT @ torch.cat([samples, slope], dim=-2), together.to(products).mT @ condition], dim=-1
        ).to(last_weight.dtype)
        of_last = (outputs * functional.leaky_relu(hidden, SLOPE)).sum((-3, -2)) + (
            steep * (slope @ of_samples.mT).to(steep.dtype)
        ).sum(-2)
        return of_weight, together.sum(-2, keepdim=True), of_last.unsqueeze(-2), None, None, None, None, None


def _slope(inputs: Tensor) -> Tensor:
    return torch.where(inputs > 0, 1.0, SLOPE).to(inputs.dtype)
