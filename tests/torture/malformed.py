"""Malformed inputs for every reader and every command."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torture.cases import Figures, Outcome, command, judge, run_all
from torture.material import FuzzMaterial
from torture.mutations import mutated, nasty_word

SEED = 20251125
Prepared = tuple[list[object], Path]
"""The words of a command, and the folder to run it in."""
Prepare = Callable[[Path], Callable[[], int]]
"""Fills a folder and returns what to do there."""


def malformed(material: FuzzMaterial, cases: Sequence[int], n_workers: int, scratch: Path) -> Figures:
    """Give malformed inputs, each known by its number, to the command's entry function."""
    actions = {
        f"case {number} ({_KINDS[number % len(_KINDS)].__name__})": lambda folder, number=number: command(
            *_prepared(material, number, folder)
        )
        for number in cases
    }
    return _tried(f"{len(cases)} malformed inputs to the entry function", actions, n_workers, scratch)


def installed(material: FuzzMaterial, cases: Sequence[int], n_workers: int, scratch: Path) -> Figures:
    """Give malformed inputs to the installed command, in processes of its own."""
    program = Path(sys.executable).with_name("zslearn")
    # Where the package runs from its source folder, the module stands for the script.
    start = [str(program)] if program.exists() else [sys.executable, "-m", "zslearn"]
    actions = {
        f"case {number}": lambda folder, number=number: _executed(start, *_prepared(material, number, folder))
        for number in cases
    }
    return _tried(f"{len(cases)} malformed inputs to the installed command", actions, n_workers, scratch)


def fetched(material: FuzzMaterial, n_cases: int, n_workers: int, scratch: Path) -> Figures:
    """Fetch the benchmark that has no public address: what was put in its place is damaged, and so are some words."""
    actions = {
        f"fetch {number}": lambda folder, number=number: _fetched(material, random.Random(f"f{SEED}/{number}"), folder)
        for number in range(n_cases)
    }
    return _tried(f"{n_cases} benchmarks that were put in their place, damaged", actions, n_workers, scratch)


def _tried(title: str, actions: Mapping[str, Prepare], n_workers: int, scratch: Path) -> Figures:
    """Run what is prepared by name, and judge how each ended and what it left."""
    figures = Figures(title)
    for name, folder, outcome in run_all(actions.items(), n_workers, scratch):
        judge(name, outcome, figures)
        _left_behind(name, folder, outcome, figures)
    return figures


def _fetched(material: FuzzMaterial, rng: random.Random, folder: Path) -> Callable[[], int]:
    shutil.copytree(material.data, folder / "FLO")
    _damage(folder / "FLO" / rng.choice(("att_splits.mat", "res101.mat")), rng)
    words: list[object] = ["data", "fetch", "flo", "--accept-licence"]
    if rng.random() < 0.3:
        words.insert(rng.randrange(3, len(words) + 1), nasty_word(rng))
    _note_files(folder)

    def act() -> int:
        os.environ["ZSLEARN_DATA"] = str(folder)
        return command(words, folder)()

    return act


def _executed(start: Sequence[str], words: Sequence[object], folder: Path) -> Callable[[], int]:
    """Return an action that becomes another program."""

    def act() -> int:
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execv(start[0], [*start, *map(_argument, words)])

    return act


def _argument(word: object) -> bytes:
    return str(word).encode("utf-8", "surrogateescape")


def _prepared(material: FuzzMaterial, number: int, folder: Path) -> Prepared:
    rng = random.Random(f"{SEED}/{number}")
    words = _KINDS[number % len(_KINDS)](material, rng, folder)
    _note_files(folder)
    return words, folder


def _damage(path: Path, rng: random.Random, other: Path | None = None) -> None:
    path.write_bytes(mutated(path.read_bytes(), rng, b"" if other is None else other.read_bytes()))


def _feature_file(material: FuzzMaterial, rng: random.Random, folder: Path) -> list[object]:
    files = sorted(material.rows.iterdir())
    source = rng.choice(files)
    path = Path(shutil.copy(source, folder))
    _damage(path, rng, rng.choice(files))
    if rng.random() < 0.1:
        path = path.rename(path.with_suffix(rng.choice(files).suffix))
    return ["predict", material.run, path, "-o", folder / "answers.csv"]


