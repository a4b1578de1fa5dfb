import numpy as np
import pytest
import torch

from zslearn.losses import distillation as kd

RNG = np.random.default_rng(0)


def softmax(values):
    shares = np.exp(values - values.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("softness", [1.0, 2.0, 4.0])
def test_softened_divergence_equals_numpy(softness):
    teacher, student = RNG.normal(size=(5, 6)) * 10, RNG.normal(size=(5, 6)) * 10
    p, q = softmax(teacher / softness), softmax(student / softness)
    expected = softness**2 * np.mean(np.sum(p * (np.log(p) - np.log(q)), axis=1))
    found = kd.softened_divergence(torch.tensor(teacher), torch.tensor(student), softness)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_softened_divergence_is_zero_for_a_perfect_student():
    scores = torch.tensor(RNG.normal(size=(5, 6)))
    assert kd.softened_divergence(scores, scores + 3.0, 2.0).abs().item() < 1e-12


def test_softness_keeps_the_size_of_the_gradient():
    teacher = torch.tensor(RNG.normal(size=(50, 6)) * 0.01)
    sizes = []
    for softness in (1.0, 10.0):
        student = torch.zeros(50, 6, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(kd.softened_divergence(teacher, student, softness), student)
        sizes.append(gradient.norm().item())
    assert sizes[1] == pytest.approx(sizes[0], rel=0.02)


def test_feature_gap_equals_numpy():
    a, b = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
    np.testing.assert_allclose(kd.feature_gap(torch.tensor(a), torch.tensor(b)), np.mean(((a - b) ** 2).sum(axis=1)))


def relative_distances(view):
    n = len(view)
    distances = np.array([[np.linalg.norm(a - b) for b in view] for a in view])
    return distances / (distances.sum() / (n * (n - 1)))


def test_relational_gap_equals_numpy():
    student, teacher = RNG.normal(size=(6, 4)), RNG.normal(size=(6, 9))
    expected = np.mean((relative_distances(student) - relative_distances(teacher)) ** 2)
    found = kd.relational_gap(torch.tensor(student), torch.tensor(teacher))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_relational_gap_ignores_scale_rotation_and_shift():
    student = RNG.normal(size=(6, 4))
    rotation = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
    moved = 3.0 * student @ rotation + 5.0
    assert kd.relational_gap(torch.tensor(moved), torch.tensor(student)).item() < 1e-12


def test_relational_gap_has_a_finite_gradient_where_samples_coincide():
    student = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
    gap = kd.relational_gap(student, torch.tensor(RNG.normal(size=(4, 3))))
    (gradient,) = torch.autograd.grad(gap, student)
    assert gradient.isfinite().all()
