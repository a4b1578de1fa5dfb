"""The field's benchmarks run from split file to report, on features that are made up."""

import re
from pathlib import Path

import pytest

from measurements import script
from zslearn.experiments.catalog import packaged_text
from zslearn.experiments.experiment import read_experiment
from zslearn.models import MODELS
from zslearn.models.published import published_data

N_TRAIN = {"APY": 5932, "AWA1": 19832, "AWA2": 23527, "CUB": 7057, "FLO": 5631, "SUN": 10320}
CAPS = {"n_updates": 2, "teacher_updates": 2, "classifier_epochs": 1, "hidden_dim": 32, "decoder_dim": 32}
CAPS |= {"semantic_hidden_dim": 32, "semantic_decoder_dim": 32, "n_synthetic": 20, "n_components": 32}


@pytest.fixture(scope="module")
def field():
    return script("field")


@pytest.mark.parametrize("data", sorted(N_TRAIN))
def test_settings_are_the_published_ones_where_there_are_any(data, tmp_path, monkeypatch):
    (tmp_path / data).mkdir()
    monkeypatch.chdir(tmp_path)
    experiment = read_experiment(packaged_text(f"official-{data.lower()}"), data, "f.yaml")
    assert [(Path(choice.data).name, choice.splits) for choice in experiment.data] == [(data, ("official",))]
    assert {choice.model for choice in experiment.models} == {
        name for name, facts in MODELS.items() if not facts.one_space
    }
    assert len(experiment.seeds) >= 5
    marks = {choice.model: choice.settings_on(data, N_TRAIN[data])[1] for choice in experiment.models}
    assert {model for model, mark in marks.items() if mark == "published"} == {
        model for model in MODELS if data in published_data(model)
    }


@pytest.mark.slow
@pytest.mark.parametrize("data", sorted(N_TRAIN))
def test_the_experiment_runs_to_a_report_that_says_its_figures_mean_nothing(field, shared_data, data, tmp_path):
    pytest.importorskip("vl_convert", reason="the extra report is not installed")
    installed = field.prepare(shared_data, data, tmp_path / "installed", feature_dim=32)
    models = ["skd", "cada-vae"] if data == "AWA2" else ["cada-vae"] if "AWA1" in data else ["f-clswgan"]
    folder = field.run(data, installed, tmp_path / "run", models, CAPS)
    page = (folder / "report.html").read_text()
    warnings = re.search(r'<section id="warnings".*?</section>', page, flags=re.DOTALL).group(0)
    first = re.findall(r"<li>(.*?)</li>", warnings)[0]
    assert first.startswith(f"Stand-in features, figures mean nothing: {data}.")
    for mark in {"published" if data in published_data(model) else "not tuned" for model in models}:
        assert f"<td>{mark}</td>" in page
    assert "not run" in page
    assert "Published figures" in page
    assert len(list((folder / "sheets").iterdir())) == len(models)
