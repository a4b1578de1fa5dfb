"""Noise of 17 classes in the layout of Xian et al., with whatever changes a test makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

N_CLASSES, N_ROWS = 17, 170
LABELS = np.repeat(np.arange(1, N_CLASSES + 1), N_ROWS // N_CLASSES)
ROWS = np.arange(1, N_ROWS + 1)
SEEN, HELD_OUT = LABELS <= 14, ROWS % 10 == 0


def split_file(**changes: Any) -> dict[str, Any]:
    """Return the variables of a split file."""
    variables = {
        "att": np.random.default_rng(0).uniform(size=(6, N_CLASSES)),
        "trainval_loc": ROWS[SEEN & ~HELD_OUT][:, None],
        "test_seen_loc": ROWS[SEEN & HELD_OUT][:, None],
        "test_unseen_loc": ROWS[~SEEN][:, None],
        "allclasses_names": np.array([[f"class {i}"] for i in range(N_CLASSES)], dtype=object),
    }
    return {**variables, **changes}


def feature_file(**changes: Any) -> dict[str, Any]:
    """Return the variables of a file of features."""
    features = np.random.default_rng(1).normal(size=(5, N_ROWS))
    return {"features": features, "labels": LABELS[:, None].astype(float), **changes}


def write_xian_folder(folder: Path, features: dict[str, Any], split: dict[str, Any]) -> Path:
    """Write both files into a folder, which is made if there is none."""
    folder.mkdir(exist_ok=True)
    scipy.io.savemat(folder / "att_splits.mat", split)
    scipy.io.savemat(folder / "res101.mat", features)
    return folder
