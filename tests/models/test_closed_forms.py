"""Every closed form against the textbook equation, written independently."""

from __future__ import annotations

import dataclasses
import gc
import weakref

import numpy as np
import pytest

from zslearn import GenerativeZSL
from zslearn.configuration import build
from zslearn.data.dataset import TrainingView
from zslearn.errors import ConfigError, DataError
from zslearn.models.closed_form import scores_of
from zslearn.models.eszsl import ESZSL
from zslearn.models.kernel_ridge import KernelRidgeCosine, KernelRidgeGaussian
from zslearn.models.moments import TrainingMoments
from zslearn.models.ridge_cosine import RidgeCosine

N_CLASSES, N_SEEN, SEMANTIC_DIM, FEATURE_DIM = 9, 6, 5, 7


def view_of(features, labels, semantics):
    n_classes = len(semantics)
    seen_ids = np.unique(labels)
    return TrainingView(
        name="made up",
        features=features.astype(np.float32),
        labels=labels,
        semantics=semantics,
        class_names=tuple(f"class {i}" for i in range(n_classes)),
        seen_ids=seen_ids,
        unseen_ids=np.setdiff1d(np.arange(n_classes), seen_ids),
    )


def make_problem(seed=0, n_per_class=20, noise=0.5):
    """Class means are linear in semantics; the seen ids are not the first ones."""
    rng = np.random.default_rng(seed)
    semantics = rng.normal(size=(N_CLASSES, SEMANTIC_DIM)) + 0.5
    seen_ids = np.sort(rng.permutation(N_CLASSES)[:N_SEEN])
    maps = rng.normal(size=(SEMANTIC_DIM, FEATURE_DIM))
    counts = n_per_class + np.arange(N_SEEN)
    labels = rng.permutation(np.repeat(seen_ids, counts))
    mixing = rng.normal(size=(FEATURE_DIM, FEATURE_DIM))

    def draw(ids):
        return 3 + semantics[ids] @ maps + noise * rng.normal(size=(len(ids), FEATURE_DIM)) @ mixing

    test_labels = np.repeat(np.arange(N_CLASSES), 4)
    return view_of(draw(labels), labels, semantics), draw(test_labels).astype(np.float32)


def unit(rows):
    return np.array([row / np.sqrt(sum(row**2)) for row in rows])


def centred_semantics(view):
    table = unit(view.semantics)
    return unit(table - table.mean(axis=0))


def as_float64(view):
    return view.features.astype(np.float64)


def variance_unit(features):
    """The mean diagonal of the Gram matrix of centred rows."""
    return ((features - features.mean(axis=0)) ** 2).sum() / features.shape[1]


def eszsl_by_the_inverse(view, gamma, lam):
    features, seen = as_float64(view), unit(view.semantics)[view.seen_ids]
    signs = np.where(view.labels[:, None] == view.seen_ids, 1.0, -1.0)
    left = np.linalg.inv(features.T @ features + gamma * variance_unit(features) * np.eye(FEATURE_DIM))
    right = np.linalg.inv(seen.T @ seen + lam * np.eye(SEMANTIC_DIM))
    return left @ features.T @ signs @ seen @ right


@pytest.mark.parametrize(("gamma", "lam"), [(0.1, 0.01), (3.0, 1.0)])
def test_eszsl_equals_the_textbook_inverse(gamma, lam):
    view, test_features = make_problem()
    scores = ESZSL(feature_ridge=gamma, semantic_ridge=lam).fit(view).scores(test_features)
    expected = test_features @ eszsl_by_the_inverse(view, gamma, lam) @ unit(view.semantics).T
    np.testing.assert_allclose(scores, expected, rtol=1e-8, atol=1e-10)


def test_eszsl_is_where_the_gradient_of_its_objective_vanishes():
    # |X V S' - Y|^2 + g |V S'|^2 + l |X V|^2 + g l |V|^2, equation 2 of the source with b = g l.
    view, _ = make_problem(1)
    gamma, lam = 0.2, 0.05
    weights = ESZSL(feature_ridge=gamma, semantic_ridge=lam).fit(view).weights
    features, seen = as_float64(view), unit(view.semantics)[view.seen_ids]
    g = gamma * variance_unit(features)
    signs = np.where(view.labels[:, None] == view.seen_ids, 1.0, -1.0)
    gradient = (
        features.T @ (features @ weights @ seen.T - signs) @ seen
        + g * weights @ seen.T @ seen
        + lam * features.T @ features @ weights
        + g * lam * weights
    )
    assert np.abs(gradient).max() < 1e-8 * np.abs(features.T @ signs @ seen).max()


