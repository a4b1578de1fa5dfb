"""What SKD offers to a rehearsal; its terms and its plan have tests of their own."""

import pytest

from small_task import make_task
from zslearn.errors import ConfigError
from zslearn.models.skd import SKD, SKDConfig
from zslearn.training.streams import Streams

OF_SMALL_IMAGES = {"n_rows": 2_000, "feature_dim": 256, "non_negative": True}


def test_the_default_comes_first_and_alone_where_features_are_long_or_signed():
    for facts in ({"non_negative": False}, {"feature_dim": 1025}):
        assert SKD.alternatives(**{**OF_SMALL_IMAGES, **facts}) == ({},)


@pytest.mark.parametrize(("n_rows", "n_sizes"), [(7_812, 2), (7_813, 1)])
def test_small_data_is_rehearsed_with_two_sizes_of_the_free_generator(n_rows, n_sizes):
    default, *free = (SKDConfig(**settings) for settings in SKD.alternatives(**{**OF_SMALL_IMAGES, "n_rows": n_rows}))
    assert default == SKDConfig()
    assert {config.feature_space for config in free} == {"unit"}
    assert [(config.hidden_dim, config.n_updates) for config in free] == [(512, 800), (1024, 1600)][:n_sizes]


def test_cross_entropy_needs_samples_between_0_and_1():
    with pytest.raises(ConfigError, match="the standard space has others .* set feature_space to unit"):
        SKD(make_task("standard"), SKDConfig(reconstruction="cross-entropy"), Streams(0))
