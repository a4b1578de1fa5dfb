from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax

from zslearn.losses import distillation

SHAPES = [(1, 2), (7, 5)]


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_softened_divergence_parity_with_numpy(shape, temperature):
    teacher, student = draw(*shape), draw(*shape, seed=1)
    taught, learned = softmax(teacher / temperature, axis=1), softmax(student / temperature, axis=1)
    expected = temperature**2 * (taught * np.log(taught / learned)).sum(axis=1).mean()
    loss = distillation.softened_divergence(torch.tensor(teacher), torch.tensor(student), temperature)
    assert loss.item() == pytest.approx(expected, rel=1e-10)
    assert loss.item() > 0


def test_softened_divergence_is_zero_at_equality_and_blind_to_a_shift_per_sample():
    scores = torch.tensor(draw(4, 6))
    assert distillation.softened_divergence(scores, scores, 2.0).item() == 0
    shifted = scores + torch.tensor(draw(4, 1, seed=1))
    assert distillation.softened_divergence(scores, shifted, 2.0).item() == pytest.approx(0, abs=1e-14)


def test_the_size_of_the_slope_hardly_depends_on_the_temperature():
    teacher, student = torch.tensor(draw(4, 6)), torch.tensor(draw(4, 6, seed=1)).requires_grad_()
    norms = [
        torch.autograd.grad(distillation.softened_divergence(teacher, student, temperature), student)[0].norm()
        for temperature in (50.0, 100.0)
    ]
    assert norms[0] / norms[1] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("shape", SHAPES)
def test_feature_gap_parity_with_numpy(shape):
    student, teacher = draw(*shape), draw(*shape, seed=1)
    expected = np.mean([(a - b) @ (a - b) for a, b in zip(student, teacher, strict=True)])
    loss = distillation.feature_gap(torch.tensor(student), torch.tensor(teacher))
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    assert distillation.feature_gap(torch.tensor(teacher), torch.tensor(student)) == loss


def relative_distances(view):
    distances = np.sqrt(((view[:, None] - view[None]) ** 2).sum(axis=-1))
    return distances / distances[~np.eye(len(view), dtype=bool)].mean()


@pytest.mark.parametrize("batch", [2, 3, 9])
def test_relational_gap_parity_with_numpy(batch):
    student, teacher = draw(batch, 4), draw(batch, 6, seed=1)
    expected = ((relative_distances(student) - relative_distances(teacher)) ** 2).mean()
    loss = distillation.relational_gap(torch.tensor(student), torch.tensor(teacher))
    assert loss.item() == pytest.approx(expected, rel=1e-8, abs=1e-15)


def test_relational_gap_sees_neither_rotation_nor_scale_nor_shift():
    view = draw(8, 5)
    rotation = np.linalg.qr(draw(5, 5, seed=1))[0]
    moved = torch.tensor(3.7 * view @ rotation + 1.5)
    assert distillation.relational_gap(torch.tensor(view), moved).item() == pytest.approx(0, abs=1e-12)
    other = torch.tensor(draw(8, 5, seed=2))
    assert distillation.relational_gap(moved, other).item() == pytest.approx(
        distillation.relational_gap(torch.tensor(view), other).item(), rel=1e-8
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("student", ["one sample", "duplicates", "all the same"])
def test_relational_gap_has_finite_slopes_at_the_edges(student, dtype):
    rows = {
        "one sample": torch.randn(1, 4),
        "duplicates": torch.randn(3, 4)[[0, 0, 1, 2]],
        "all the same": torch.ones(5, 4),
    }[student].to(dtype)
    rows.requires_grad_()
    loss = distillation.relational_gap(rows, torch.randn(len(rows), 3, dtype=dtype))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(rows.grad).all()


@pytest.mark.parametrize(
    "loss",
    [
        lambda a, b: distillation.softened_divergence(a, b, 2.0),
        distillation.feature_gap,
        distillation.relational_gap,
    ],
)
def test_a_leading_seed_dimension_equals_single_results_and_gradients_are_right(loss):
    student, teacher = torch.tensor(draw(2, 3, 4, 5))
    alone = [loss(*pair) for pair in zip(student, teacher, strict=True)]
    torch.testing.assert_close(loss(student, teacher), torch.stack(alone))
    assert torch.autograd.gradcheck(loss, (student[0].requires_grad_(), teacher[0].requires_grad_()))


def test_unit_cross_entropy_parity_with_numpy():
    teacher, student = draw(7, 5), draw(7, 5, seed=1)
    shares = [softmax(each / np.linalg.norm(each, axis=1, keepdims=True), axis=1) for each in (teacher, student)]
    expected = -(shares[0] * np.log(shares[1])).sum(axis=1).mean()
    loss = distillation.unit_cross_entropy(torch.tensor(teacher), torch.tensor(student))
    assert loss.item() == pytest.approx(expected, rel=1e-10)


def angles(view):
    cosines = np.zeros((len(view),) * 3)
    for i, j, k in np.ndindex(cosines.shape):
        ways = view[j] - view[i], view[k] - view[i]
        lengths = np.linalg.norm(ways[0]) * np.linalg.norm(ways[1])
        cosines[i, j, k] = ways[0] @ ways[1] / lengths if lengths > 0 else 0.0
    return cosines


@pytest.mark.parametrize("repeated", [False, True])
def test_angular_gap_parity_with_numpy(repeated):
    student, teacher = draw(6, 4), draw(6, 3, seed=1)
    if repeated:
        student[3], teacher[2] = student[0], teacher[5]
    expected = ((angles(student) - angles(teacher)) ** 2).mean()
    tensors = [torch.tensor(each, requires_grad=True) for each in (student, teacher)]
    loss = distillation.angular_gap(*tensors)
    assert loss.item() == pytest.approx(expected, rel=1e-10)
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(loss, tensors))


def test_angular_gap_is_blind_to_scale_and_place_and_keeps_seeds_apart():
    views = torch.tensor(draw(2, 6, 4))
    assert distillation.angular_gap(views, 3.0 * views + 1.0).max() < 1e-20
    others = torch.tensor(draw(2, 6, 3, seed=1))
    alone = [distillation.angular_gap(*each) for each in zip(views, others, strict=True)]
    torch.testing.assert_close(distillation.angular_gap(views, others), torch.stack(alone))
