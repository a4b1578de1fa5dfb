import numpy as np
import pytest
import torch

from zslearn.losses.semantic_decoding import weighted_absolute_error


def test_parity_with_numpy_for_each_seed():
    decoded, semantics = np.random.default_rng(0).normal(size=(2, 3, 6, 4))
    gaps = decoded - semantics
    weights = gaps**2 / np.sqrt((gaps**2).sum(axis=-1, keepdims=True))
    expected = (weights * np.abs(gaps)).sum(axis=-1).mean(axis=-1)
    found = weighted_absolute_error(torch.tensor(decoded), torch.tensor(semantics))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_no_gap_costs_nothing_and_pulls_nowhere():
    decoded = torch.ones(2, 3, requires_grad=True)
    loss = weighted_absolute_error(decoded, torch.ones(2, 3))
    assert loss.item() == 0
    (gradient,) = torch.autograd.grad(loss, decoded)
    assert not gradient.any()


def test_gradient():
    rng = torch.Generator().manual_seed(0)
    decoded, semantics = torch.randn(2, 3, 4, dtype=torch.float64, generator=rng)
    assert torch.autograd.gradcheck(lambda each: weighted_absolute_error(each, semantics), (decoded.requires_grad_(),))


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_it_grows_with_the_square_of_the_gap(scale):
    gaps = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    once, scaled = (weighted_absolute_error(each, torch.zeros(4, 5)).item() for each in (gaps, scale * gaps))
    assert scaled == pytest.approx(scale**2 * once, rel=1e-5)
