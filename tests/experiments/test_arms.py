import pytest

from zslearn.configuration import build
from zslearn.errors import ConfigError, UnknownNameError
from zslearn.experiments.arms import CONTROLS, ablation_arms, capped, sweep_arms
from zslearn.models import model_entry
from zslearn.models.fclswgan import FCLSWGANConfig
from zslearn.models.skd import SKDConfig

WEIGHTS = ("sr_weight", "sp_weight", "kd_weight")


def test_the_eight_combinations_are_all_there_the_whole_first():
    arms = ablation_arms("skd", SKDConfig, {"sr_weight": 0.5}, controls=False)
    combinations = {tuple(arm.settings[name] for name in WEIGHTS): arm.name for arm in arms if "parts" in arm.marks}
    assert len(combinations) == 8
    assert combinations[0.5, 1.0, 1.0] == arms[0].name == "SR+SP+KD"
    assert combinations[0.0, 0.0, 0.0] == "base"
    assert combinations[0.5, 0.0, 1.0] == "SR+KD"


def test_each_arm_differs_from_the_whole_in_what_its_name_says():
    arms = {arm.name: arm.settings for arm in ablation_arms("skd", SKDConfig, {}, controls=True)}
    whole = build(SKDConfig, arms["SR+SP+KD"])
    for name, settings in arms.items():
        config = build(SKDConfig, settings)
        if name not in CONTROLS and name != "SR+SP+KD":
            assert config != whole, name
    assert arms["without sr_mean_weight"]["sr_mean_weight"] == 0
    assert arms["with sr_band_weight"]["sr_band_weight"] == 1
    assert {"teacher: similarity", "teacher: average", "teacher: plain"} <= set(arms)
    assert "teacher: semantic" not in arms
    assert arms["without unseen semantics"]["unseen_semantics"] is False
    assert set(CONTROLS) <= set(arms)
    assert not set(CONTROLS) & {arm.name for arm in ablation_arms("skd", SKDConfig, {}, controls=False)}


def test_a_model_without_the_parts_is_refused():
    configuration = model_entry("eszsl").load().Config
    with pytest.raises(ConfigError, match="eszsl has no semantic terms.*sr_weight, sp_weight, kd_weight"):
        ablation_arms("eszsl", configuration, {}, controls=False)


def test_parts_that_are_off_by_default_are_switched_on():
    arms = ablation_arms("f-clswgan", FCLSWGANConfig, {}, controls=False)
    assert [arms[0].settings[name] for name in WEIGHTS] == [1.0, 1.0, 1.0]


def test_a_sweep_moves_one_field_at_a_time():
    first, *arms = sweep_arms(SKDConfig, {"sp_weight": 1.0}, {"sp_weight": (0, 1.0, "2e-1"), "n_synthetic": (5,)})
    assert first.name == "as set"
    assert first.settings == {}
    assert first.marks == {"as_set": {"sp_weight": 1.0, "n_synthetic": 200}}
    assert [arm.settings for arm in arms] == [{"sp_weight": 0.0}, {"sp_weight": 0.2}, {"n_synthetic": 5}]
    assert arms[1].marks == {"field": "sp_weight", "value": 0.2}


def test_the_default_sweep_has_every_weight_temperature_and_the_number_of_samples():
    fields = {arm.marks["field"] for arm in sweep_arms(SKDConfig, {})[1:]}
    assert {"sr_temperature", "sp_temperature", "kd_temperature", "sr_weight", "kd_decoder_view_weight"} <= fields
    for arm in sweep_arms(SKDConfig, {}):
        build(SKDConfig, arm.settings)


def test_what_cannot_be_swept_is_refused():
    with pytest.raises(UnknownNameError, match="no setting called 'sp_weigth'. Did you mean sp_weight"):
        sweep_arms(SKDConfig, {}, {"sp_weigth": (1,)})
    with pytest.raises(ConfigError, match="kd_teacher cannot be swept"):
        sweep_arms(SKDConfig, {}, {"kd_teacher": ("plain",)})
    with pytest.raises(ConfigError, match="the setting 'sp_weight' has a wrong value"):
        sweep_arms(SKDConfig, {}, {"sp_weight": (-1,)})
    with pytest.raises(ConfigError, match="nothing to sweep"):
        sweep_arms(SKDConfig, {}, {"sp_weight": (1.0,)})


def test_caps_leave_out_what_a_model_lacks():
    assert capped(SKDConfig, {}, {"n_updates": 10.0, "class_weight": 0.001}) == {"n_updates": 10}
    assert capped(SKDConfig, {"n_updates": 5}, {"n_updates": 10}) == {"n_updates": 5}
