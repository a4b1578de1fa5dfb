"""Where and how training multiplies."""

import numpy as np
import pytest
import torch

from zslearn.devices import fast_float32, has_bf16, resolve_device, resolve_precision
from zslearn.errors import ConfigError, UnknownNameError
from zslearn.nets import Linear, Perceptron, multiplied_in
from zslearn.training.streams import Streams

CPU = torch.device("cpu")
needs_bf16 = pytest.mark.skipif(not has_bf16(CPU), reason="this processor has no bf16")


def rounded(tensor):
    return tensor.detach().to(torch.bfloat16).double().numpy()


def test_auto_takes_a_gpu_where_there_is_one():
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_float32_is_possible_everywhere_and_auto_stays_there_until_more_is_shown():
    assert resolve_precision("float32", CPU) is torch.float32
    assert resolve_precision("auto", CPU) is torch.float32


def test_a_device_without_bf16_is_told_apart():
    with pytest.raises(
        ConfigError, match="bf16 is not supported here .*received meta.*Set precision to float32 or auto"
    ):
        resolve_precision("bf16", torch.device("meta"))
    assert resolve_precision("auto", torch.device("meta")) is torch.float32


@needs_bf16
def test_a_device_with_bf16_gives_it_when_asked():
    assert resolve_precision("bf16", CPU) is torch.bfloat16


def test_other_precisions_are_unknown():
    with pytest.raises(UnknownNameError, match="no precision called 'float16'. Did you mean"):
        resolve_precision("float16", CPU)


def test_on_the_host_float32_stays_float32():
    with fast_float32(CPU):
        assert torch.get_float32_matmul_precision() == "highest"


def test_layers_round_what_they_multiply_and_nothing_else():
    network = Perceptron((5, 4, 3), Streams(0), "network")
    inputs = torch.randn(6, 5)
    before = network(inputs)
    with multiplied_in(torch.bfloat16, network):
        outputs = network(inputs)
    first, last = network.layers
    hidden = rounded(inputs) @ rounded(first.weight).T + first.bias.detach().double().numpy()
    hidden = torch.tensor(np.where(hidden > 0, hidden, 0.2 * hidden), dtype=torch.float32)
    expected = rounded(hidden) @ rounded(last.weight).T + last.bias.detach().double().numpy()
    assert outputs.dtype == torch.float32
    # Sums are kept in float32, but layers hand on what they multiplied in bf16: 8 bits.
    np.testing.assert_allclose(outputs.detach().numpy(), expected, rtol=0, atol=2e-2)
    assert not torch.equal(outputs, before)
    assert torch.equal(network(inputs), before)


def test_gradients_of_layers_that_round_are_float32_and_near():
    layer = Linear(5, 4, Streams(0), "layer")
    inputs = torch.randn(6, 5)

    def gradients():
        return torch.autograd.grad(layer(inputs).square().sum(), list(layer.parameters()))

    exact = gradients()
    with multiplied_in(torch.bfloat16, layer):
        near = gradients()
    for a, b in zip(exact, near, strict=True):
        assert b.dtype == torch.float32
        torch.testing.assert_close(a, b, rtol=0.05, atol=0.05)


def test_an_error_leaves_no_layer_rounding():
    layer = Linear(5, 4, Streams(0), "layer")
    with pytest.raises(ZeroDivisionError), multiplied_in(torch.bfloat16, layer):
        raise ZeroDivisionError
    assert layer.products is None
