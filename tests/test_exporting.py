"""The exported predictor gives the original's answers, without zslearn and without torch."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from zslearn import GenerativeZSL
from zslearn.errors import ConfigError, DataError
from zslearn.exporting import TOLERANCE, Predictor, export_onnx
from zslearn.models.closed_form import FittedClosedForm

runtime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytest.importorskip("onnxscript", reason="needs the extra onnx")

QUICK = {"n_updates": 3, "teacher_updates": 3, "hidden_dim": 16, "classifier_epochs": 1}


def fitted(view, model, rehearse=False, **settings):
    return GenerativeZSL(model, settings=settings, rehearse=rehearse).fit_view(view)


def answers(path, rows):
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["scores", "probabilities"], {"features": rows})


def check(estimator, path, rows):
    assert export_onnx(estimator, path) <= TOLERANCE
    for n_rows in (1, len(rows)):
        scores, probabilities = answers(path, rows[:n_rows])
        expected = estimator.decision_scores(rows[:n_rows])
        np.testing.assert_allclose(scores, expected, atol=TOLERANCE, rtol=TOLERANCE)
        np.testing.assert_allclose(probabilities, estimator.predict_proba(rows[:n_rows]), atol=TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("space", ["whitened", "standard"])
@pytest.mark.parametrize("view_of_encoder", ["features", "encoded"])
def test_a_generative_model_with_its_correction(toy_dataset, tmp_path, space, view_of_encoder):
    settings = {**QUICK, "feature_space": space, "classifier_input": view_of_encoder}
    estimator = fitted(toy_dataset.training(), "skd", rehearse=True, **settings)
    assert estimator.offset_ != 0
    check(estimator, tmp_path / "x.onnx", toy_dataset.test().features)


@pytest.mark.slow
def test_powers_of_non_negative_features_and_an_added_class(toy_dataset, tmp_path):
    view = toy_dataset.training()
    view = replace(view, features=np.abs(view.features))
    estimator = fitted(view, "skd", **QUICK, feature_space="whitened", feature_power=0.5)
    estimator.add_classes({"new": view.semantics[0] / 2 + view.semantics[1] / 2}).drop_classes([view.class_names[2]])
    check(estimator, tmp_path / "x.onnx", view.features[:50])
    session = runtime.InferenceSession(str(tmp_path / "x.onnx"), providers=["CPUExecutionProvider"])
    facts = json.loads(session.get_modelmeta().custom_metadata_map["zslearn"])
    assert facts["classes"] == estimator.classes_.tolist()
    assert facts["seen"] == estimator.seen_classes_.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["eszsl", "ridge-cosine", "kernel-ridge-cosine", "kernel-ridge-gaussian", "dap"])
def test_models_without_a_generator(toy_dataset, tmp_path, model):
    settings = {"n_updates": 3} if model == "dap" else {}
    check(fitted(toy_dataset.training(), model, **settings), tmp_path / "x.onnx", toy_dataset.test().features)


def test_what_moves_the_predictor_leaves_the_estimator_where_it_was(toy_dataset):
    """The export moves it to the processor; what is in use on an accelerator must stay there."""
    estimator = fitted(toy_dataset.training(), "skd", **QUICK)
    model = estimator.recogniser_.model
    Predictor(estimator).double().train()
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not model.training


@pytest.mark.slow
def test_a_file_that_would_answer_differently_is_not_written(toy_dataset, tmp_path, monkeypatch):
    estimator = fitted(toy_dataset.training(), "eszsl")
    exported = Predictor.forward
    monkeypatch.setattr(Predictor, "forward", lambda self, rows: tuple(each + 0.01 for each in exported(self, rows)))
    with pytest.raises(DataError, match=r"would answer differently .*expected probabilities within .*received 0\.01\)"):
        export_onnx(estimator, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


class Foreign(FittedClosedForm):
    """A closed form of someone else's, which may do anything."""

    def project(self, features):
        return features

    def score_projected(self, projected):
        return projected

    def rows_of(self, semantics):
        return semantics


def test_what_cannot_be_exported_says_so_and_leaves_nothing(toy_dataset, tmp_path):
    estimator = fitted(toy_dataset.training(), "eszsl")
    known = estimator.recogniser_
    estimator.recogniser_ = replace(known, fitted=Foreign(class_table=known.fitted.class_table))
    with pytest.raises(ConfigError, match="the model 'eszsl' cannot be exported .* Train another model"):
        export_onnx(estimator, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())