def test_ridge_cosine_equals_regression_with_an_unpenalised_intercept():
    view, test_features = make_problem(2)
    fitted = RidgeCosine(ridge=0.3).fit(view)
    features, table = as_float64(view), centred_semantics(view)
    penalty = 0.3 * variance_unit(features)
    with_one = np.hstack([features, np.ones((len(features), 1))])
    ridge = penalty * np.diag([1.0] * FEATURE_DIM + [0.0])
    solved = np.linalg.lstsq(with_one.T @ with_one + ridge, with_one.T @ table[view.labels], rcond=None)[0]
    mapped = np.hstack([test_features, np.ones((len(test_features), 1))]) @ solved
    np.testing.assert_allclose(fitted.scores(test_features), unit(mapped) @ table.T, atol=1e-8)
    np.testing.assert_allclose(fitted.space.centre, unit(view.semantics).mean(axis=0))


def test_moments_equal_numpy_across_blocks(monkeypatch):
    view, _ = make_problem(3)
    monkeypatch.setattr("zslearn.data.checks._CHUNK_BYTES", 17 * 8 * view.features.shape[1])
    moments, features = TrainingMoments.of(view), as_float64(view)
    np.testing.assert_allclose(moments.mean, features.mean(axis=0))
    np.testing.assert_allclose(moments.scatter, np.cov(features.T, bias=True) * len(features), rtol=1e-9)
    residuals = features.copy()
    for position, c in enumerate(view.seen_ids):
        mean = features[view.labels == c].mean(axis=0)
        np.testing.assert_allclose(moments.class_means[position], mean - features.mean(axis=0), atol=1e-9)
        residuals[view.labels == c] -= mean
    covariance = residuals.T @ residuals / (len(features) - N_SEEN)
    np.testing.assert_allclose(moments.within_class_covariance, covariance, rtol=1e-8, atol=1e-10)


def test_whitening_gives_unit_covariance_within_classes():
    view, _ = make_problem(4)
    whitened = TrainingMoments.of(view).whitened(1e-9)
    rows = whitened.whitening.transform(view.features)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-9)
    for position, c in enumerate(view.seen_ids):
        np.testing.assert_allclose(whitened.class_means[position], rows[view.labels == c].mean(axis=0), atol=1e-6)
        rows[view.labels == c] -= rows[view.labels == c].mean(axis=0)
    np.testing.assert_allclose(rows.T @ rows / (len(rows) - N_SEEN), np.eye(FEATURE_DIM), atol=1e-6)


def test_full_shrinkage_only_rescales():
    view, test_features = make_problem(5)
    moments = TrainingMoments.of(view)
    rows = moments.whitened(1.0).whitening.transform(test_features)
    scale = np.sqrt(np.trace(moments.within_class_covariance) / FEATURE_DIM)
    np.testing.assert_allclose(rows, (test_features - moments.mean) / scale, atol=1e-8)


def whitened_by_eigenvectors(view, features, shrinkage):
    """Whiten with the symmetric root; cosines and distances do not depend on which root is taken."""
    rows = as_float64(view)
    residuals = rows - np.array([rows[view.labels == y].mean(axis=0) for y in view.labels])
    covariance = residuals.T @ residuals / (len(rows) - N_SEEN)
    covariance = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / FEATURE_DIM * np.eye(FEATURE_DIM)
    values, vectors = np.linalg.eigh(covariance)
    return (features - rows.mean(axis=0)) @ (vectors / np.sqrt(values)) @ vectors.T


def prototypes_by_definition(view, kernel, ridge, shrinkage):
    rows = whitened_by_eigenvectors(view, as_float64(view), shrinkage)
    table, n_classes = centred_semantics(view), len(view.semantics)
    means = np.array([rows[view.labels == c].mean(axis=0) for c in view.seen_ids])
    gram = np.array([[kernel(table[i], table[j]) for j in view.seen_ids] for i in view.seen_ids])
    weights = np.linalg.inv(gram + ridge * np.eye(N_SEEN)) @ means
    prototypes = np.empty((n_classes, FEATURE_DIM))
    prototypes[view.seen_ids] = means
    for u in view.unseen_ids:
        prototypes[u] = np.array([kernel(table[u], table[s]) for s in view.seen_ids]) @ weights
    return prototypes


