"""Published settings are facts with a source that the models accept."""

import math
from importlib.resources import files

import pytest
import yaml

from zslearn.configuration import build
from zslearn.errors import ConfigError
from zslearn.models import MODELS, model_entry
from zslearn.models.published import published_data, published_settings

TRAINING_ROWS = {"AWA1": 19832, "AWA2": 23527, "CUB": 7057, "FLO": 5631, "SUN": 10320}
ENTRIES = [(model, data) for model in MODELS for data in published_data(model)]


@pytest.mark.parametrize(("model", "data"), ENTRIES)
def test_every_published_setting_is_one_of_the_model(model, data):
    settings = published_settings(model, data, TRAINING_ROWS[data])
    configuration = build(model_entry(model).load().Config, settings)
    assert configuration.n_updates == settings["n_updates"]
    assert {"n_synthetic", "n_updates", "learning_rate", "batch_size"} <= settings.keys()
    content = yaml.safe_load((files("zslearn.models.published") / f"{model}.yaml").read_text(encoding="utf-8"))
    assert any("://" in source for source in (content["source"], *content["data"][data].get("sources", ())))


def test_methods_with_released_settings_have_them():
    assert {model for model, _ in ENTRIES} == {"f-clswgan", "cada-vae", "lsrgan", "tf-vaegan", "ce-gzsl", "free"}


def test_passes_become_updates_for_the_rows_at_hand():
    settings = published_settings("f-clswgan", "cub", 7057)
    assert settings["n_updates"] == 56 * math.ceil(7057 / 64)
    assert settings["hidden_dim"] == 4096
    assert settings["class_weight"] == 0.01
    assert settings["teacher_updates"] == 50 * math.ceil(7057 / 64)
    assert published_settings("f-clswgan", "CUB", 64)["n_updates"] == 56
    assert published_settings("ce-gzsl", "FLO", 5631)["n_updates"] == 750 * 2
    assert "teacher_updates" not in published_settings("ce-gzsl", "FLO", 5631)


def test_passes_are_counted_in_batches_of_the_size_in_force():
    published, smaller = (published_settings("ce-gzsl", "FLO", 5631, size) for size in (None, 256))
    assert smaller == {**published, "n_updates": 750 * 22}
    assert published_settings("f-clswgan", "CUB", 7057, 128)["teacher_updates"] == 50 * 56


def test_data_without_published_settings_name_those_with():
    with pytest.raises(
        ConfigError, match="no published settings of tf-vaegan for glyphs .expected one of AWA2, CUB, FLO"
    ):
        published_settings("tf-vaegan", "glyphs", 100)
    with pytest.raises(ConfigError, match="no published settings of skd for FLO. Leave --settings out"):
        published_settings("skd", "FLO", 100)
