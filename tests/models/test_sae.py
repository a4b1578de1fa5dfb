"""The semantic autoencoder against its objective and against another solver."""

import numpy as np
import pytest
from scipy.linalg import solve_sylvester

from zslearn.models.sae import SAE, solve_symmetric_sylvester


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def problem(toy_dataset):
    """The source's matrices: samples and their classes' semantics as columns."""
    view = toy_dataset.training()
    features = view.features.astype(np.float64)
    features /= np.sqrt((features**2).sum(axis=1).mean())
    return view, features.T, unit(view.semantics)[view.labels].T


@pytest.mark.parametrize("balance", [0.1, 1.0, 30.0])
def test_the_encoder_equals_scipys_solution_of_the_sylvester_equation(problem, balance):
    view, x, s = problem
    expected = solve_sylvester(s @ s.T, balance * x @ x.T, (1 + balance) * s @ x.T)
    weights = SAE(balance=balance).fit(view).weights.T
    np.testing.assert_allclose(weights, expected, rtol=1e-5, atol=1e-7)


def test_the_encoder_is_where_the_gradient_of_the_objective_vanishes(problem):
    view, x, s = problem
    w = SAE(balance=0.4).fit(view).weights.T

    def objective(w):
        return ((x - w.T @ s) ** 2).sum() + 0.4 * ((w @ x - s) ** 2).sum()

    rng = np.random.default_rng(0)
    for _ in range(5):
        step = 1e-4 * rng.normal(size=w.shape)
        slope = (objective(w + step) - objective(w - step)) / 2
        rise = (objective(w + step) + objective(w - step)) / 2 - objective(w)
        assert rise > 0
        assert abs(slope) < 1e-2 * rise


def test_classes_are_compared_by_cosine_on_either_side(problem, toy_dataset):
    view, _, _ = problem
    test_features = toy_dataset.test().features.astype(np.float64)
    encoded = SAE(direction="encode").fit(view)
    w = encoded.weights.T
    expected = unit(test_features @ w.T) @ unit(view.semantics).T
    np.testing.assert_allclose(encoded.scores(test_features), expected, atol=1e-9)
    decoded = SAE(direction="decode").fit(view)
    expected = unit(test_features) @ unit(unit(view.semantics) @ w).T
    np.testing.assert_allclose(decoded.scores(test_features), expected, atol=1e-9)


def test_singular_sides_have_the_shortest_solution():
    left, right = np.diag([2.0, 0.0]), np.diag([0.0, 1.0, 3.0])
    rng = np.random.default_rng(0)
    w = rng.normal(size=(2, 3))
    w[1, 0] = 0.0
    target = left @ w + w @ right
    solved = solve_symmetric_sylvester(left, (np.diag(right), np.eye(3)), target)
    np.testing.assert_allclose(solved, w, atol=1e-12)