def rbf_of(view, width):
    table = centred_semantics(view)
    pairs = [(i, j) for i in view.seen_ids for j in view.seen_ids if i < j]
    unit_length = np.median([np.linalg.norm(table[i] - table[j]) for i, j in pairs])
    return lambda a, b: np.exp(-np.sum((a - b) ** 2) / (2 * (width * unit_length) ** 2))


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_kernel_ridge_equals_its_definition_in_both_scorings(kernel):
    view, test_features = make_problem(6)
    function = np.dot if kernel == "linear" else rbf_of(view, 1.5)
    prototypes = prototypes_by_definition(view, function, 0.2, 0.4)
    rows = whitened_by_eigenvectors(view, test_features, 0.4)
    cosines = unit(rows) @ unit(prototypes).T
    distances = np.array([[np.sum((row - p) ** 2) for p in prototypes] for row in rows])
    for form, expected in ((KernelRidgeCosine, cosines), (KernelRidgeGaussian, -distances / 2)):
        model = form(kernel=kernel, width=1.5, ridge=0.2, shrinkage=0.4)
        # The median of distances and the root of the median of squares differ only between two middle values.
        np.testing.assert_allclose(model.fit(view).scores(test_features), expected, rtol=1e-6, atol=1e-7)


def test_linear_kernel_ridge_equals_primal_ridge_regression():
    view, _ = make_problem(7)
    fitted = KernelRidgeCosine(kernel="linear", ridge=0.3).fit(view)
    seen = centred_semantics(view)[view.seen_ids]
    means = fitted.class_table[view.seen_ids]
    primal = np.linalg.solve(seen.T @ seen + 0.3 * np.eye(SEMANTIC_DIM), seen.T @ means)
    expected = centred_semantics(view)[view.unseen_ids] @ primal
    np.testing.assert_allclose(fitted.class_table[view.unseen_ids], expected, atol=1e-9)


def test_a_seen_class_keeps_its_real_mean_whatever_the_ridge():
    view, _ = make_problem(8)
    loose, tight = (KernelRidgeCosine(ridge=ridge).fit(view).class_table for ridge in (1e-3, 1e3))
    np.testing.assert_array_equal(loose[view.seen_ids], tight[view.seen_ids])
    assert np.abs(tight[view.unseen_ids]).max() < 0.1 * np.abs(loose[view.unseen_ids]).max()


@pytest.mark.parametrize("settings", [ESZSL(), RidgeCosine(), KernelRidgeGaussian()])
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_predictions_do_not_depend_on_the_scale_of_features_or_semantics(settings, scale):
    view, test_features = make_problem(9)
    scaled = view_of(view.features * scale, view.labels, view.semantics * scale)
    expected = settings.fit(view).scores(test_features)
    found = settings.fit(scaled).scores(np.float32(scale) * test_features)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("settings", [ESZSL(), RidgeCosine(), KernelRidgeCosine()])
def test_order_of_rows_does_not_matter(settings):
    view, test_features = make_problem(10)
    order = np.random.default_rng(0).permutation(len(view.labels))
    shuffled = view_of(view.features[order], view.labels[order], view.semantics)
    np.testing.assert_allclose(
        settings.fit(shuffled).scores(test_features), settings.fit(view).scores(test_features), atol=1e-6
    )


def test_moments_are_computed_once_for_a_view_and_whitening_is_shared():
    view, test_features = make_problem(12)
    assert TrainingMoments.of(view) is TrainingMoments.of(view)
    cosine, gaussian = KernelRidgeCosine().fit(view), KernelRidgeGaussian().fit(view)
    assert cosine.projection is gaussian.projection
    np.testing.assert_array_equal(
        gaussian.score_projected(cosine.project(test_features)), gaussian.scores(test_features)
    )


