import re

import pytest

from budgets import n_alternatives
from zslearn.configuration import build
from zslearn.errors import ConfigError, DataError, UnknownNameError, ZslearnError
from zslearn.experiments.catalog import copy_experiment, find_experiment, packaged
from zslearn.experiments.experiment import Interval, n_jobs, read_experiment
from zslearn.models import MODELS, model_entry

WHOLE = """title: a title
data:
  - glyphs
splits: [0, 1]
seeds: [3]
search:
  trials: 2
models:
  - model: skd
    settings:
      n_updates: 5
    search:
      learning_rate: {low: 1e-4, high: 0.01, log: true}
      sp_weight: [0.0, 1.0]
"""

SUIT_ANY_DATA = {name for name, entry in MODELS.items() if not entry.one_space}


def read(text):
    return read_experiment(text, "name", "f.yaml")


def test_a_whole_experiment_is_read():
    experiment = read(WHOLE)
    (model,) = experiment.models
    assert model.settings == {"n_updates": 5}
    assert model.search == {"learning_rate": Interval(1e-4, 0.01, True), "sp_weight": (0.0, 1.0)}
    assert model.mark == "searched"
    assert (experiment.trials, experiment.objective, experiment.seeds) == (2, "ausuc", (3,))
    assert experiment.data[0].splits == ("0", "1")
    assert n_jobs(experiment) == 2


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("title: a title", "titel: a title", "line 1: there is no field of the experiment called"),
        ("title: a title\n", "", "line 1: the experiment has no title"),
        ("title: a title", "title: 3", "line 1: the title is not a text (expected a text; received 3)"),
        ("glyphs", "glifs", "line 3: there is no data set called 'glifs'. Did you mean glyphs?"),
        ("[0, 1]", "[0, 0]", "line 4: splits hold 0 twice"),
        ("[0, 1]", "[offical]", "line 4: there is no such split (expected official or a whole number from 0"),
        ("[0, 1]", "[]", "line 4: splits is empty (expected a list with at least one entry; received an empty list)"),
        ("[3]", "[-1]", "line 5: a seed is wrong (expected a whole number from 0; received -1)"),
        ("[3]", "[true]", "line 5: a seed is wrong"),
        ("trials: 2", "trials: 0", "line 7: trials is wrong (expected a whole number from 1; received 0)"),
        ("trials: 2", "objective: h", "line 6: the search has no budget"),
        ("trials: 2", "trials: 2\n  objective: acc", "line 8: there is no objective called 'acc'. Did you mean ausuc?"),
        ("model: skd", "model: sdk", "line 9: there is no model called 'sdk'. Did you mean skd?"),
        ("n_updates: 5", "n_update: 5", "line 11: there is no setting called 'n_update'. Did you mean n_updates"),
        ("n_updates: 5", "n_updates: 0", "line 11: the setting 'n_updates' has a wrong value"),
        ("n_updates: 5", "n_updates: five", "line 11: the setting 'n_updates' has a wrong value"),
        ("learning_rate:", "learning_rat:", "line 13: there is no setting called 'learning_rat'. Did you mean"),
        ("low: 1e-4", "low: 0.1", "line 13: the range of learning_rate is impossible (expected low below high"),
        ("low: 1e-4", "low: 0.001", "line 13: the search for learning_rate leaves out where it starts (expected 0.0"),
        ("low: 1e-4, ", "", "line 13: learning_rate has no such range"),
        ("low: 1e-4", "low: -1", "line 13: the setting 'learning_rate' has a wrong value"),
        ("[0.0, 1.0]", "[1.0]", "line 14: there is nothing to search for sp_weight"),
        ("[0.0, 1.0]", "[0.0, 0.5]", "line 14: the search for sp_weight leaves out where it starts (expected 1.0"),
        ("[0.0, 1.0]", "[1.0, much]", "line 14: the setting 'sp_weight' has a wrong value"),
        ("search:\n  trials: 2\n", "", "line 10: there is no budget for this search"),
        ("search:\n  trials: 2\n", "search:\n  trials: 2\nrehearse: false\n", "line 6: a search needs the rehearsal"),
        ("splits:", "ablation: parts\nsweep: default\nsplits:", "line 5: an experiment is an ablation or a sweep"),
        ("seeds:", "device: gpu\nseeds:", "line 5: there is no device called 'gpu'"),
        ("seeds:", "at_most: {n_updats: 3}\nseeds:", "line 5: there is no setting called 'n_updats'. Did you mean"),
        ("seeds:", "at_most: {classifier: 3}\nseeds:", "line 5: classifier cannot be capped so"),
        ("splits:", "  - glyphs\nsplits:", "line 4: this data set is listed twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(old, new, complaint):
    assert old in WHOLE
    with pytest.raises(ZslearnError) as caught:
        read(WHOLE.replace(old, new, 1))
    assert str(caught.value).startswith(f"f.yaml, {complaint}"), str(caught.value)


def test_a_budget_without_a_search_and_a_model_twice_are_refused():
    base = "title: t\ndata: [glyphs]\nmodels: [{}]\n"
    with pytest.raises(ConfigError, match="line 4: there is a budget but nothing to search"):
        read(base.format("skd") + "search: {trials: 3}\n")
    with pytest.raises(ConfigError, match="line 3: the model skd is listed twice"):
        read(base.format("skd, {model: skd}"))
    with pytest.raises(ConfigError, match="line 3: the model skd is listed twice as 'short'"):
        read(base.format("{model: skd, label: short}, {model: skd, label: short}"))
    with pytest.raises(ConfigError, match="line 3: a label is not a text"):
        read(base.format("{model: skd, label: 3}"))
    with pytest.raises(ConfigError, match="line 3: the arms of an ablation have names already"):
        read(base.format("{model: skd, label: short}") + "ablation: parts\n")
    with pytest.raises(ConfigError, match="the grid is too large"):
        read(base.format("skd") + f"seeds: {list(range(400))}\nsplits: {list(range(400))}\n")


def test_an_ablation_needs_the_parts():
    with pytest.raises(ConfigError, match="line 4: eszsl has no semantic terms to take away .*no sr_weight"):
        read("title: t\ndata: [glyphs]\nmodels: [eszsl]\nablation: parts\n")


def test_all_stands_for_every_model_that_is_not_named():
    experiment = read(
        "title: t\ndata: [glyphs]\nat_most: {n_updates: 7}\nmodels:\n"
        "  - model: skd\n    settings: {n_updates: 9, batch_size: 8}\n    mark: published\n  - all\n"
    )
    models = {choice.model: choice for choice in experiment.models}
    assert set(models) == SUIT_ANY_DATA
    assert models["skd"].settings == {"n_updates": 7, "batch_size": 8}
    assert models["skd"].mark == "published"
    assert models["f-clswgan"].settings == {"n_updates": 7}
    assert models["f-clswgan"].mark == "not tuned"


def test_a_cap_lowers_and_never_raises():
    text = "title: t\ndata: [glyphs]\nat_most: {n_updates: 100000}\nmodels: [skd]\n"
    assert read(text).models[0].settings == {}


def test_a_folder_is_kept_by_its_full_path(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    experiment = read("title: t\ndata: [{data: mine, semantics: sent_splits.mat, splits: [4]}]\nmodels: [skd]\n")
    (choice,) = experiment.data
    assert (choice.data, choice.semantics, choice.splits) == (str(tmp_path / "mine"), "sent_splits.mat", ("4",))


@pytest.mark.parametrize("name", packaged())
def test_every_experiment_of_the_package_is_valid(name, tmp_path, monkeypatch):
    # Where a benchmark's files are not installed, a folder of its name stands in: reading does not look inside.
    text, _, source = find_experiment(name)
    for data in re.findall(r"^data: \[(.+)\]", text, flags=re.MULTILINE):
        (tmp_path / data).mkdir()
    monkeypatch.chdir(tmp_path)
    experiment = read_experiment(text, name, source)
    assert experiment.title
    assert experiment.note
    splits = {split for choice in experiment.data for split in choice.splits}
    assert ("official" in splits) == name.startswith("official-")


@pytest.mark.parametrize("name", ["glyphs", "comparison-glyphs", "comparison-flo"])
def test_a_trial_costs_one_rehearsal_whatever_is_searched(name, tmp_path, monkeypatch):
    (tmp_path / "FLO").mkdir()
    monkeypatch.chdir(tmp_path)
    searched = [choice for choice in read_experiment(*find_experiment(name)).models if choice.search]
    assert len(searched) > 1
    assert {choice.model: n_alternatives(choice) for choice in searched if n_alternatives(choice) != 1} == {}


def test_quick_takes_every_model_once_for_each_of_two_seeds():
    experiment = read_experiment(*find_experiment("quick"))
    assert {choice.model for choice in experiment.models} == SUIT_ANY_DATA
    assert n_jobs(experiment) == 2 * len(SUIT_ANY_DATA)


@pytest.mark.parametrize("name", ["comparison-glyphs", "comparison-flo", "comparison-hour"])
def test_comparisons_are_equal_for_all_generative_methods(name, tmp_path, monkeypatch):
    (tmp_path / "FLO").mkdir()
    monkeypatch.chdir(tmp_path)
    experiment = read_experiment(*find_experiment(name))
    assert {choice.model for choice in experiment.models} == SUIT_ANY_DATA
    assert len(experiment.seeds) == 5
    built = [(choice, build(model_entry(choice.model).load().Config, choice.settings)) for choice in experiment.models]
    limits = {config.max_seconds for choice, config in built if choice.model == "ale"}
    generative = [(choice, config) for choice, config in built if MODELS[choice.model].family == "generative"]
    trained = [config for _, config in generative if hasattr(config, "n_updates")]
    assert {choice.model for choice, config in generative if not hasattr(config, "n_updates")} == {"gfzsl"}
    assert {config.n_synthetic for _, config in generative} == {200}
    assert {(config.hidden_dim, config.n_updates) for config in trained} == {(1024, 1000)}
    assert {config.max_seconds for config in trained} == limits
    assert len(limits) == 1
    assert all(config.max_seconds > 0 for _, config in built if hasattr(config, "n_updates"))
    if experiment.trials:
        searched = [choice for choice in experiment.models if choice.search]
        assert experiment.trials == 8
        assert searched == [choice for choice, _ in built if MODELS[choice.model].family != "closed form"]
        assert {len(choice.search) for choice in searched} == {4}
        assert all(set(choice.search["classifier"]) == {"softmax", "gaussian"} for choice, _ in generative)


def test_copies_are_for_editing(tmp_path):
    path = copy_experiment("quick", tmp_path)
    text, name, source = find_experiment(str(path))
    assert (text, name, source) == (find_experiment("quick")[0], "quick", str(path))
    with pytest.raises(ZslearnError, match="exists already"):
        copy_experiment("quick", path)


def test_an_unknown_experiment_names_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match="no experiment called 'quik'. Did you mean quick.*path of a file"):
        find_experiment("quik")
    with pytest.raises(ConfigError, match="cannot be read"):
        find_experiment("nowhere.yaml")
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        find_experiment(str(tmp_path / "x.yaml"))
    (tmp_path / "y.yaml").write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(DataError, match="too large"):
        find_experiment(str(tmp_path / "y.yaml"))
