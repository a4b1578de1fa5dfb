"""Small data folders of one's own, written file by file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

ANIMALS = ("zebra", "horse", "dolphin", "whale", "eagle", "okapi")
"""The last one is unseen."""
ATTRIBUTES = {"stripes": "100001", "hooves": "110001", "fins": "001100", "wings": "000010"}
N_EACH = 10


def write_table(path: Path, columns: dict[str, list]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def class_columns() -> dict[str, list]:
    return {"name": list(ANIMALS), **{name: list(values) for name, values in ATTRIBUTES.items()}}


def own_folder(folder: Path, *, with_unseen_rows: bool = True) -> Path:
    """Write animals with four attributes and five features, ten rows each."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    names = ANIMALS if with_unseen_rows else ANIMALS[:-1]
    labels = np.repeat(names, N_EACH)
    means = np.array([[float(values[ANIMALS.index(name)]) for values in ATTRIBUTES.values()] + [1.0] for name in names])
    features = means[np.repeat(np.arange(len(names)), N_EACH)] + 0.1 * rng.normal(size=(len(labels), 5))
    np.save(folder / "features.npy", features.astype(np.float32))
    write_table(folder / "rows.csv", {"label": labels.tolist()})
    columns = class_columns()
    if with_unseen_rows:
        columns["split"] = ["seen"] * 5 + ["unseen"]
    write_table(folder / "classes.csv", columns)
    return folder
