"""Recognisers: a model of the zoo, trained or solved, fitted to one training view and ready to score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from zslearn.data.dataset import TrainingView
from zslearn.models import model_entry
from zslearn.models.closed_form import ClosedForm
from zslearn.recogniser.base import Recogniser
from zslearn.recogniser.solved import SolvedRecogniser, solve_recogniser
from zslearn.recogniser.trained import TrainedRecogniser, train_recogniser
from zslearn.training.loop import Keeper, Progress

__all__ = ["Recogniser", "SolvedRecogniser", "TrainedRecogniser", "fit_recogniser", "restore_recogniser"]


def fit_recogniser(
    view: TrainingView,
    model_name: str,
    settings: Mapping[str, Any],
    *,
    seed: int,
    device: torch.device,
    on_progress: Callable[[Progress], None] | None = None,
    keeper: Keeper | None = None,
) -> Recogniser:
    """Train or solve a model of the zoo.

    Args:
        view: All that it may see.
        model_name: A model of the zoo.
        settings: Its settings that differ from the defaults.
        seed: Decides every random number; closed forms draw none.
        device: Where to train; closed forms are solved on the host.
        on_progress: Told how training goes.
        keeper: Keeps the state of the training.

    Raises:
        UnknownNameError: If there is no such model or setting.
        ConfigError: If a setting has a wrong value.
        DataError: If the data do not suit the model.
        TrainingError: If training diverges.
    """
    model_class = model_entry(model_name).load()
    if issubclass(model_class, ClosedForm):
        return solve_recogniser(view, model_name, model_class, settings)
    return train_recogniser(
        view, model_name, model_class, settings, seed=seed, device=device, on_progress=on_progress, keeper=keeper
    )


def restore_recogniser(
    model_name: str,
    settings: Mapping[str, Any],
    kind: str | None,
    arrays: Mapping[str, Tensor],
    device: torch.device,
) -> Recogniser:
    """Rebuild a recogniser from what its ``arrays`` returned.

    Args:
        model_name: Its model.
        settings: All settings of the model.
        kind: The kind of its feature space, where it has one.
        arrays: The tensors.
        device: Where to put them; closed forms stay on the host.

    Raises:
        UnknownNameError: If there is no such model or setting.
        DataError: If a tensor is missing or has a wrong shape.
    """
    model_class = model_entry(model_name).load()
    if issubclass(model_class, ClosedForm):
        return SolvedRecogniser.restore(model_name, model_class, settings, arrays)
    return TrainedRecogniser.restore(model_name, model_class, settings, kind, arrays, device)
