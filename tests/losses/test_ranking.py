import numpy as np
import pytest
import torch

from zslearn.losses.ranking import hinge, rank_weighted_hinge, violations

MARGIN = 0.7


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return rng.normal(size=(11, 6)), rng.integers(6, size=11)


def violations_by_definition(scores, labels):
    table = np.zeros_like(scores)
    for row, (own, label) in enumerate(zip(scores, labels, strict=True)):
        for other in range(scores.shape[1]):
            if other != label:
                table[row, other] = max(0.0, MARGIN + own[other] - own[label])
    return table


def tensors(batch):
    scores, labels = batch
    return torch.tensor(scores, requires_grad=True), torch.tensor(labels)


def test_both_losses_equal_their_definitions(batch):
    table = violations_by_definition(*batch)
    scores, labels = tensors(batch)
    np.testing.assert_allclose(violations(scores, labels, MARGIN).detach(), table)
    np.testing.assert_allclose(hinge(scores, labels, MARGIN).item(), table.sum(axis=1).mean())
    weighted = []
    for row in table:
        r = int((row > 0).sum())
        beta = sum(1 / i for i in range(1, r + 1))
        weighted.append(beta / r * row.sum() if r else 0.0)
    np.testing.assert_allclose(rank_weighted_hinge(scores, labels, MARGIN).item(), np.mean(weighted))


def test_rows_without_violation_cost_nothing_and_move_nothing():
    scores = torch.tensor([[5.0, 0.0, 1.0]], requires_grad=True)
    for loss in (hinge, rank_weighted_hinge):
        (gradient,) = torch.autograd.grad(loss(scores, torch.tensor([0]), MARGIN), scores)
        assert loss(scores, torch.tensor([0]), MARGIN).item() == 0.0
        assert (gradient == 0).all()


def test_the_gradient_pulls_the_right_class_up_and_violators_down(batch):
    table = violations_by_definition(*batch)
    scores, labels = tensors(batch)
    (gradient,) = torch.autograd.grad(hinge(scores, labels, MARGIN), scores)
    expected = (table > 0).astype(float)
    expected[np.arange(len(table)), batch[1]] = -(table > 0).sum(axis=1)
    np.testing.assert_allclose(gradient, expected / len(table), atol=1e-12)


@pytest.mark.parametrize("loss", [hinge, rank_weighted_hinge])
def test_a_leading_seed_dimension_survives(batch, loss):
    scores, labels = tensors(batch)
    both = loss(torch.stack([scores, 2 * scores]), torch.stack([labels, labels]), MARGIN)
    np.testing.assert_allclose(
        both.detach(), [loss(scores, labels, MARGIN).item(), loss(2 * scores, labels, MARGIN).item()]
    )
