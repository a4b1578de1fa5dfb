"""How long a training step takes: beside the field's way, the machine's matrix products, and the authors' code.

    python benchmarks/step.py                       # f-CLSWGAN's generator update at its AWA2 sizes
    python benchmarks/step.py --zoo                 # the other methods too, beside what their authors' code needed
    python benchmarks/step.py --hidden-dim 512 --rounds 3 --out other.json

Every way has a process of its own, with the allocator that it would have, and they take turns: the figures of one round
are made within seconds of each other, and ratios are medians over the rounds. The floor is the time of the matrix
products that the update cannot do without, on the same shapes, in the same rounds. Figures go to step.json.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from eager import EagerFCLSWGAN, FieldDraws, Network
from torch import Tensor
from torch.nn import functional

from zslearn.allocator import keep_freed_memory
from zslearn.configuration import build
from zslearn.devices import has_bf16, resolve_precision
from zslearn.files import write_json
from zslearn.models import model_entry
from zslearn.models.base import Task
from zslearn.nets import multiplied_in
from zslearn.records import peak_memory_bytes, versions
from zslearn.training.loop import Loop, Rows
from zslearn.training.plan import Plan
from zslearn.training.streams import Streams

RESULT = Path(__file__).with_name("step.json")
COMPILED = Path(__file__).with_name("compiled.json")
CPU = torch.device("cpu")
Update = Callable[[], object]


@dataclass(frozen=True)
class Sizes:
    """The sizes of f-CLSWGAN's update; those of its authors for AWA2 unless said otherwise."""

    feature_dim: int = 2048
    semantic_dim: int = 85
    hidden_dim: int = 4096
    batch_size: int = 64
    critic_updates: int = 5
    n_rows: int = 23_527
    n_seen: int = 40


@dataclass(frozen=True)
class Authors:
    """A method at its authors' AWA2 settings.

    Attributes:
        settings: The settings that a step depends on.
        seconds: What an update of their code took, on two cores of an AMD EPYC with AVX-512 and torch 2.13 while the
            machine was quiet; None where there is no code or no figure.
        update: What an update is.
    """

    settings: Mapping[str, Any]
    seconds: float | None
    update: str


_GAN = {"hidden_dim": 4096, "batch_size": 64, "critic_updates": 5}
ZOO = {
    "f-clswgan": Authors(_GAN, 1.18, "5 of the critic, 1 of the generator"),
    "f-vaegan": Authors({**_GAN, "encoded_noise": True}, None, "5 of the critic, 1 of encoder and generator"),
    "tf-vaegan": Authors(
        {**_GAN, "encoded_noise": True, "decoder_sees_fakes": False},
        1.66 + 2.20,
        "without feedback and with it: 5 of critic and decoder, 1 of the generator",
    ),
    "free": Authors(
        {**_GAN, "critic_updates": 1, "encoded_noise": True, "other_centre": "nearest"},
        0.50,
        "1 of critic, refinement and generator",
    ),
    "cada-vae": Authors({}, 0.055, "1 of all four networks"),
    "ce-gzsl": Authors(
        {**_GAN, "batch_size": 128, "embedding_dim": 2048, "scorer_dim": 2048},
        56.0,
        "5 of critic and embedding, 1 of the generator; batch 128 instead of 4096, processor time of their code",
    ),
    "lsrgan": Authors(_GAN, None, "5 of the critic, 2 of the generator"),
    "re-gzsl": Authors(_GAN, None, "5 of critic and embedding, 1 of the generator"),
}


