"""A recogniser whose model was solved: a closed form, fitted to one training view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zslearn.configuration import build
from zslearn.data.dataset import TrainingView
from zslearn.errors import ConfigError, DataError, first_line
from zslearn.models.closed_form import ClosedForm, FittedClosedForm, Table
from zslearn.recogniser.base import Clock, Recogniser, arrays_below
from zslearn.shapes import Features, Ids, Scores, Semantics

_REGULARIZERS = ("ridge", "shrinkage")
"""How the names of settings end that make equations solvable."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SolvedRecogniser(Recogniser):
    """Scores samples against classes by a closed form, in float64 on the host.

    Classes that are added later are scored one by one, and dropped ones are left out of the answer: so the scores of a
    class have the same bits whichever others come and go.

    Attributes:
        model_name: The closed form's name in the zoo.
        settings: Its settings.
        fitted: It, solved.
        added: What classes that were added later are compared with, ``[n_added, table_dim]``.
        places: Where every class id stands among the classes of the fit and, behind them, the added ones.
        seconds: How long solving took.
        updates: Nothing: a closed form takes none.
    """

    model_name: str
    settings: ClosedForm
    fitted: FittedClosedForm
    added: Table
    places: Ids
    seconds: dict[str, float]
    updates: dict[str, dict[str, int]] = field(default_factory=dict, init=False)

    @property
    def config(self) -> ClosedForm:
        """The settings."""
        return self.settings

    @property
    def feature_space_kind(self) -> None:
        """Closed forms take features as they are."""

    @property
    def device(self) -> torch.device:
        """The host."""
        return torch.device("cpu")

    @property
    def reads_unseen_semantics(self) -> bool:
        """Whether solving read the semantics of unseen classes, be it for their mean alone."""
        return self.settings.reads_unseen_semantics

    def arrays(self) -> dict[str, Tensor]:
        """Return all that ``restore`` needs besides the settings, as named tensors."""
        fitted = {f"fitted.{name}": torch.tensor(array) for name, array in self.fitted.arrays().items()}
        return {**fitted, "added": torch.tensor(self.added), "places": torch.tensor(self.places)}

    @classmethod
    def restore(
        cls,
        model_name: str,
        model_class: type[ClosedForm],
        settings: Mapping[str, Any],
        arrays: Mapping[str, Tensor],
    ) -> SolvedRecogniser:
        """Rebuild a recogniser from what ``arrays`` returned.

        Raises:
            DataError: If a tensor is missing.
        """
        config = build(model_class, settings)
        try:
            # Copied: in the file's memory numbers may lie at addresses that make sums come out another way.
            copies = {name: tensor.numpy().copy() for name, tensor in arrays.items()}
            return cls(
                model_name=model_name,
                settings=config,
                fitted=config.restore(arrays_below("fitted.", copies)),
                added=copies["added"],
                places=copies["places"],
                seconds={},
            )
        # Tensors that do not belong together end in errors of many types.
        except Exception as error:
            raise DataError(
                "the saved tensors do not belong to this model",
                received=f"{type(error).__name__}: {error}",
                remedy="Save the model again with this version of zslearn.",
            ) from error

    def with_classes(self, semantics: Semantics, seeds: Sequence[int]) -> SolvedRecogniser:
        """Return a recogniser that knows more classes; nothing is drawn for them."""
        added = np.concatenate([self.added, self.fitted.rows_of(semantics)])
        first = len(self.fitted.class_table) + len(self.added)
        return replace(self, added=added, places=np.r_[self.places, first : first + len(semantics)])

    def without_classes(self, class_ids: Ids) -> SolvedRecogniser:
        """Return a recogniser that answers without some classes; the other ids close up."""
        return replace(self, places=np.delete(self.places, class_ids))

    def _score_block(self, features: Features) -> Scores:
        projected = self.fitted.project(features)
        scorers = [self.fitted, *(replace(self.fitted, class_table=row[None]) for row in self.added)]
        return np.concatenate([scorer.score_projected(projected) for scorer in scorers], axis=1)[:, self.places]


def solve_recogniser(
    view: TrainingView, model_name: str, model_class: type[ClosedForm], settings: Mapping[str, Any]
) -> SolvedRecogniser:
    """Solve a closed form.

    Args:
        view: All that it may see.
        model_name: The closed form's name in the zoo.
        model_class: The closed form.
        settings: Its settings that differ from the defaults.

    Raises:
        UnknownNameError: If there is no such setting.
        ConfigError: If a setting has a wrong value, or one that leaves the equations without a solution.
        DataError: If the data do not suit the closed form.
    """
    config = build(model_class, settings)
    clock = Clock()
    with _naming_regularizers(model_name, config):
        solved = config.fit(view)
    # Through its arrays, so that what scores now is to the bit what a loaded model scores with.
    fitted = config.restore(solved.arrays())
    clock.lap("training")
    n_classes, table_dim = fitted.class_table.shape
    return SolvedRecogniser(
        model_name=model_name,
        settings=config,
        fitted=fitted,
        added=np.empty((0, table_dim)),
        places=np.arange(n_classes),
        seconds=clock.seconds,
    )


@contextmanager
def _naming_regularizers(model_name: str, config: ClosedForm) -> Iterator[None]:
    """Name the settings to raise where equations have no solution."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        small = [f"{name} (now {value:g})" for name, value in asdict(config).items() if name.endswith(_REGULARIZERS)]
        if not small:
            raise
        raise ConfigError(
            f"the equations of {model_name!r} cannot be solved in double precision",
            received=first_line(error),
            remedy=f"Raise {' or '.join(small)}.",
        ) from error
