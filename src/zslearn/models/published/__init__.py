"""Published settings of the zoo's methods, per data set: their authors', or those of a re-implementation that is named.

Each YAML file holds facts from the sources that it names, and nothing else: ``shared`` settings, and under ``data``
what differs by data set. ``passes`` counts generator updates as passes over the training rows, ``pretraining_passes``
those of a classifier before them. Methods without a file, and data sets without an entry, have no published settings
that were found and checked.
"""

from __future__ import annotations

import math
from importlib.resources import files
from typing import Any

import yaml

from zslearn.errors import ConfigError


def published_settings(model: str, data: str, n_rows: int, batch_size: int | None = None) -> dict[str, Any]:
    """Return the published settings of a model for a data set, by field.

    Args:
        model: A model of the zoo.
        data: The name of a data set; upper and lower case alike.
        n_rows: Its training rows, which tell how many updates the published passes are.
        batch_size: What to count them in where batches are to have another size than the published one.

    Raises:
        ConfigError: If there are no such settings; the message names the data sets that have some.
    """
    known = published_data(model)
    name = next((each for each in known if each.lower() == data.lower()), None)
    if name is None:
        raise ConfigError(
            f"there are no published settings of {model} for {data}",
            expected=f"one of {', '.join(known)}" if known else None,
            remedy="Leave --settings out for the defaults, or give settings with --config.",
        )
    content = _read(model)
    settings = {**content["shared"], **content["data"][name]["settings"]}
    n_batches = math.ceil(n_rows / (batch_size or settings["batch_size"]))
    if "pretraining_passes" in content:
        settings["teacher_updates"] = content["pretraining_passes"] * n_batches
    return {**settings, "n_updates": content["data"][name]["passes"] * n_batches}


def published_data(model: str) -> tuple[str, ...]:
    """Return the data sets for which a model has published settings."""
    content = _read(model)
    return () if content is None else tuple(content["data"])


def _read(model: str) -> Any:
    file = files(__package__) / f"{model}.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
