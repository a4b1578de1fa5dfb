import dataclasses

import numpy as np
import pytest

from zslearn import GenerativeZSL
from zslearn.errors import DataError
from zslearn.models.cosine import Cosine


def test_scores_are_cosines_between_features_and_semantics(toy_dataset):
    view = toy_dataset.training()
    rng = np.random.default_rng(0)
    one_space = dataclasses.replace(view, semantics=rng.normal(size=(len(view.semantics), view.features.shape[1])))
    rows = toy_dataset.test().features[:5].astype(np.float64)
    expected = [[r @ a / np.sqrt(r @ r) / np.sqrt(a @ a) for a in one_space.semantics] for r in rows]
    np.testing.assert_allclose(Cosine().fit(one_space).scores(rows), expected, atol=1e-12)


def test_features_and_semantics_of_two_spaces_are_refused(toy_dataset):
    with pytest.raises(DataError, match="are not in one space .*received features of 20 and semantics of 12 numbers"):
        GenerativeZSL("cosine").fit_view(toy_dataset.training())
