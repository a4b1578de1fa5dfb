"""The closed-form references that every run is read against, treated like the model itself.

For each, the setting is chosen in the rehearsals by the mean AUSUC over folds, the offset of the
label-shift correction there too, then it is solved on the whole training view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from zslearn.allocator import return_freed_memory
from zslearn.classifiers.calibration import choose_candidate
from zslearn.data.dataset import TrainingView
from zslearn.data.mapped import AnyRows
from zslearn.data.splits import RehearsalFold
from zslearn.errors import ConfigError
from zslearn.evaluation.metrics import Metrics, SeenUnseenCurve, seen_unseen_curve
from zslearn.models.closed_form import ClosedForm, FittedClosedForm, scores_of
from zslearn.models.eszsl import ESZSL
from zslearn.models.kernel_ridge import KernelRidge, KernelRidgeCosine, KernelRidgeGaussian
from zslearn.models.ridge_cosine import RidgeCosine
from zslearn.shapes import Scores

REFERENCES: Mapping[str, tuple[ClosedForm, ...]] = MappingProxyType(
    {
        "eszsl": ESZSL.candidates(),
        "ridge-cosine": RidgeCosine.candidates(),
        "kernel-ridge-cosine": KernelRidgeCosine.candidates(),
        "kernel-ridge-gaussian": KernelRidgeGaussian.candidates(),
    }
)
"""The settings of every reference among which a rehearsal chooses; the first are taken where none is possible."""


MOST_KERNEL_CLASSES = 2000
"""With more seen classes than this, references are left out whose cost grows with the cube of their number."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ChosenReference:
    """A reference with the setting that the rehearsal chose, solved on the whole training view."""

    settings: ClosedForm
    """The chosen setting."""
    fitted: FittedClosedForm
    """It, solved."""
    offset: float | None
    """What to subtract from scores of seen classes, in their unit; None where there was no rehearsal."""
    rehearsal: tuple[Metrics, ...]
    """The measures of the chosen setting on each fold, at `offset`; empty without rehearsal."""
    n_candidates: int
    """How many settings were compared; 1 without rehearsal."""

    def scores(self, features: AnyRows) -> Scores:
        """Score every class, without correction; larger is better."""
        return self.fitted.scores(features)

    def facts(self) -> dict[str, Any]:
        """Return what was chosen on what, as records hold it."""
        return {
            "settings": asdict(self.settings),
            "offset": self.offset,
            "n_candidates": self.n_candidates,
            "rehearsal": [metrics.as_dict() for metrics in self.rehearsal],
        }


@dataclass(frozen=True, kw_only=True)
class _Choice:
    settings: ClosedForm
    offset: float | None
    rehearsal: tuple[Metrics, ...]
    n_candidates: int


def affordable_references(n_seen: int) -> Mapping[str, tuple[ClosedForm, ...]]:
    """Return the settings of the references that so many seen classes allow, by the reference's name."""
    if n_seen <= MOST_KERNEL_CLASSES:
        return REFERENCES
    return {name: settings for name, settings in REFERENCES.items() if not isinstance(settings[0], KernelRidge)}


def run_references(
    view: TrainingView,
    folds: Sequence[RehearsalFold],
    *,
    candidates: Mapping[str, Sequence[ClosedForm]] = REFERENCES,
) -> dict[str, ChosenReference]:
    """Choose, correct and solve every reference.

    Args:
        view: What the final references are solved on.
        folds: The rehearsals of the same view. Where there is none, the first candidate of each is taken and not
            corrected.
        candidates: The settings to choose from, by the reference's name.

    Returns:
        The references by name, in the order of `candidates`.

    Raises:
        ConfigError: If a reference has no candidate.
    """
    for name, settings in candidates.items():
        if not settings:
            raise ConfigError(
                f"the reference {name!r} has no setting to choose from",
                remedy="Give at least one candidate, or leave the reference out.",
            )
    choices = _rehearse(folds, candidates) if folds else _take_first(candidates)
    return {
        name: ChosenReference(
            settings=choice.settings,
            fitted=choice.settings.fit(view),
            offset=choice.offset,
            rehearsal=choice.rehearsal,
            n_candidates=choice.n_candidates,
        )
        for name, choice in choices.items()
    }


def _take_first(candidates: Mapping[str, Sequence[ClosedForm]]) -> dict[str, _Choice]:
    return {
        name: _Choice(settings=settings[0], offset=None, rehearsal=(), n_candidates=1)
        for name, settings in candidates.items()
    }


def _rehearse(folds: Sequence[RehearsalFold], candidates: Mapping[str, Sequence[ClosedForm]]) -> dict[str, _Choice]:
    curves = [_curves_of_fold(fold, candidates) for fold in folds]
    choices = {
        name: choose_candidate(list(zip(*(of_fold[name] for of_fold in curves), strict=True))) for name in candidates
    }
    return {
        name: _Choice(
            settings=candidates[name][choice.chosen],
            offset=choice.offset,
            rehearsal=choice.corrected,
            n_candidates=len(candidates[name]),
        )
        for name, choice in choices.items()
    }


def _curves_of_fold(
    fold: RehearsalFold, candidates: Mapping[str, Sequence[ClosedForm]]
) -> dict[str, list[SeenUnseenCurve]]:
    """Return the curve of every setting of every reference; scores are not kept."""
    return_freed_memory()
    sharing = _fit_all(fold.training_in_place, candidates)
    features, labels, seen_ids, unseen_ids = fold.test_features, fold.test_labels, fold.seen_ids, fold.unseen_ids
    curves: dict[tuple[str, int], SeenUnseenCurve] = {}
    while sharing:
        # What one projection has mapped, and then the projection too, goes before the next.
        places, fitted = zip(*sharing.pop(), strict=True)
        for place, scores in zip(places, scores_of(fitted, features), strict=True):
            curves[place] = seen_unseen_curve(scores, labels, seen_ids=seen_ids, unseen_ids=unseen_ids)
    return {name: [curves[name, number] for number in range(len(grid))] for name, grid in candidates.items()}


def _fit_all(
    training: TrainingView, candidates: Mapping[str, Sequence[ClosedForm]]
) -> list[list[tuple[tuple[str, int], FittedClosedForm]]]:
    """Solve every setting of every reference; those that share a projection stand together, each with its place."""
    sharing: dict[object, list[tuple[tuple[str, int], FittedClosedForm]]] = {}
    for name, grid in candidates.items():
        for number, settings in enumerate(grid):
            fitted = settings.fit(training)
            sharing.setdefault(fitted.projection, []).append(((name, number), fitted))
    return list(sharing.values())
