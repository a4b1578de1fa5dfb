import numpy as np
import pytest

from zslearn.errors import DataError
from zslearn.spaces import FeatureSpace, SemanticSpace

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(6), 40)
SIGNED = (RNG.normal(size=(240, 8)) @ RNG.normal(size=(8, 8)) + 3 * RNG.normal(size=(6, 8))[LABELS]).astype(np.float32)


def test_unit_space_scales_by_a_high_quantile_and_clips():
    features = np.abs(SIGNED)
    space = FeatureSpace.fit(features, LABELS, "unit")
    mapped = space.transform(features)
    assert mapped.min() >= 0
    assert mapped.max() == 1
    expected = np.clip(features / np.quantile(features, 0.999, axis=0), 0, 1)
    np.testing.assert_allclose(mapped, expected, rtol=1e-5)


def test_unit_space_refuses_negative_features():
    with pytest.raises(DataError, match="negative.*Set feature_space to whitened"):
        FeatureSpace.fit(SIGNED, LABELS, "unit")


def test_auto_goes_by_the_sign():
    assert FeatureSpace.fit(SIGNED, LABELS, "auto").kind == "standard"
    assert FeatureSpace.fit(np.abs(SIGNED), LABELS, "auto").kind == "unit"


def test_standard_space_has_mean_0_and_deviation_1():
    mapped = FeatureSpace.fit(SIGNED, LABELS, "standard").transform(SIGNED)
    np.testing.assert_allclose(mapped.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(mapped.std(axis=0), 1, rtol=1e-5)


def within_class_covariance(rows):
    residuals = np.concatenate([rows[c == LABELS] - rows[c == LABELS].mean(axis=0) for c in range(6)])
    return residuals.T @ residuals / (len(rows) - 6)


def test_whitened_space_has_round_classes():
    mapped = FeatureSpace.fit(SIGNED, LABELS, "whitened", shrinkage=0.0).transform(SIGNED)
    np.testing.assert_allclose(within_class_covariance(mapped), np.eye(8), atol=1e-3)


def test_shrinkage_goes_toward_plain_principal_components():
    mapped = FeatureSpace.fit(SIGNED, LABELS, "whitened", shrinkage=1.0).transform(SIGNED)
    distances = np.linalg.norm(mapped[:20, None] - mapped[None, :20], axis=-1)
    plain = np.linalg.norm(SIGNED[:20, None] - SIGNED[None, :20], axis=-1)
    off_diagonal = ~np.eye(20, dtype=bool)
    ratios = distances[off_diagonal] / plain[off_diagonal]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-3)


def test_a_power_is_taken_before_everything_else_and_only_of_features_without_a_sign():
    features = np.abs(SIGNED)
    powered = FeatureSpace.fit(features, LABELS, "whitened", power=0.5)
    rooted = FeatureSpace.fit(np.sqrt(features), LABELS, "whitened")
    np.testing.assert_allclose(powered.transform(features), rooted.transform(np.sqrt(features)), atol=1e-4)
    np.testing.assert_allclose(powered.inverse(powered.transform(features)), features, atol=5e-4)
    assert FeatureSpace.fit(SIGNED, LABELS, "whitened", power=0.5).power == 1.0


def test_rows_of_equal_length_keep_their_direction():
    plain = FeatureSpace.fit(SIGNED, LABELS, "whitened").transform(SIGNED)
    mapped = FeatureSpace.fit(SIGNED, LABELS, "whitened", equal_lengths=True).transform(SIGNED)
    lengths = np.linalg.norm(mapped, axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(plain, axis=1).mean(), rtol=1e-4)
    np.testing.assert_allclose(mapped / lengths[:, None], plain / np.linalg.norm(plain, axis=1)[:, None], atol=1e-5)


def test_a_row_at_the_centre_stays_there():
    space = FeatureSpace.fit(SIGNED, LABELS, "whitened", equal_lengths=True)
    np.testing.assert_allclose(space.transform(space.centre[None]), 0.0, atol=1e-4)


@pytest.mark.parametrize("kind", ["whitened", "standard"])
def test_inverse_undoes_transform(kind):
    space = FeatureSpace.fit(SIGNED, LABELS, kind)
    np.testing.assert_allclose(space.inverse(space.transform(SIGNED)), SIGNED, atol=2e-4)


def test_kept_components_are_the_strongest():
    space = FeatureSpace.fit(SIGNED, LABELS, "whitened", n_components=3)
    centred = SIGNED - SIGNED.mean(axis=0)
    strongest = np.linalg.svd(centred, full_matrices=False)[2][:3]
    kept = space.inverse(space.transform(SIGNED)) - SIGNED.mean(axis=0)
    np.testing.assert_allclose(kept, centred @ strongest.T @ strongest, atol=1e-3)


def test_constant_features_do_no_harm():
    features = np.concatenate([SIGNED, np.full((240, 2), 5, dtype=np.float32)], axis=1)
    for kind in ("whitened", "standard"):
        assert np.isfinite(FeatureSpace.fit(features, LABELS, kind).transform(features)).all()


