"""scikit-learn's own checks of an estimator; each exception has its reason."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from zslearn import GenerativeZSL

pytestmark = pytest.mark.slow

REASONS = {
    "check_classifiers_classes": "classes_ holds the unseen classes too, which no label names",
    "check_classifiers_one_label": "the unseen class is a candidate too, so that not every row gets the one label",
    "check_classifiers_train": "the scores have a column for each class, the unseen one too; and a few updates are not "
    "meant to be accurate",
    "check_complex_data": "complex numbers are refused in this library's words",
    "check_decision_proba_consistency": "it compares one score with one probability; every class has one of each",
    "check_dtype_object": "what is no number is refused as wrong data (ValueError); the check asks for a TypeError",
    "check_estimators_empty_data_messages": "data without columns are refused in this library's words",
    "check_fit2d_1sample": "one row is refused in this library's words",
    "check_methods_subset_invariance": "the last bits of 32-bit sums depend on how many rows there are",
    "check_n_features_in_after_fitting": "rows of another size are refused in this library's words",
    "check_supervised_y_2d": "labels in a column are refused, not flattened with a warning",
}


class Described(GenerativeZSL):
    """The estimator with what the checks do not bring: made-up semantics, and one class without samples.

    It adds nothing else: every check runs the estimator's own code.
    """

    def fit(self, X, y):
        names = sorted({*np.asarray(y).ravel().tolist()}, key=str) if y is not None else []
        unseen = "nobody" if names and isinstance(names[0], str) else -1
        rng = np.random.default_rng(0)
        return super().fit(X, y, semantics={name: rng.uniform(size=6) for name in [*names, unseen]})


@parametrize_with_checks(
    [Described(settings={"n_updates": 2, "teacher_updates": 2}, rehearse=False)],
    expected_failed_checks=lambda estimator: REASONS,
)
def test_scikit_learn_finds_what_it_expects(estimator, check):
    check(estimator)