def main() -> None:
    """Measure, print tables, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", action="store_true", help="also the other methods, at their authors' sizes")
    parser.add_argument("--compiled", action="store_true", help="instead: methods compiled by torch.compile, or not")
    parser.add_argument("--hidden-dim", type=int, default=Sizes.hidden_dim)
    parser.add_argument("--batch-size", type=int, default=Sizes.batch_size)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=None, help="default: step.json or compiled.json beside this file")
    arguments = parser.parse_args()
    if arguments.compiled:
        report = measure_compiled(arguments.rounds, arguments.threads)
        print(compiled_table(report))
        write_json(arguments.out or COMPILED, report)
        return
    sizes = Sizes(hidden_dim=arguments.hidden_dim, batch_size=arguments.batch_size)
    report = measure(sizes, arguments.rounds, arguments.threads)
    print(step_table(report))
    if arguments.zoo:
        report["zoo"] = measure_zoo(arguments.rounds, arguments.threads)
        print("\n" + zoo_table(report["zoo"]))
    write_json(arguments.out or RESULT, report)


def measure(sizes: Sizes, n_rounds: int, n_threads: int) -> dict[str, Any]:
    """Compare the field's way, the library's and the floor, in each precision that the machine has."""
    ways: dict[str, Callable[[], Update]] = {"field float32": FieldsWay(sizes)}
    settings = {name: getattr(sizes, name) for name in ("hidden_dim", "batch_size", "critic_updates")}
    for precision in precisions():
        ways[f"zslearn {precision}"] = Library("f-clswgan", settings, precision, sizes)
        ways[f"floor {precision}"] = Floor(sizes, precision)
    return {
        "machine": {**machine(), "threads": n_threads},
        "sizes": asdict(sizes),
        "gflop": sum(2 * rows * inner * columns * times for rows, inner, columns, times in products(sizes)) / 1e9,
        "ways": take_turns(ways, n_rounds, n_threads),
    }


def measure_zoo(n_rounds: int, n_threads: int) -> dict[str, Any]:
    """Measure the other methods, one after the other."""
    found = {}
    for model, authors in ZOO.items():
        ways = {precision: Library(model, authors.settings, precision, Sizes()) for precision in precisions()}
        found[model] = {**asdict(authors), "ways": take_turns(ways, n_rounds, n_threads)}
    return found


def measure_compiled(n_rounds: int, n_threads: int) -> dict[str, Any]:
    """Measure updates with compiled losses beside plain ones; not the first, which compiles them."""
    found = {}
    for model, settings in {"f-clswgan": ZOO["f-clswgan"].settings, "skd": {}}.items():
        plain = Library(model, settings, "float32", Sizes())
        found[model] = take_turns({"plain": plain, "compiled": replace(plain, compiled=True)}, n_rounds, n_threads)
    return {"machine": {**machine(), "threads": n_threads}, "models": found}


def precisions() -> tuple[str, ...]:
    """The precisions that this machine has."""
    return ("float32", "bf16") if has_bf16(CPU) else ("float32",)


def machine() -> dict[str, Any]:
    """What the figures were made on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {"processor": names[0] if names else platform.processor(), "bf16": has_bf16(CPU), **versions()}


@dataclass(frozen=True)
class FieldsWay:
    """f-CLSWGAN as the field writes it."""

    sizes: Sizes

    def __call__(self) -> Update:
        """Make networks and data, and return the step."""
        sizes, (features, labels, semantics) = self.sizes, make_rows(self.sizes)
        x, a, h = sizes.feature_dim, sizes.semantic_dim, sizes.hidden_dim
        return EagerFCLSWGAN(
            generator=Network(a + a, h, x),
            critic=Network(x + a, h, 1, last_bias=False),
            classifier=torch.nn.Linear(x, sizes.n_seen),
            features=features,
            labels=labels,
            semantics=semantics,
            draws=FieldDraws(),
            batch_size=sizes.batch_size,
            latent_dim=a,
            critic_updates=sizes.critic_updates,
        ).step


