"""Model folders that a stranger made to mislead: all of them must be refused, and nothing in them may be executed."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from torture.cases import Figures, command, judge, run_all
from torture.material import Material
from zslearn.tensor_files import write_tensors

SEED = 8
FACTS, TENSORS = "model.json", "model.safetensors"


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.canary,))


def hostile(material: Material, n_models: int, n_workers: int, scratch: Path) -> Figures:
    """Offer ``n_models`` hostile models to the commands that load one."""
    figures = Figures(f"{n_models} hostile model folders")
    kinds = list(_KINDS)

    def jobs() -> Iterator[tuple[str, Callable[[Path], Callable[[], int]]]]:
        for number in range(n_models):
            yield str(number), lambda folder, number=number: _prepare(material, number, folder)

    for name, folder, outcome in run_all(jobs(), n_workers, scratch):
        case = f"model {name} ({kinds[int(name) % len(kinds)].__name__})"
        judge(case, outcome, figures)
        if outcome.code == 0:
            figures.problem(f"{case}: accepted: {outcome.output[-200:]}")
        if (folder / "canary").exists():
            figures.problem(f"{case}: something was executed")
        if any(folder.glob("answers*")) or any(folder.glob("drawn*")):
            figures.problem(f"{case}: left files behind")
    return figures


def _prepare(material: Material, number: int, folder: Path) -> Callable[[], int]:
    rng = random.Random(f"{SEED}/{number}")
    run = folder / "run"
    shutil.copytree(material.run, run)
    _KINDS[number % len(_KINDS)](run, rng, folder / "canary")
    words = rng.choice(
        (
            ["predict", run, material.rows / "rows.npy", "-o", folder / "answers.csv"],
            ["synthesize", run, "--classes", "kind 1", "-n", "2", "-o", folder / "drawn.npz"],
            ["evaluate", run],
        )
    )
    return command(words, folder)


def _change_facts(run: Path, **changes: Any) -> None:
    facts = json.loads((run / FACTS).read_text())
    (run / FACTS).write_text(json.dumps({**facts, **changes}))


def _save(run: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Write tensors with the right digest, as someone would who knows the format."""
    _change_facts(run, tensors=write_tensors(run / TENSORS, tensors))


def wrong_shapes(run: Path, rng: random.Random, canary: Path) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_file(run / TENSORS).items()}
    name = rng.choice([name for name, tensor in tensors.items() if tensor.dim() and tensor.numel() > 1])
    old = tensors[name]
    sides = list(old.shape)
    sides[rng.randrange(len(sides))] += rng.choice((1, 3, 50))
    tensors[name] = torch.zeros(sides, dtype=old.dtype)
    _save(run, tensors)


def missing_or_foreign_tensors(run: Path, rng: random.Random, canary: Path) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_file(run / TENSORS).items()}
    name = rng.choice([name for name in tensors if not name.startswith("feature_space.")])
    tensor = tensors.pop(name)
    if rng.random() < 0.5:
        tensors[name + rng.choice(("x", "/../y", "\x1b[2J"))] = tensor
    _save(run, tensors)


def numbers_that_are_none(run: Path, rng: random.Random, canary: Path) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_file(run / TENSORS).items()}
    name = rng.choice([name for name, tensor in tensors.items() if tensor.numel()])
    value = rng.choice((float("nan"), float("inf"))) if tensors[name].is_floating_point() else -1
    tensors[name].view(-1)[rng.randrange(tensors[name].numel())] = value
    _save(run, tensors)


def headers_that_lie(run: Path, rng: random.Random, canary: Path) -> None:
    content = (run / TENSORS).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    name = rng.choice([name for name in header if name != "__metadata__"])
    entry = header[name]
    match rng.randrange(9):
        case 0:
            (run / TENSORS).write_bytes(struct.pack("<Q", rng.choice((1 << 20, 1 << 40, (1 << 64) - 1))) + content[8:])
            return
        case 1:
            entry["shape"] = [1 << 40, 1 << 20]
        case 2:
            entry["data_offsets"] = [0, 1 << 50]
        case 3:
            entry["data_offsets"][1] += rng.choice((-1, 1, 8))
        case 4:
            entry["dtype"] = rng.choice(("F128", "O", "F16", "", 7))
        case 5:
            entry["shape"] = rng.choice(([-1], ["a"], {}, None, [1.5], [True]))
        case 6:
            header |= {f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(20_000)}
        case 7:
            header["__metadata__"] = rng.choice(([], {"zslearn": 3}, {"zslearn": {"a": 1}}, "x"))
        case 8:
            (run / TENSORS).write_bytes(struct.pack("<Q", 200_000) + b"[" * 200_000)
            return
    text = json.dumps(header).encode()
    (run / TENSORS).write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def settings_that_ask_for_too_much(run: Path, rng: random.Random, canary: Path) -> None:
    facts = json.loads((run / FACTS).read_text())
    name = rng.choice(("hidden_dim", "latent_dim", "teacher_hidden_dim"))
    facts["settings"][name] = rng.choice((10**9, 10**6, 2**62, 10**30, -1, 0, "8", None, 1e9, [8], True))
    (run / FACTS).write_text(json.dumps(facts))


