"""References are chosen by the rehearsals, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from zslearn.classifiers.calibration import FoldScores, choose_offset
from zslearn.classifiers.references import MOST_KERNEL_CLASSES, REFERENCES, affordable_references, run_references
from zslearn.data.dataset import TrainingView
from zslearn.data.splits import rehearsal_folds
from zslearn.errors import ConfigError
from zslearn.evaluation.metrics import evaluate_scores
from zslearn.models.eszsl import ESZSL
from zslearn.models.kernel_ridge import KernelRidgeCosine
from zslearn.models.ridge_cosine import RidgeCosine

FEATURE_DIM, SEMANTIC_DIM = 12, 6


def make_problem(n_seen=16, n_unseen=4, seed=0):
    rng = np.random.default_rng(seed)
    n_classes = n_seen + n_unseen
    semantics = rng.normal(size=(n_classes, SEMANTIC_DIM))
    means = semantics @ rng.normal(size=(SEMANTIC_DIM, FEATURE_DIM))

    def draw(labels):
        return (means[labels] + rng.normal(size=(len(labels), FEATURE_DIM))).astype(np.float32)

    labels = np.repeat(np.arange(n_seen), 15)
    view = TrainingView(
        name="toy",
        features=draw(labels),
        labels=labels,
        semantics=semantics,
        class_names=tuple(f"class {i}" for i in range(n_classes)),
        seen_ids=np.arange(n_seen),
        unseen_ids=np.arange(n_seen, n_classes),
    )
    test_labels = np.repeat(np.arange(n_classes), 10)
    return view, draw(test_labels), test_labels


@pytest.fixture(scope="module")
def toy():
    view, features, labels = make_problem()
    folds = rehearsal_folds(view, seed=0)
    return view, folds, features, labels, run_references(view, folds)


def test_every_reference_is_chosen_from_its_grid(toy):
    *_, references = toy
    assert list(references) == ["eszsl", "ridge-cosine", "kernel-ridge-cosine", "kernel-ridge-gaussian"]
    for name, reference in references.items():
        assert reference.settings in REFERENCES[name]
        assert reference.n_candidates == len(REFERENCES[name])
        assert len(reference.rehearsal) == 3


@pytest.mark.parametrize("name", list(REFERENCES))
def test_choice_equals_measuring_every_setting_on_every_fold(toy, name):
    _, folds, _, _, references = toy

    def fold_scores(settings):
        return [
            FoldScores(
                scores=settings.fit(fold.training).scores(fold.test_features[:]),
                labels=fold.test_labels,
                seen_ids=fold.seen_ids,
                unseen_ids=fold.unseen_ids,
            )
            for fold in folds
        ]

    def measure(fold, offset=0.0):
        return evaluate_scores(
            fold.scores, fold.labels, seen_ids=fold.seen_ids, unseen_ids=fold.unseen_ids, offset=offset
        )

    reference = references[name]
    areas = [np.mean([measure(fold).ausuc for fold in fold_scores(s)]) for s in REFERENCES[name]]
    assert areas[REFERENCES[name].index(reference.settings)] == pytest.approx(max(areas), abs=1e-9)
    scores = fold_scores(reference.settings)
    assert reference.offset == pytest.approx(choose_offset([fold.curve() for fold in scores]).offset, abs=1e-9)
    for measured, fold in zip(reference.rehearsal, scores, strict=True):
        assert measured.as_dict() == pytest.approx(measure(fold, reference.offset).as_dict(), abs=1e-9)


def test_final_scores_come_from_the_whole_view(toy):
    view, _, features, _, references = toy
    for reference in references.values():
        np.testing.assert_allclose(reference.scores(features), reference.settings.fit(view).scores(features))


def test_references_recognise_unseen_classes_and_the_correction_helps(toy):
    view, _, features, labels, references = toy
    for reference in references.values():
        plain, corrected = (
            evaluate_scores(
                reference.scores(features),
                labels,
                seen_ids=view.seen_ids,
                unseen_ids=view.unseen_ids,
                offset=offset,
            )
            for offset in (0.0, reference.offset)
        )
        assert plain.t1 > 0.5
        assert corrected.h > plain.h - 0.02
    assert corrected.h > 0.5


def test_the_first_of_equal_settings_is_taken(toy):
    view, folds, *_ = toy
    twice = RidgeCosine(), RidgeCosine()
    assert run_references(view, folds, candidates={"ridge": twice})["ridge"].settings is twice[0]


def test_same_input_same_bits(toy):
    view, folds, features, _, references = toy
    again = run_references(view, folds)
    for name, reference in references.items():
        assert again[name].facts() == reference.facts()
        np.testing.assert_array_equal(again[name].scores(features), reference.scores(features))


def test_without_rehearsal_defaults_are_taken_and_not_corrected():
    view, features, _ = make_problem(n_seen=8)
    folds = rehearsal_folds(view, seed=0)
    assert folds == ()
    references = run_references(view, folds)
    for name, reference in references.items():
        assert reference.settings == type(reference.settings)() == REFERENCES[name][0]
        assert (reference.offset, reference.rehearsal, reference.n_candidates) == (None, (), 1)
        assert reference.scores(features).shape == (len(features), 12)


def test_without_rehearsal_the_first_candidates_are_taken():
    view, *_ = make_problem(n_seen=8)
    candidates = {
        "eszsl": (ESZSL(feature_ridge=7.0), ESZSL(feature_ridge=8.0)),
        "own": (KernelRidgeCosine(),),
    }
    references = run_references(view, (), candidates=candidates)
    assert references["eszsl"].settings == ESZSL(feature_ridge=7.0)
    assert references["own"].settings == KernelRidgeCosine()


def test_facts_are_plain_values(toy):
    *_, references = toy
    facts = references["kernel-ridge-cosine"].facts()
    assert facts["settings"]["scoring"] == "cosine"
    assert facts["offset"] == references["kernel-ridge-cosine"].offset
    assert set(facts["rehearsal"][0]) == {"t1", "u", "s", "h", "ausuc"}


def test_a_reference_without_settings_is_refused(toy):
    view, folds, *_ = toy
    with pytest.raises(ConfigError, match="'empty' has no setting"):
        run_references(view, folds, candidates={"empty": ()})


def test_references_of_cubic_cost_are_left_out_of_very_many_classes():
    assert affordable_references(MOST_KERNEL_CLASSES) == REFERENCES
    assert set(affordable_references(MOST_KERNEL_CLASSES + 1)) == {"eszsl", "ridge-cosine"}