@pytest.mark.parametrize("kind", ["unit", "standard"])
def test_units_of_features_do_not_matter(kind):
    """Neither small ones of all features nor large ones of a single feature."""
    constant = np.full((240, 1), 5, dtype=np.float32)
    features = np.concatenate([np.abs(SIGNED), constant], axis=1)
    expected = FeatureSpace.fit(features, LABELS, kind).transform(features)
    small = features * np.float32(1e-8)
    np.testing.assert_allclose(
        FeatureSpace.fit(small, LABELS, kind).transform(small)[:, :8], expected[:, :8], atol=1e-5
    )
    mixed = features * np.array([1e9, *[1] * 8], dtype=np.float32)
    np.testing.assert_allclose(FeatureSpace.fit(mixed, LABELS, kind).transform(mixed), expected, atol=1e-5)


def test_semantics_are_centred_and_of_unit_length():
    semantics = RNG.uniform(size=(10, 5))
    unit = semantics / np.linalg.norm(semantics, axis=1, keepdims=True)
    centred = unit - unit.mean(axis=0)
    expected = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    mapped = SemanticSpace.fit(semantics, power=1.0).transform(semantics)
    np.testing.assert_allclose(mapped @ mapped.T, expected @ expected.T, atol=1e-10)


@pytest.mark.parametrize(
    "semantics",
    [
        np.array([[2.0], [3.0], [7.0]]),
        np.array([[0.1, 0.7, 0.3]]),
        np.outer([1.0, 0.3, 7.7, 1e-6], [0.1, 0.7, 0.3]),
    ],
    ids=["one attribute", "one class", "proportional"],
)
def test_semantics_of_one_direction_are_refused(semantics):
    with pytest.raises(DataError, match=f"all point the same way .*received semantics of {len(semantics)} classes"):
        SemanticSpace.fit(semantics)
    assert (SemanticSpace.fit(semantics, centring=False).transform(semantics) > 0).all()


def test_small_differences_beside_a_large_attribute_count():
    semantics = np.column_stack([np.full(10, 1e9), RNG.uniform(size=(10, 5))])
    mapped = SemanticSpace.fit(semantics).transform(semantics)
    assert mapped.shape == (10, 5)
    np.testing.assert_allclose(np.linalg.norm(mapped, axis=1), 1.0)


def test_power_evens_out_the_axes():
    semantics = RNG.normal(size=(30, 4)) * [10, 3, 1, 0.5]
    spreads = []
    for power in (1.0, 0.5, 0.0):
        space = SemanticSpace.fit(semantics, power=power)
        unit = semantics / np.linalg.norm(semantics, axis=1, keepdims=True)
        strengths = np.linalg.svd((unit - space.centre) @ space.projection, compute_uv=False)
        spreads.append(strengths.max() / strengths.min())
    assert spreads[0] == pytest.approx(spreads[1] ** 2)
    assert spreads[2] == pytest.approx(1.0)


def test_a_class_added_later_changes_nothing():
    semantics = RNG.uniform(size=(10, 5))
    space = SemanticSpace.fit(semantics)
    before = space.transform(semantics)
    assert (space.transform(np.concatenate([semantics, RNG.uniform(size=(1, 5))]))[:10] == before).all()


def test_one_row_per_class_is_scaled_by_the_spread_of_all():
    mapped = FeatureSpace.fit(SIGNED[:6], np.arange(6)).transform(SIGNED[:6])
    assert np.isfinite(mapped).all()
    assert 0.1 < mapped.std() < 10


def test_without_centring_semantics_are_only_normalised():
    semantics = RNG.uniform(size=(10, 5))
    mapped = SemanticSpace.fit(semantics, 0.5, centring=False).transform(semantics)
    np.testing.assert_allclose(mapped, semantics / np.linalg.norm(semantics, axis=1, keepdims=True), rtol=1e-12)


@pytest.mark.parametrize("kind", ["whitened", "unit", "standard"])
def test_rows_that_are_worked_on_in_blocks_come_to_the_same(kind, monkeypatch):
    features = np.abs(SIGNED)
    whole = FeatureSpace.fit(features, LABELS, kind)
    # The last block is smaller than the others.
    monkeypatch.setattr("zslearn.data.checks._CHUNK_BYTES", 7 * 8 * features.shape[1])
    in_blocks = FeatureSpace.fit(features, LABELS, kind)
    np.testing.assert_allclose(in_blocks.centre, whole.centre, rtol=1e-6)
    # Whitened axes have no sign of their own; distances do not know it.
    ours, theirs = in_blocks.transform(features), whole.transform(features)
    for start in (0, 100):
        expected = np.linalg.norm(theirs[start] - theirs, axis=1)
        np.testing.assert_allclose(np.linalg.norm(ours[start] - ours, axis=1), expected, rtol=1e-3, atol=1e-3)