@dataclass(frozen=True)
class Library:
    """A model of the zoo, in the common loop; several seeds as one computation."""

    model: str
    settings: Mapping[str, Any]
    precision: str
    sizes: Sizes
    n_seeds: int = 1
    compiled: bool = False

    def __call__(self) -> Update:
        """Make the model and return the step of its last stage."""
        keep_freed_memory()
        sizes, (features, labels, semantics) = self.sizes, make_rows(self.sizes)
        task = Task(
            kind="unit",
            semantics=semantics,
            seen_ids=torch.arange(sizes.n_seen),
            unseen_ids=torch.arange(0),
            seen_means=torch.rand(sizes.n_seen, sizes.feature_dim),
            seen_variances=torch.rand(sizes.n_seen, sizes.feature_dim),
        )
        model_class = model_entry(self.model).load()
        streams = Streams(0 if self.n_seeds == 1 else range(self.n_seeds))
        model = model_class(task, build(model_class.Config, self.settings), streams)
        rows, plan = Rows(features, labels, semantics), Plan(model.plan().stages[-1:])
        loop = Loop(model, plan, rows, streams, compiled=self.compiled)
        products_in = resolve_precision(self.precision, CPU)

        def step() -> None:
            with multiplied_in(products_in, model):
                loop.step()

        return step


@dataclass(frozen=True)
class Floor:
    """The matrix products of an update and nothing else, into memory that is there."""

    sizes: Sizes
    precision: str

    def __call__(self) -> Update:
        """Make the matrices and return all products of a step."""
        dtype = resolve_precision(self.precision, CPU)
        matrices: dict[tuple[int, int, str], Tensor] = {}

        def matrix(rows: int, columns: int, role: str) -> Tensor:
            key = (rows, columns, role)
            if key not in matrices:
                matrices[key] = torch.randn(rows, columns).to(dtype)
            return matrices[key]

        each = [
            (matrix(rows, inner, "left"), matrix(inner, columns, "right"), matrix(rows, columns, "out"), times)
            for rows, inner, columns, times in products(self.sizes)
        ]

        def multiply() -> None:
            for left, right, out, times in each:
                for _ in range(times):
                    torch.mm(left, right, out=out)

        return multiply


def products(sizes: Sizes) -> list[tuple[int, int, int, int]]:
    """List the matrix products that an update cannot do without: rows, inner side, columns, and how often."""
    x, a, h, b, n = sizes.feature_dim, sizes.semantic_dim, sizes.hidden_dim, sizes.batch_size, sizes.critic_updates
    sample = [(b, 2 * a, h), (b, h, x)]
    critic = [
        *sample,
        (2 * b, x, h),  # hidden layer on real samples and fakes
        (b, a, h),  # and on their shared condition
        (b, h, x),  # slope between them
        (b, x, h),  # what the penalty changes in the last layer
        (h, 3 * b, x),  # what gap and penalty change in the first one
        (h, b, a),
    ]
    generator = [
        *sample,
        (b, x + a, h),  # critic
        (b, h, x),  # and back to the fakes
        (b, x, sizes.n_seen),  # classifier
        (b, sizes.n_seen, x),
        (x, b, h),  # last layer
        (b, x, h),
        (h, b, 2 * a),  # first layer
    ]
    return [(*shape, n) for shape in critic] + [(*shape, 1) for shape in generator]


def make_rows(sizes: Sizes) -> tuple[Tensor, Tensor, Tensor]:
    """Make up features, labels and semantics."""
    rng = torch.Generator().manual_seed(0)
    features = torch.rand(sizes.n_rows, sizes.feature_dim, generator=rng)
    labels = torch.randint(sizes.n_seen, (sizes.n_rows,), generator=rng)
    return features, labels, functional.normalize(torch.rand(sizes.n_seen, sizes.semantic_dim, generator=rng), dim=1)


def take_turns(ways: Mapping[str, Callable[[], Update]], n_rounds: int, n_threads: int) -> dict[str, Any]:
    """Run one update of each way in turn, every way in its own process.

    Returns:
        For each way: seconds and processor seconds of every round, and the peak memory beyond data and imports.
    """
    context = multiprocessing.get_context("spawn")
    lines: dict[str, Connection] = {}
    processes = []
    for name, way in ways.items():
        lines[name], other_end = context.Pipe()
        processes.append(context.Process(target=_serve, args=(way, n_threads, other_end), daemon=True))
        processes[-1].start()
        lines[name].recv()
    found: dict[str, Any] = {name: {"seconds": [], "processor_seconds": []} for name in ways}
    for _ in range(n_rounds):
        for name, line in lines.items():
            line.send(True)
            seconds, processor_seconds = line.recv()
            found[name]["seconds"].append(seconds)
            found[name]["processor_seconds"].append(processor_seconds)
    for name, line in lines.items():
        line.send(False)
        found[name]["peak_bytes"] = line.recv()
    for process in processes:
        process.join()
    return found