def test_scores_are_those_of_all_rows_at_once_whatever_the_block():
    view, test_features = make_problem(12)
    many = np.tile(test_features, (1 + 1200 // len(test_features), 1))
    sharing = [KernelRidgeCosine().fit(view), KernelRidgeGaussian().fit(view)]
    together = scores_of(sharing, many)
    for fitted, scores in zip(sharing, together, strict=True):
        np.testing.assert_allclose(scores, fitted.score_projected(fitted.project(many)), rtol=1e-10, atol=1e-10)
        np.testing.assert_array_equal(scores, fitted.scores(many))


def test_moments_are_forgotten_with_their_view():
    view, _ = make_problem(12)
    moments = weakref.ref(TrainingMoments.of(view))
    del view
    gc.collect()
    assert moments() is None


@pytest.mark.parametrize(
    ("model", "settings", "named"),
    [
        ("eszsl", {"semantic_ridge": 1e-18}, r"feature_ridge \(now 0.3\) or semantic_ridge \(now 1e-18\)"),
        ("eszsl", {"feature_ridge": 1e-18}, r"feature_ridge \(now 1e-18\) or semantic_ridge \(now 0.01\)"),
        ("ridge-cosine", {"ridge": 1e-18}, r"ridge \(now 1e-18\)"),
        ("kernel-ridge-cosine", {"shrinkage": 1e-17}, r"ridge \(now 0.1\) or shrinkage \(now 1e-17\)"),
    ],
)
def test_settings_that_leave_no_solution_are_named(toy_dataset, model, settings, named):
    view = toy_dataset.training()
    semantics = view.semantics.copy()
    semantics[view.seen_ids] = np.eye(semantics.shape[1])[0]
    view = dataclasses.replace(view, features=np.repeat(view.features, 2, axis=1), semantics=semantics)
    with pytest.raises(ConfigError, match=f"equations of '{model}' cannot be solved .*Raise {named}"):
        GenerativeZSL(model, settings=settings, rehearse=False).fit_view(view)


@pytest.mark.parametrize("settings", [RidgeCosine(), KernelRidgeCosine(), KernelRidgeGaussian()])
def test_without_unseen_semantics_the_centre_is_that_of_seen_classes(settings):
    view, _ = make_problem(14)
    fitted = dataclasses.replace(settings, unseen_semantics=False).fit(view)
    space = fitted.space if isinstance(settings, RidgeCosine) else fitted.regression.space
    np.testing.assert_allclose(space.centre, unit(view.semantics)[view.seen_ids].mean(axis=0))


@pytest.mark.parametrize("settings", [ESZSL(), RidgeCosine(), KernelRidgeCosine(kernel="rbf"), KernelRidgeGaussian()])
def test_a_class_added_later_has_the_row_that_it_would_have_had_from_the_start(settings):
    view, _ = make_problem(15)
    kept = np.r_[view.seen_ids, view.unseen_ids[:-1]]
    order = np.argsort(kept)
    fewer = view_of(view.features, np.searchsorted(np.sort(kept), view.labels), view.semantics[kept[order]])
    if settings.reads_unseen_semantics:
        settings = dataclasses.replace(settings, unseen_semantics=False)
    fitted = settings.fit(fewer)
    rows = fitted.rows_of(view.semantics[view.unseen_ids[-1:]])
    np.testing.assert_allclose(rows, settings.fit(view).class_table[view.unseen_ids[-1:]], atol=1e-9)


def test_one_row_per_class_can_still_be_whitened():
    view, test_features = make_problem(13)
    first_rows = np.array([np.flatnonzero(view.labels == c)[0] for c in view.seen_ids])
    sparse = view_of(view.features[first_rows], view.labels[first_rows], view.semantics)
    assert np.isfinite(KernelRidgeCosine().fit(sparse).scores(test_features)).all()


def test_features_that_never_vary_are_refused():
    view, _ = make_problem()
    constant = view_of(np.ones_like(view.features), view.labels, view.semantics)
    with pytest.raises(DataError, match="the training features do not vary"):
        ESZSL().fit(constant)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ESZSL(feature_ridge=0.0), "'feature_ridge' has a wrong value .*received 0"),
        (lambda: ESZSL(semantic_ridge=float("nan")), "'semantic_ridge' has a wrong value .*received nan"),
        (lambda: RidgeCosine(ridge=-1.0), "'ridge' has a wrong value"),
        (lambda: KernelRidgeCosine(shrinkage=1.5), r"'shrinkage' has a wrong value .*\(0, 1\]"),
        (lambda: KernelRidgeCosine(width=0.0), "'width' has a wrong value"),
        (lambda: build(KernelRidgeCosine, {"scoring": "cos"}), "'scoring' has a wrong value .*one of cosine, gaussian"),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
