"""Photographs to features: does `zslearn extract` give what the backbone's own program gave?

    python benchmarks/photographs.py sort FLO photos        # the photographs, one folder per flower
    zslearn extract photos --backbone mobilenet-v1 -o flowers
    python benchmarks/photographs.py compare FLO flowers [--out photographs.json]

FLO is a folder with images64.zip, names.csv, att_splits.mat and mobilenet.mat: Oxford Flowers at 64 pixels with the
features of two 8-bit MobileNets, of which the last 1,024 columns are compared; on class splits, without the official
test view.
"""

from __future__ import annotations

import argparse
import csv
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from zslearn import load_data
from zslearn.classifiers.references import run_references
from zslearn.data.dataset import ZSLDataset
from zslearn.data.matfile import mat_strings, read_mat
from zslearn.data.splits import class_split, rehearsal_folds
from zslearn.evaluation.protocol import measure
from zslearn.shapes import Features

MOBILENET_V1 = slice(1280, 2304)
"""The columns that the same backbone made, in 8 bits."""
COLUMNS = ("T1, 8 bits", "T1, extracted", "H, 8 bits", "H, extracted")


def main() -> None:
    """Sort the photographs, or compare the features made of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("sort", "compare"))
    parser.add_argument("flo", type=Path, metavar="FLO")
    parser.add_argument("folder", type=Path, help="sort: where the photographs go; compare: the extracted data")
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, help="compare: where to write the figures as JSON")
    arguments = parser.parse_args()
    if arguments.what == "sort":
        sort(arguments.flo, arguments.folder)
        return
    dataset = load_data(arguments.flo)
    theirs = np.ascontiguousarray(dataset.features[:, MOBILENET_V1])
    ours = in_order(arguments.folder, image_names(arguments.flo))
    alike = cosines(ours, theirs)
    print(f"{len(alike):,} photographs: cosine {alike.mean():.4f} on average, {alike.min():.4f} at least")
    found = differences(dataset, ours, theirs, arguments.splits)
    means = {name: np.mean(figures, axis=0) for name, figures in found.items()}
    print("split  reference               T1 theirs    ours  H theirs    ours")
    for place, split in enumerate(arguments.splits):
        print("\n".join(_line(str(split), name, figures[place]) for name, figures in found.items()))
    print("\n".join(_line("mean", name, mean) for name, mean in means.items()))
    if arguments.out:
        gaps = {name: np.abs(np.diff(np.reshape(figures, (-1, 2, 2)))).max() for name, figures in found.items()}
        figures = {
            "cosine": {"mean": float(alike.mean()), "least": float(alike.min())},
            "mean of splits": {name: dict(zip(COLUMNS, map(float, mean), strict=True)) for name, mean in means.items()},
            "largest difference on a split": {name: float(gap) for name, gap in gaps.items()},
        }
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def image_names(flo: Path) -> tuple[str, ...]:
    """Return the file that each row of the features was made of."""
    return mat_strings(read_mat(flo / "mobilenet.mat", ["image_files"])["image_files"])


def sort(flo: Path, folder: Path) -> None:
    """Unpack the photographs into a folder for each flower."""
    with (flo / "names.csv").open(encoding="utf-8", newline="") as file:
        names = {int(line["label"]): line["name"] for line in csv.DictReader(file)}
    labels = read_mat(flo / "mobilenet.mat", ["labels"])["labels"].ravel()
    with zipfile.ZipFile(flo / "images64.zip") as archive:
        for image, label in zip(image_names(flo), labels, strict=True):
            path = folder / names[int(label)] / image
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(image))


def in_order(data: Path, images: Sequence[str]) -> Features:
    """Return extracted features in the order of the images' names."""
    with (data / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = {Path(line["file"]).name: number for number, line in enumerate(csv.DictReader(file))}
    return np.load(data / "features.npy")[[rows[image] for image in images]]


def cosines(ours: Features, theirs: Features) -> Float[np.ndarray, " n_rows"]:
    """Return the cosine between the two feature vectors of every row."""
    return (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)


def differences(
    dataset: ZSLDataset, ours: Features, theirs: Features, splits: Sequence[int]
) -> dict[str, list[tuple[float, ...]]]:
    """Measure every reference on both features; T1 of theirs and ours, H of theirs and ours, in percent, by split."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for split in splits:
        on_theirs, on_ours = (
            references(class_split(replace(dataset, features=features), split)) for features in (theirs, ours)
        )
        for name, (t1, h) in on_theirs.items():
            own_t1, own_h = on_ours[name]
            found.setdefault(name, []).append((t1, own_t1, h, own_h))
    return found


def _line(split: str, name: str, figures: Iterable[float]) -> str:
    return f"{split:5}  {name:23}" + "".join(f"{figure:9.1f}" for figure in figures)


def references(dataset: ZSLDataset) -> dict[str, tuple[float, float]]:
    """Return T1 and the corrected H of every reference, in percent."""
    view, test = dataset.training(), dataset.test()
    found = {}
    for name, reference in run_references(view, rehearsal_folds(view, seed=0)).items():
        measured = measure(reference.scores(test.features), test, reference.offset or 0.0)
        found[name] = (100 * measured.plain.t1, 100 * measured.corrected.h)
    return found


if __name__ == "__main__":
    main()
