"""Make a data folder of machine sounds: sensor features of known faults, and a description of faults never heard.

Each fault is described by what a mechanic would say of it (seven attributes, 0 to 1). What the sensors measure is a mix
of these, unknown to the learner, with the noise of each recording. Four faults have no recording to learn from; a few
recordings of them are kept for measuring.

    python make_data.py FOLDER
"""

import csv
import sys
from pathlib import Path

import numpy as np

ATTRIBUTES = ("pitch", "loudness", "rhythm", "grinding", "whistling", "vibration", "heat")
FAULTS = {
    "sound bearing": (0.3, 0.2, 0.1, 0.0, 0.0, 0.1, 0.2),
    "worn bearing": (0.5, 0.6, 0.3, 0.7, 0.0, 0.6, 0.5),
    "dry bearing": (0.8, 0.7, 0.2, 0.4, 0.6, 0.4, 0.9),
    "cracked bearing": (0.4, 0.9, 0.9, 0.8, 0.0, 0.9, 0.5),
    "loose belt": (0.6, 0.5, 0.7, 0.0, 0.3, 0.5, 0.1),
    "torn belt": (0.5, 0.9, 0.9, 0.2, 0.0, 0.8, 0.2),
    "slipping belt": (0.9, 0.8, 0.3, 0.0, 0.9, 0.3, 0.7),
    "bent shaft": (0.2, 0.5, 0.8, 0.1, 0.0, 1.0, 0.3),
    "loose foot": (0.1, 0.6, 0.6, 0.0, 0.0, 0.9, 0.0),
    "blocked fan": (0.3, 0.4, 0.1, 0.0, 0.5, 0.2, 1.0),
    "chipped fan": (0.5, 0.6, 0.8, 0.0, 0.4, 0.7, 0.2),
    "leaking valve": (0.9, 0.4, 0.0, 0.0, 1.0, 0.0, 0.2),
    "sticking valve": (0.6, 0.3, 0.9, 0.2, 0.2, 0.2, 0.3),
    "air in the pump": (0.4, 0.8, 0.5, 0.6, 0.3, 0.6, 0.1),
    "worn gear": (0.7, 0.6, 0.5, 0.9, 0.1, 0.5, 0.6),
    "broken tooth": (0.6, 0.9, 1.0, 0.6, 0.0, 0.7, 0.4),
    "dry gear": (0.8, 0.8, 0.4, 0.8, 0.5, 0.4, 0.9),
    "misaligned gear": (0.6, 0.7, 0.6, 0.5, 0.2, 0.9, 0.6),
    "hot motor": (0.4, 0.5, 0.0, 0.1, 0.2, 0.3, 1.0),
    "humming motor": (0.1, 0.6, 0.0, 0.0, 0.0, 0.4, 0.4),
}
NEVER_HEARD = ("cracked bearing", "slipping belt", "misaligned gear", "blocked fan")
N_SENSORS = 24
N_RECORDINGS = 40


def main(folder: Path) -> None:
    """Write features, rows and classes."""
    rng = np.random.default_rng(2026)
    folder.mkdir(parents=True, exist_ok=True)
    semantics = np.array(list(FAULTS.values()))
    mixed = rng.normal(size=(len(ATTRIBUTES), N_SENSORS))
    means = np.tanh((semantics - semantics.mean(axis=0)) @ mixed)
    labels = np.repeat(list(FAULTS), N_RECORDINGS)
    features = np.repeat(means, N_RECORDINGS, axis=0) + 0.35 * rng.normal(size=(len(labels), N_SENSORS))
    np.save(folder / "features.npy", features.astype(np.float32))
    write_table(folder / "rows.csv", ["label"], [[label] for label in labels])
    lines = [[name, "unseen" if name in NEVER_HEARD else "seen", *values] for name, values in FAULTS.items()]
    write_table(folder / "classes.csv", ["name", "split", *ATTRIBUTES], lines)


def write_table(path: Path, names: list[str], lines: list[list[object]]) -> None:
    """Write a csv file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *lines])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