def _split_file(material: FuzzMaterial, rng: random.Random, folder: Path) -> list[object]:
    shutil.copytree(material.data, folder, dirs_exist_ok=True)
    _damage(folder / rng.choice(("att_splits.mat", "res101.mat")), rng)
    return ["show", "data", folder]


def _own_data(material: FuzzMaterial, rng: random.Random, folder: Path) -> list[object]:
    shutil.copytree(material.own, folder, dirs_exist_ok=True)
    _damage(folder / rng.choice(("classes.csv", "rows.csv", "data.json", "features.npy")), rng)
    return ["show", "data", folder]


def _settings_file(material: FuzzMaterial, rng: random.Random, folder: Path) -> list[object]:
    path = Path(shutil.copy(material.settings, folder))
    _damage(path, rng)
    # The folder is no data set, so that settings which are right do not start a training.
    return ["run", "--config", path, "--data", folder, "--out", folder / "r"]


def _run_folder(material: FuzzMaterial, rng: random.Random, folder: Path) -> list[object]:
    run = folder / "run"
    shutil.copytree(material.run, run)
    _damage(run / rng.choice(("record.json", "model.json", "model.safetensors")), rng)
    rows = material.rows / "rows.npy"
    return rng.choice(
        (
            ["evaluate", run],
            ["predict", run, rows, "-o", folder / "answers.csv"],
            ["synthesize", run, "--classes", "kind 1", "-n", "2", "-o", folder / "drawn.npz"],
        )
    )


def _stopped_run(material: FuzzMaterial, rng: random.Random, folder: Path) -> list[object]:
    run = folder / "run"
    shutil.copytree(material.stopped, run)
    if rng.random() < 0.7:
        _damage(run / "record.json", rng)
    else:
        # Other data, so that a record that is right does not start a training.
        record = (run / "record.json").read_text()
        (run / "record.json").write_text(record.replace('"checksum": "', '"checksum": "0'))
        _damage(rng.choice(sorted((run / "checkpoints").iterdir())), rng)
    return ["run", "--resume", run]


def _words(material: FuzzMaterial, rng: random.Random, folder: Path) -> list[object]:
    commands: Sequence[list[object]] = (
        ["run", "--data", folder, "--out", folder / "r", "--seed", "0", "--set", "n_updates=2", "--device", "cpu"],
        ["predict", material.run, material.rows / "rows.npy", "--candidates", "all", "-o", folder / "answers.csv"],
        ["evaluate", material.run, "--data", material.data, "--split", "official", "--features", "res101.mat"],
        ["synthesize", material.run, "--classes", "kind 1", "-n", "2", "--seed", "0", "-o", folder / "drawn.npz"],
        ["show", "models", "skd"],
        ["show", "data", "glyphs", "--json"],
        ["show", "published", "CUB"],
        ["classes", material.run, "list", "--json"],
        ["report", material.run, "--format", "md"],
        ["benchmark", "show", "quick"],
        ["ablate", "--data", folder, "--splits", "0", "--seeds", "0", "--arm", "x", "sp_weight=1", "--jobs", "1"],
        ["sweep", "--data", folder, "--field", "sp_weight", "--values", "0", "1", "--seeds", "0", "--jobs", "1"],
        ["export", material.run, "--format", "onnx", "-o", folder / "x.onnx"],
    )
    words = list(rng.choice(commands))
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(words) + 1)
        match rng.randrange(4):
            case 0:
                words[at:at] = [nasty_word(rng)]
            case 1 if at < len(words):
                words[at] = nasty_word(rng)
            case 2 if at < len(words):
                del words[at]
            case 3 if at < len(words):
                words[at] = f"{words[at]}{nasty_word(rng)}"
    if words and words[0] in ("run", "ablate", "sweep") and "--data" not in words:
        words += ["--data", folder]
    return [str(word) for word in words]


def _data_tools(material: FuzzMaterial, rng: random.Random, folder: Path) -> list[object]:
    if rng.random() < 0.5:
        _split_file(material, rng, folder)
    else:
        _own_data(material, rng, folder)
    return rng.choice(
        (
            ["data", "check", folder],
            ["data", "show", folder],
            ["data", "convert", folder, "-o", folder / "other", "--to", "own"],
            ["data", "convert", folder, "-o", folder / "other", "--to", "xlsa17"],
        )
    )