def _serve(way: Callable[[], Update], n_threads: int, line: Connection) -> None:
    torch.set_num_threads(n_threads)
    before = peak_memory_bytes()
    update = way()
    update()
    line.send(True)
    while line.recv():
        begun, used = time.perf_counter(), time.process_time()
        update()
        line.send((time.perf_counter() - begun, time.process_time() - used))
    line.send(peak_memory_bytes() - before)


def ratio(ways: Mapping[str, Any], slow: str, fast: str, clock: str = "seconds") -> float:
    """The median over the rounds of how many times longer one way took than the other."""
    return statistics.median(a / b for a, b in zip(ways[slow][clock], ways[fast][clock], strict=True))


def step_table(report: Mapping[str, Any]) -> str:
    """Lay out the comparison: ratios by the clock and, in brackets, by processor time, if others use the machine."""
    ways = report["ways"]
    columns = ("way", "seconds (processor)", "field's way / this", "floor / this", "memory, MB")
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    for name, found in ways.items():
        kind, precision = name.rsplit(" ", 1)
        of_floor = both_clocks(ways, f"floor {precision}", name) if kind == "zslearn" else ""
        lines.append(
            f"| {name} | {both_medians(found)} | {both_clocks(ways, 'field float32', name)} | {of_floor} "
            f"| {found['peak_bytes'] / 1e6:.0f} |"
        )
    return "\n".join([*lines, "", summary(report)])


def compiled_table(report: Mapping[str, Any]) -> str:
    """Lay out how long compiled updates take beside plain ones."""
    lines = ["| update of | plain, seconds | compiled, seconds | compiled / plain |", "| --- " * 4 + "|"]
    for model, ways in report["models"].items():
        times = f"{ratio(ways, 'compiled', 'plain'):.2f}"
        lines.append(f"| {model} | {both_medians(ways['plain'])} | {both_medians(ways['compiled'])} | {times} |")
    return "\n".join(lines)


def summary(report: Mapping[str, Any]) -> str:
    """How much an update multiplies, how fast the machine did at best, and how much memory the rows take."""
    floors = {name.rsplit(" ", 1)[1]: found for name, found in report["ways"].items() if name.startswith("floor")}
    gflop, sizes = report["gflop"], report["sizes"]
    rates = (f"{gflop / min(found['processor_seconds']):.0f} Gflop in {each}" for each, found in floors.items())
    return (
        f"The products of an update are {gflop:.1f} Gflop; in a processor second the machine multiplied at best "
        f"{' and '.join(rates)}. Memory is the peak beyond interpreter, torch and imports; "
        f"{4 * sizes['n_rows'] * sizes['feature_dim'] / 1e6:.0f} MB of it are the training rows."
    )


def both_medians(found: Mapping[str, Any]) -> str:
    """The seconds of an update by the clock and by processor time."""
    return f"{statistics.median(found['seconds']):.3f} ({statistics.median(found['processor_seconds']):.3f})"


def both_clocks(ways: Mapping[str, Any], slow: str, fast: str) -> str:
    """A ratio by the clock and by processor time."""
    return f"{ratio(ways, slow, fast):.2f} ({ratio(ways, slow, fast, 'processor_seconds'):.2f})"


def zoo_table(zoo: Mapping[str, Any]) -> str:
    """Lay out the methods beside their authors' code."""
    measured = next(iter(zoo.values()))["ways"]
    columns = ("model", *(f"{each}, seconds (processor)" for each in measured), "authors' code", "an update")
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    for model, found in zoo.items():
        ours = " | ".join(both_medians(found["ways"][each]) for each in measured)
        theirs = "no figure" if found["seconds"] is None else f"{found['seconds']:.3g}"
        lines.append(f"| {model} | {ours} | {theirs} | {found['update']} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
