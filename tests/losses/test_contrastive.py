import numpy as np
import pytest
import torch

from zslearn.losses.contrastive import margin_to_centres, same_class_cross_entropy, supervised_contrast


def reference(views, labels, temperature):
    unit = views / np.linalg.norm(views, axis=1, keepdims=True)
    losses = []
    for i in range(len(unit)):
        others = [j for j in range(len(unit)) if j != i]
        partners = [j for j in others if labels[j] == labels[i]]
        if partners:
            total = np.log(sum(np.exp(unit[i] @ unit[j] / temperature) for j in others))
            losses.append(-np.mean([unit[i] @ unit[j] / temperature - total for j in partners]))
    return np.mean(losses) if losses else 0.0


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("labels", [[0, 1, 0, 2, 1, 0], [0, 0, 0, 0, 0, 0], [0, 1, 2, 3, 4, 4], [0, 1, 2, 3, 4, 5]])
def test_parity_with_numpy(labels, temperature):
    views = np.random.default_rng(0).normal(size=(6, 3))
    found = supervised_contrast(torch.tensor(views), torch.tensor(labels), temperature)
    assert found.item() == pytest.approx(reference(views, labels, temperature), rel=1e-10)


def test_a_leading_seed_dimension_equals_single_results():
    views = torch.randn(2, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[0, 1, 0, 2, 1, 0], [0, 1, 2, 3, 4, 5]])
    alone = [supervised_contrast(*each, 0.5) for each in zip(views, labels, strict=True)]
    torch.testing.assert_close(supervised_contrast(views, labels, 0.5), torch.stack(alone))


def test_gradient():
    views = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.tensor([0, 1, 0, 2, 1])
    assert torch.autograd.gradcheck(lambda each: supervised_contrast(each, labels, 0.5), (views,))


def test_length_does_not_count():
    views = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 0, 2, 1])
    scaled = views * torch.tensor([1.0, 2.0, 0.5, 3.0, 9.0])[:, None]
    torch.testing.assert_close(supervised_contrast(scaled, labels, 0.2), supervised_contrast(views, labels, 0.2))


@pytest.mark.parametrize("nearest", [False, True])
def test_margin_to_centres_equals_numpy_for_each_seed(nearest):
    rng = np.random.default_rng(0)
    views, centres = rng.normal(size=(2, 6, 3)), rng.normal(size=(2, 4, 3))
    labels, others = rng.integers(4, size=(2, 6)), None if nearest else rng.integers(4, size=(2, 6))
    expected = []
    for seed in range(2):
        losses = []
        for row, own in enumerate(labels[seed]):
            distances = ((views[seed, row] - centres[seed]) ** 2).sum(axis=1)
            other = np.delete(distances, own).min() if nearest else distances[others[seed, row]]
            losses.append(max(0.0, 2.0 + 0.7 * distances[own] - 0.3 * other))
        expected.append(np.mean(losses))
    found = margin_to_centres(
        torch.tensor(views),
        torch.tensor(centres),
        torch.tensor(labels),
        None if nearest else torch.tensor(others),
        margin=2.0,
        share=0.7,
    )
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10)


def test_same_class_cross_entropy_equals_numpy():
    first, second = (np.random.default_rng(seed).normal(size=(size, 3)) for seed, size in ((0, 4), (1, 5)))
    labels, second_labels = np.array([0, 1, 2, 1]), np.array([1, 1, 0, 3, 2])
    units = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (first, second)]
    shares = 1 / (1 + np.exp(-units[0] @ units[1].T / 0.3))
    same = labels[:, None] == second_labels[None]
    expected = -np.where(same, np.log(shares), np.log(1 - shares)).mean()
    arguments = [torch.tensor(each) for each in (first, second, labels, second_labels)]
    assert same_class_cross_entropy(*arguments, 0.3).item() == pytest.approx(expected, rel=1e-10)