def facts_of_a_wrong_kind(run: Path, rng: random.Random, canary: Path) -> None:
    facts = json.loads((run / FACTS).read_text())
    names = ("model", "settings", "seed", "rehearse", "feature_space", "feature_dim", "classes", "seen", "added")
    name = rng.choice(names)
    right = facts[name]
    values = [None, 7.5, {"a": 1}, [], [[]], "os.system", -1, 10**12, {"__reduce__": "x"}, ["../.."]]
    # A model may have lost all its seen classes.
    allowed = {"seen": [], "added": []}.get(name)
    wrong = [value for value in values if type(value) is not type(right) or not value]
    facts[name] = rng.choice([value for value in wrong if allowed is None or value != allowed])
    if facts[name] == right:
        del facts[name]
    (run / FACTS).write_text(json.dumps(facts))


def deep_or_odd_json(run: Path, rng: random.Random, canary: Path) -> None:
    content = rng.choice(
        (
            "[" * 100_000,
            '{"a":' * 50_000,
            '{"format": "zslearn-model", "version": 1, "x": NaN}',
            "",
            "null",
            "\ufeff{}",
            '{"format": "zslearn-model", "version": 1, "x": ' + "9" * 5000 + "}",
            '{"format": "zslearn-model", "version": 1}',
        )
    )
    (run / FACTS).write_text(content, encoding="utf-8")


def other_versions(run: Path, rng: random.Random, canary: Path) -> None:
    if rng.random() < 0.5:
        _change_facts(run, version=rng.choice((0, 2, 99, -1, "1", None, 1.5, [1])))
    else:
        _change_facts(run, format=rng.choice(("zslearn", "pickle", None, 1, ["zslearn-model"])))


def names_that_trick(run: Path, rng: random.Random, canary: Path) -> None:
    facts = json.loads((run / FACTS).read_text())
    trick = rng.choice(("\x1b[31mred", "a\nb", "\x00", "a" * 10_000, "", "\u202egnp.exe", facts["classes"][1], "\r"))
    facts["classes"][0] = trick
    facts["seen"] = [name for name in facts["seen"] if name in facts["classes"]]
    (run / FACTS).write_text(json.dumps(facts))


def paths_that_trick(run: Path, rng: random.Random, canary: Path) -> None:
    name = rng.choice((FACTS, TENSORS))
    (run / name).unlink()
    match rng.randrange(5):
        case 0:
            (run / name).symlink_to(run / name)
        case 1:
            (run / name).symlink_to("/dev/zero")
        case 2:
            os.mkfifo(run / name)
        case 3:
            (run / name).mkdir()
        case 4:
            (run / name).symlink_to("/etc/passwd")


def pickles_in_disguise(run: Path, rng: random.Random, canary: Path) -> None:
    name = rng.choice((FACTS, TENSORS))
    payload = pickle.dumps({"weight": Payload(canary)}, protocol=rng.choice((0, 2, 4)))
    if rng.random() < 0.5:
        with zipfile.ZipFile(run / name, "w") as archive:
            archive.writestr("archive/data.pkl", payload)
            archive.writestr("archive/version", "3")
    else:
        (run / name).write_bytes(payload)


def damage_in_the_header(run: Path, rng: random.Random, canary: Path) -> None:
    content = bytearray((run / TENSORS).read_bytes())
    for _ in range(rng.randrange(1, 5)):
        content[rng.randrange(8, 400)] = rng.choice(b'{}[]",:\x00\xff0')
    if bytes(content) == (run / TENSORS).read_bytes():
        content[0] ^= 0xFF
    (run / TENSORS).write_bytes(bytes(content))


def damage_in_the_numbers(run: Path, rng: random.Random, canary: Path) -> None:
    content = bytearray((run / TENSORS).read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    content[rng.randrange(start, len(content))] ^= 1 << rng.randrange(8)
    (run / TENSORS).write_bytes(bytes(content))


def cut_short(run: Path, rng: random.Random, canary: Path) -> None:
    path = run / rng.choice((FACTS, TENSORS))
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content) - 2)])


_KINDS = (
    wrong_shapes,
    missing_or_foreign_tensors,
    numbers_that_are_none,
    headers_that_lie,
    settings_that_ask_for_too_much,
    facts_of_a_wrong_kind,
    deep_or_odd_json,
    other_versions,
    names_that_trick,
    paths_that_trick,
    pickles_in_disguise,
    damage_in_the_header,
    damage_in_the_numbers,
    cut_short,
)
