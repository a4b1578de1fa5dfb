import dataclasses

import numpy as np
import pytest

from own import own_folder
from toy import write_toy_folder
from zslearn.data.catalog import load_data
from zslearn.errors import ConfigError
from zslearn.experiments import jobs as jobs_module
from zslearn.experiments.execution import TrialTask, execute
from zslearn.experiments.experiment import read_experiment
from zslearn.experiments.jobs import DataAddress, Study, make_jobs
from zslearn.models import MODELS
from zslearn.models.published import published_data, published_settings

TEXT = """
title: t
data: [glyphs]
splits: [1, 2]
seeds: [0, 1]
models: [skd]
"""


def keys(text=TEXT):
    return [job.key for job in make_jobs(read_experiment(text, "n", "n.yaml"))]


def test_keys_are_the_same_again_and_different_from_each_other():
    first = keys()
    assert first == keys()
    assert len(set(first)) == 4
    assert all(set(key) <= set("0123456789abcdef") for key in first)


def test_keys_depend_on_settings_data_version_and_nothing_else(monkeypatch):
    first = keys()
    assert keys(TEXT.replace("title: t", "title: another\nnote: and a note")) == first
    assert not set(first) & set(keys(TEXT.replace("[skd]", "[{model: skd, settings: {n_updates: 7}}]")))
    assert not set(first) & set(keys(TEXT + "rehearse: false\n"))
    assert set(keys(TEXT.replace("[1, 2]", "[2, 3]"))) & set(first) == set(first[2:])
    monkeypatch.setattr(jobs_module, "__version__", "99")
    assert not set(first) & set(keys())


def test_entries_hold_what_reports_read():
    entry = make_jobs(read_experiment(TEXT, "n", "n.yaml"))[0].entry()
    assert set(entry) == {"key", "model", "data", "split", "seed", "arm", "settings", "marks"}
    assert (entry["model"], entry["data"], entry["split"], entry["seed"], entry["arm"]) == (
        "skd",
        "glyphs",
        "1",
        0,
        None,
    )
    assert entry["marks"] == {"settings": "not tuned"}


def test_data_that_changed_since_the_plan_are_refused():
    job = make_jobs(read_experiment(TEXT, "n", "n.yaml"))[0]
    assert job.address.load().checksum == job.address.checksum
    changed = dataclasses.replace(job.address, checksum="0" * 64)
    with pytest.raises(ConfigError, match="not the one that the experiment was planned on"):
        changed.load()


def on_data(*data):
    text = TEXT.replace("[glyphs]", f"[{', '.join(map(str, data))}]").replace("splits: [1, 2]\n", "")
    return make_jobs(read_experiment(text, "n", "n.yaml"))


def test_other_features_of_a_folder_are_other_data(tmp_path):
    folder = own_folder(tmp_path / "animals")
    np.save(folder / "other.npy", np.load(folder / "features.npy")[:, ::-1])
    named = [f"{{data: {folder}, features: {name}}}" for name in ("features.npy", "other.npy")]
    names = {job.data: job.address.checksum for job in on_data(*named)}
    assert list(names) == ["animals (features.npy)", "animals (other.npy)"]
    assert len(set(names.values())) == 2


def test_a_search_without_a_rehearsal_to_choose_by_is_refused(tmp_path):
    folder = write_toy_folder(tmp_path / "single", n_train=1)
    text = TEXT.replace("[glyphs]", f"[{folder}]").replace("splits: [1, 2]\n", "search: {trials: 2, objective: h}\n")
    text = text.replace("[skd]", "[{model: eszsl, search: {feature_ridge: {low: 0.1, high: 1.0}}}]")
    with pytest.raises(ConfigError, match="allows no rehearsal.*received 16 seen classes with 16 training rows"):
        make_jobs(read_experiment(text, "n", "n.yaml"))
    address = DataAddress(
        source=str(folder), features=None, semantics=None, split="official", checksum=load_data(str(folder)).checksum
    )
    facts = {"model": "eszsl", "settings": {}, "space": {}, "seed": 0, "trials": 1, "objective": "h", "device": "cpu"}
    answer = execute(TrialTask(study=Study(key="k", data=address, **facts), number=0, chosen={}))
    assert answer["status"] == "failed"
    assert "allows no rehearsal, which a search needs" in answer["cause"]
    assert "traceback" not in answer


