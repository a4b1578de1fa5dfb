"""What notebooks show, and that nothing in it is taken for markup."""

import dataclasses
from html.parser import HTMLParser

import numpy as np
import pytest

from zslearn import GenerativeZSL
from zslearn.evaluation.metrics import Metrics
from zslearn.evaluation.protocol import run_protocol
from zslearn.notebook import facts_html

WILD = '<script>alert("x")</script> & co'


class Reader(HTMLParser):
    """The tags and the texts of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def test_every_text_is_escaped():
    page = Reader(facts_html(WILD, {WILD: WILD}))
    assert "script" not in page.tags
    assert page.texts == [WILD] * 3


def test_a_data_set_shows_its_facts(toy_dataset):
    names = (WILD, *toy_dataset.class_names[1:])
    wild = dataclasses.replace(toy_dataset, name=WILD, class_names=names, warnings=(WILD,))
    page = Reader(wild._repr_html_())
    assert "script" not in page.tags
    assert f"data set {WILD}" in page.texts
    assert "400 to train on, 160 seen test, 40 unseen test" in page.texts
    assert page.texts[-2:] == ["warning 1", WILD]


@pytest.fixture(scope="module")
def wild_estimator(toy_dataset):
    view = toy_dataset.training()
    names = np.array([WILD, *view.class_names[1:]])
    estimator = GenerativeZSL(settings={"n_updates": 2, "teacher_updates": 2}, rehearse=False)
    return estimator.fit(view.features, names[view.labels], semantics=dict(zip(names, view.semantics, strict=True)))


def test_a_fitted_estimator_shows_its_classes(wild_estimator):
    page = Reader(wild_estimator._repr_mimebundle_()["text/html"])
    assert "skd, fitted" in page.texts
    assert "script" not in page.tags or WILD in "".join(page.texts)
    assert "<script>alert" not in wild_estimator._repr_mimebundle_()["text/html"]
    assert "skd, fitted" not in GenerativeZSL()._repr_mimebundle_()["text/html"]


def test_results_show_percent_and_ausuc_as_a_fraction(toy_dataset):
    page = Reader(Metrics(t1=0.5, u=0.25, s=1.0, h=0.4, ausuc=float("nan"))._repr_html_())
    assert page.texts[-5:] == ["50.0", "25.0", "100.0", "40.0", "-"]
    assert Metrics(t1=0.5, u=0.25, s=1.0, h=0.4, ausuc=0.25).cells()[-1] == "0.250"
    outcome = run_protocol(toy_dataset, settings={"n_updates": 2, "teacher_updates": 2})
    page = Reader(outcome._repr_html_())
    assert {"skd", "eszsl", "kernel-ridge-cosine"} <= set(page.texts)
    assert f"{100 * outcome.measurement.corrected.h:.1f}" in page.texts
