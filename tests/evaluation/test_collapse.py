"""A collapse is told, and what is none is not."""

import numpy as np
import pytest

from zslearn import GenerativeZSL
from zslearn.evaluation.collapse import signs_of_collapse, spread_share, vanished_terms

SHORT = {"n_updates": 20, "teacher_updates": 20}


@pytest.mark.parametrize(
    ("terms", "kl_weight", "signs"),
    [
        ({"joint.kl": 0.02, "critic.gap": -0.5, "critic.penalty": 0.0}, 1.0, []),
        ({"joint.kl": 0.004}, 0.25, []),
        ({"joint.kl": 0.002}, 0.25, ["KL term of stage s has vanished (0.008 nats)"]),
        ({"joint.kl": 0.0}, 0.0, []),
        ({"critic.gap": -2e-5}, 1.0, ["critic of stage s tells real and generated samples apart by 2e-05"]),
    ],
)
def test_terms_that_vanish_are_told(terms, kl_weight, signs):
    found = vanished_terms({"s": terms}, kl_weight=kl_weight)
    assert len(found) == len(signs)
    assert all(sign in text for sign, text in zip(signs, found, strict=True))


def test_the_share_of_the_spread_is_a_ratio_of_variances():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 4000)
    features = rng.normal(size=(8000, 3)) * 2 + 50 * labels[:, None]
    generated = rng.normal(size=(5, 4000, 3))
    assert spread_share(generated, features, labels) == pytest.approx(0.25, rel=0.05)
    assert spread_share(np.zeros((5, 3, 3)), features, labels) == 0.0
    assert spread_share(generated, np.ones((8000, 3)), labels) == 1.0


def test_a_generator_that_draws_one_sample_is_told_and_a_healthy_one_is_not(toy_dataset):
    view, history = toy_dataset.training(), []
    estimator = GenerativeZSL(settings=SHORT, rehearse=False)
    estimator.fit_view(view, lambda progress: history.append(progress.as_dict()))
    assert signs_of_collapse(history, estimator, view) == ()
    model = estimator.recogniser_.model
    drawn = model.sample
    model.sample = lambda *arguments: drawn(*arguments)[..., :1, :].expand_as(drawn(*arguments))
    (sign,) = signs_of_collapse(history, estimator, view)
    assert sign == "generated samples of a class vary only 0 % as much as real ones do"