def _new_classes(material: FuzzMaterial, rng: random.Random, folder: Path) -> list[object]:
    run = Path(shutil.copytree(material.run, folder / "run"))
    table = Path(shutil.copy(material.tables / rng.choice(("new.csv", "new.npz", "described.npz")), folder))
    _damage(table, rng)
    return ["classes", run, "add", "--from", table]


def _experiment_document(material: FuzzMaterial, rng: random.Random, folder: Path) -> list[object]:
    document = Path(shutil.copy(material.document, folder))
    _damage(document, rng)
    return ["benchmark", "validate", document]


def _experiment_folder(material: FuzzMaterial, rng: random.Random, folder: Path) -> list[object]:
    experiment = Path(shutil.copytree(material.experiment, folder / "experiment"))
    _damage(rng.choice(sorted(experiment.rglob("*.json"))), rng)
    return rng.choice(
        (
            ["report", experiment, "--format", rng.choice(("html", "md", "latex", "csv"))],
            ["benchmark", "status", experiment],
            ["benchmark", "table", experiment],
        )
    )


def _finished_run(material: FuzzMaterial, rng: random.Random, folder: Path) -> list[object]:
    run = Path(shutil.copytree(material.run, folder / "run"))
    _damage(rng.choice([path for path in sorted(run.iterdir()) if path.suffix in (".json", ".jsonl")]), rng)
    return rng.choice(
        (
            ["run", "--resume", run],
            ["report", run, "--format", rng.choice(("html", "md", "latex", "csv"))],
            ["push", run, folder / "repository"],
            ["classes", run, "list"],
        )
    )


def _repository(material: FuzzMaterial, rng: random.Random, folder: Path) -> list[object]:
    repository = Path(shutil.copytree(material.repository, folder / "repository"))
    _damage(rng.choice(sorted(repository.iterdir())), rng)
    return ["pull", repository, "-o", folder / "model"]


def _images(material: FuzzMaterial, rng: random.Random, folder: Path) -> list[object]:
    backbone = material.backbone
    shutil.copytree(material.images, folder, dirs_exist_ok=True)
    match rng.randrange(4):
        case 0:
            _damage(folder / "photographs.zip", rng)
        case 1:
            backbone = Path(shutil.copytree(material.backbone, folder / "backbone"))
            _damage(rng.choice(sorted(backbone.iterdir())), rng)
        case _:
            for path in sorted((folder / "photographs").rglob("*.*")):
                _damage(path, rng)
    images = folder / rng.choice(("photographs", "photographs.zip"))
    return ["extract", images, "--backbone", backbone, "--device", "cpu", "-o", folder / "data"]


def _sentences(material: FuzzMaterial, rng: random.Random, folder: Path) -> list[object]:
    table = Path(shutil.copy(material.tables / "sentences.csv", folder))
    encoder = material.encoder
    if rng.random() < 0.6:
        _damage(table, rng)
    else:
        encoder = Path(shutil.copytree(material.encoder, folder / "encoder"))
        _damage(rng.choice(sorted(encoder.iterdir())), rng)
    return ["describe", table, "--encoder", encoder, "-o", folder / "semantics.npz"]


_KINDS = (
    _feature_file,
    _split_file,
    _data_tools,
    _own_data,
    _feature_file,
    _run_folder,
    _words,
    _settings_file,
    _stopped_run,
    _new_classes,
    _experiment_document,
    _experiment_folder,
    _finished_run,
    _repository,
    _images,
    _sentences,
    _feature_file,
    _split_file,
    _stopped_run,
    _words,
)


def _note_files(folder: Path) -> None:
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    folder.with_suffix(".files").write_text("\n".join(names), encoding="utf-8", errors="surrogateescape")


def _left_behind(name: str, folder: Path, outcome: Outcome, figures: Figures) -> None:
    """Note files that a refused command has left."""
    note = folder.with_suffix(".files")
    before = set(note.read_text(encoding="utf-8", errors="surrogateescape").split("\n"))
    note.unlink()
    after = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    if outcome.code != 0 and after - before:
        figures.problem(f"{name}: left behind {sorted(after - before)[:5]}")
