"""Real files of every kind that zslearn reads, made small, for mutation."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io

from encoders import tiny_backbone, tiny_text_encoder
from torture.cases import quietly
from toy import toy_dataset, write_toy_folder

EXPERIMENT = """
title: Small
note: For the torture.
data: ["{data}"]
splits: [0]
seeds: [0, 1]
models: [eszsl, cada-vae]
at_most:
  n_updates: 4
  teacher_updates: 4
"""
TINY = ["--set", "n_updates=4", "teacher_updates=4", "hidden_dim=8", "latent_dim=3"]


@dataclass(frozen=True)
class Material:
    """Folders of good files.

    Attributes:
        data: A data set in the layout of Xian et al.
        own: The same as own data.
        run: A finished run.
        stopped: A run that was stopped, with its checkpoints.
        rows: Feature files of every kind, for prediction.
        settings: A settings file.
    """

    data: Path
    own: Path
    run: Path
    stopped: Path
    rows: Path
    settings: Path


@dataclass(frozen=True)
class FuzzMaterial(Material):
    """What the fuzzer needs besides, to reach every reader and command.

    Attributes:
        tables: Tables of new classes, and of classes with sentences.
        experiment: A finished experiment.
        document: The experiment as YAML.
        repository: The run as it was pushed.
        images: A folder of images, and the same as an archive.
        backbone: An image backbone.
        encoder: A text encoder.
    """

    tables: Path
    experiment: Path
    document: Path
    repository: Path
    images: Path
    backbone: Path
    encoder: Path


def make_material(folder: Path) -> Material:
    """Write good files."""
    data = write_toy_folder(folder / "toy data ü", n_train=6, n_test=3)
    quietly(["run", "--data", data, "--out", folder / "run", *TINY])
    _stop_one(folder / "stopped", data)
    (folder / "settings.yaml").write_text("n_updates: 4\nteacher_updates: 4\nhidden_dim: 8\nlatent_dim: 3\n")
    return Material(
        data=data,
        own=_own(folder / "own"),
        run=folder / "run",
        stopped=folder / "stopped",
        rows=_rows(folder / "rows"),
        settings=folder / "settings.yaml",
    )


def make_fuzz_material(material: Material, folder: Path) -> FuzzMaterial:
    """Write more good files beside those that are there."""
    (folder / "small.yaml").write_text(EXPERIMENT.format(data=material.data))
    quietly(["benchmark", "run", folder / "small.yaml", "--out", folder / "experiment", "--jobs", "1"])
    quietly(["push", folder / "run", folder / "repository"])
    images, backbone = _images(folder / "images"), tiny_backbone(folder / "backbone", "vit")
    tables, encoder = _tables(folder / "tables"), tiny_text_encoder(folder / "encoder")
    # What these commands import is imported here once, before the workers are forked.
    quietly(["extract", images / "photographs", "--backbone", backbone, "-o", folder / "extracted"])
    quietly(["describe", tables / "sentences.csv", "--encoder", encoder, "-o", folder / "described.npz"])
    shutil.copy(folder / "described.npz", tables)
    quietly(["report", folder / "run", "-o", folder / "report.html"])
    return FuzzMaterial(
        **vars(material),
        tables=tables,
        experiment=folder / "experiment",
        document=folder / "small.yaml",
        repository=folder / "repository",
        images=images,
        backbone=backbone,
        encoder=encoder,
    )


def _stop_one(folder: Path, data: Path) -> None:
    """Leave a run as a kill leaves it: the states of a run that is not finished, without a model."""
    from zslearn.training.checkpoint import Checkpoints

    remove, Checkpoints.remove = Checkpoints.remove, lambda self: None
    try:
        quietly(["run", "--data", data, "--out", folder, *TINY, "--checkpoint-every", "0"])
    finally:
        Checkpoints.remove = remove
    record = json.loads((folder / "record.json").read_text())
    config = {name: record["config"][name] for name in ("n_updates", "teacher_updates", "hidden_dim", "latent_dim")}
    begun = {name: record[name] for name in ("data", "model", "seed", "command", "versions", "hardware")}
    begun |= {"status": "running", "settings": config, "device": "auto", "resumed": 0, "hardware_changes": []}
    (folder / "record.json").write_text(json.dumps(begun))
    for name in ("model.json", "model.safetensors"):
        (folder / name).unlink()


def _rows(folder: Path) -> Path:
    folder.mkdir()
    rows = toy_dataset().features[:4]
    np.save(folder / "rows.npy", rows)
    np.savez(folder / "rows.npz", features=rows)
    np.savez_compressed(folder / "packed.npz", features=rows)
    scipy.io.savemat(folder / "rows.mat", {"features": rows.T})
    scipy.io.savemat(folder / "packed.mat", {"features": rows.T}, do_compression=True)
    lines = [",".join(f"{value:.6g}" for value in row) for row in rows]
    header = ",".join(f"f{i}" for i in range(rows.shape[1]))
    (folder / "rows.csv").write_text("\n".join([header, *lines]) + "\n")
    (folder / "rows.jsonl").write_text("\n".join(json.dumps([float(v) for v in row]) for row in rows) + "\n")
    import h5py
    import pyarrow
    import pyarrow.parquet

    with h5py.File(folder / "seven.mat", "w", userblock_size=512) as file:
        file["features"] = rows
    pyarrow.parquet.write_table(
        pyarrow.table({f"f{i}": rows[:, i] for i in range(rows.shape[1])}), folder / "rows.parquet"
    )
    return folder


def _own(folder: Path) -> Path:
    """Write own data: features, rows, classes."""
    folder.mkdir()
    dataset = toy_dataset(n_train=6, n_test=3)
    np.save(folder / "features.npy", dataset.features)
    names = dataset.class_names
    lines = ["label", *(names[label] for label in dataset.labels)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    unseen = set(dataset.unseen_ids.tolist())
    header = ",".join(["name", "split", *(f"a{i}" for i in range(dataset.semantics.shape[1]))])
    classes = [
        ",".join([name, "unseen" if i in unseen else "seen", *(f"{v:.5g}" for v in dataset.semantics[i])])
        for i, name in enumerate(names)
    ]
    (folder / "classes.csv").write_text("\n".join([header, *classes]) + "\n")
    (folder / "data.json").write_text(json.dumps({"name": "own", "source": "made"}))
    return folder


def _tables(folder: Path) -> Path:
    """Write classes that are described by numbers and by sentences."""
    folder.mkdir()
    semantics = toy_dataset().semantics[:2]
    header = ",".join(["name", *(f"a{i}" for i in range(semantics.shape[1]))])
    rows = [",".join([f"new {i}", *(f"{v:.5g}" for v in vector)]) for i, vector in enumerate(semantics)]
    (folder / "new.csv").write_text("\n".join([header, *rows]) + "\n")
    np.savez(folder / "new.npz", names=np.array(["new 0", "new 1"]), semantics=semantics)
    lines = ["name,text,split", "tiger,an animal with stripes,seen", "rose,a red flower with petals,unseen"]
    (folder / "sentences.csv").write_text("\n".join(lines) + "\n")
    return folder


def _images(folder: Path) -> Path:
    """Write two classes of photographs in several formats, and an archive of them."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, kind in (("a", "png"), ("b", "jpg"), ("c", "gif"), ("d", "webp")):
        path = folder / "photographs" / name / f"{name}.{kind}"
        path.parent.mkdir(parents=True)
        Image.fromarray(rng.integers(0, 255, (40, 30, 3), dtype=np.uint8)).save(path)
    shutil.make_archive(str(folder / "photographs"), "zip", folder / "photographs")
    return folder