def test_two_data_sets_of_one_name_are_refused(tmp_path):
    first, second = (own_folder(tmp_path / place / "animals") for place in ("here", "there"))
    with pytest.raises(ConfigError, match=rf"two .* called animals .*received {second}, split official, as the second"):
        on_data(first, second)
    with pytest.raises(ConfigError, match=rf"two .* called animals .*received {second}, split 1, as the second"):
        on_data(f"{{data: {first}, splits: [0]}}", f"{{data: {second}, splits: [1]}}")
    with pytest.raises(
        ConfigError, match="two data sets .* are called glyphs .*received glyphs, split 1, as the second"
    ):
        on_data("{data: glyphs, splits: [0, 1]}", "{data: glyphs, splits: [1]}")
    jobs = on_data("{data: glyphs, splits: [0]}", "{data: glyphs, splits: [1]}")
    assert {(job.data, job.address.split) for job in jobs} == {("glyphs", "0"), ("glyphs", "1")}


def test_data_on_which_every_run_would_fail_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="official, has nothing to measure on .*received 10 and 0.*Use a class split"):
        on_data(own_folder(tmp_path / "farm", with_unseen_rows=False))
    zoo = own_folder(tmp_path / "zoo")
    assert len(on_data(zoo)) == 2
    text = TEXT.replace("[glyphs]", f"[{zoo}]").replace("splits: [1, 2]\n", "")
    text = text.replace("[skd]", "[{model: skd, search: {sp_weight: [0.0, 1.0]}}]") + "search: {trials: 2}\n"
    with pytest.raises(ConfigError, match="allows no rehearsal, .*expected at least 12 .*received 5 seen"):
        make_jobs(read_experiment(text, "n", "n.yaml"))


def test_a_search_is_shared_by_the_seeds_and_not_by_the_splits():
    text = TEXT.replace("[skd]", "[{model: skd, search: {sp_weight: [0.0, 1.0]}}]") + "search: {trials: 2}\n"
    jobs = make_jobs(read_experiment(text, "n", "n.yaml"))
    assert [job.study.key for job in jobs[:2]] == [jobs[0].study.key] * 2
    assert jobs[2].study.key != jobs[0].study.key
    assert {job.marks["settings"] for job in jobs} == {"searched"}


def test_a_search_is_not_shared_by_what_sets_a_default_and_what_leaves_it_to_the_rehearsal():
    search = "search: {sp_weight: [0.0, 1.0]}"
    pinned = f"{{model: skd, label: whitened, settings: {{feature_space: whitened}}, {search}}}"
    text = TEXT.replace("[skd]", f"[{{model: skd, {search}}}, {pinned}]") + "search: {trials: 2}\n"
    offered, set_so = (
        {job.study.key for job in make_jobs(read_experiment(text, "n", "n.yaml")) if job.arm == arm}
        for arm in (None, "whitened")
    )
    assert len(offered) == len(set_so) == 2
    assert not offered & set_so


def test_published_settings_are_taken_where_there_are_some_and_capped(tmp_path, toy_dataset):
    rows = len(toy_dataset.train_rows)
    text = TEXT.replace("[skd]", "[{model: all, published: true}]") + "at_most: {n_updates: 9}\n"
    models = {choice.model: choice for choice in read_experiment(text, "n", "n.yaml").models}
    for model, data in [(name, data) for name in MODELS for data in published_data(name)]:
        settings, mark = models[model].settings_on(data.lower(), rows)
        assert mark == "published"
        assert settings == {**published_settings(model, data, rows), "n_updates": 9}
    assert models["cada-vae"].settings_on("glyphs", rows) == ({"n_updates": 9}, "not tuned")
    with pytest.raises(ConfigError, match="line 6: published settings differ"):
        read_experiment(text.replace("model: all", "model: skd") + "ablation: parts\n", "n", "n.yaml")


def test_a_cap_is_one_on_the_published_value_and_lengths_follow_the_batch_in_force():
    text = (
        TEXT.replace("[skd]", "[{model: ce-gzsl, published: true}]") + "at_most: {n_synthetic: 150, batch_size: 256}\n"
    )
    (choice,) = read_experiment(text, "n", "n.yaml").models
    settings, _ = choice.settings_on("CUB", 7057)
    assert (settings["n_synthetic"], settings["batch_size"], settings["n_updates"]) == (100, 256, 450 * 28)
    unpublished, mark = choice.settings_on("glyphs", 7057)
    assert (mark, unpublished["n_synthetic"]) == ("not tuned", 150)
