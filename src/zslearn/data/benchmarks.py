"""The public benchmarks: where their archives are, under which terms, and how to place them by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from zslearn.data.download import check_archive, download, recorded_checksum, unpack
from zslearn.data.xlsa17 import SPLIT_FILE
from zslearn.errors import DataError, unknown_name

ARCHIVE_FOLDER: Final = "archives"
"""Where downloaded archives are kept, in the data folder: one of them serves five benchmarks."""


@dataclass(frozen=True)
class Archive:
    """A zip archive that is public at a stable address."""

    name: str
    """Its file name."""
    addresses: tuple[str, ...]
    """Where it is, best first."""
    size: str
    """About how large it is, in words."""
    sha256: str | None = None
    """Its checksum; None where its publishers do not state it: then the first download is trusted and recorded."""


XLSA17: Final = Archive("xlsa17.zip", ("https://datasets.d2.mpi-inf.mpg.de/xian/xlsa17.zip",), "about 880 MB")


@dataclass(frozen=True)
class Benchmark:
    """One public benchmark."""

    name: str
    """The name of its folder."""
    title: str
    """What it is."""
    features: str
    """Its feature file."""
    archive: Archive | None
    """What holds it; None where there is no stable public address."""
    terms: str
    """Under which terms it may be used, as far as they are stated; a sentence."""
    by_hand: str
    """How to place it by hand, as a sentence."""


_FEATURES = "res101.mat"
_XLSA_TERMS = (
    "ResNet-101 features, attributes and splits are Xian et al.'s (MPI for Informatics), offered for research; no "
    "licence of the archive is known to us: read what comes with it, and cite them. "
)
_BY_HAND = (
    "Download xlsa17.zip from the page of Xian et al. (Zero-Shot Learning - A Comprehensive Evaluation), and put "
    f"{_FEATURES} and {SPLIT_FILE} of its folder data/{{name}} there."
)


def _of_xlsa17(name: str, title: str, terms: str) -> Benchmark:
    return Benchmark(name, title, _FEATURES, XLSA17, _XLSA_TERMS + terms, _BY_HAND.format(name=name))


BENCHMARKS: Final = {
    benchmark.name.lower(): benchmark
    for benchmark in (
        _of_xlsa17(
            "AWA2",
            "Animals with Attributes 2: 50 animals, 85 attributes",
            "The photographs of AWA2 were collected under free licences, which its own archive lists.",
        ),
        _of_xlsa17(
            "CUB",
            "Caltech-UCSD Birds 200-2011: 200 birds, 312 attributes",
            "The photographs of CUB may be used for non-commercial research and education only.",
        ),
        _of_xlsa17(
            "SUN",
            "SUN attributes: 717 scenes, 102 attributes",
            "The photographs of SUN belong to their authors; the attributes are for research.",
        ),
        _of_xlsa17(
            "APY",
            "Attribute Pascal and Yahoo: 32 things, 64 attributes",
            "The photographs of aPY belong to their authors; the attributes are for research.",
        ),
        _of_xlsa17(
            "AWA1",
            "Animals with Attributes: 50 animals, 85 attributes",
            "The photographs of AWA1 are not public; its features and attributes are for research.",
        ),
        Benchmark(
            "FLO",
            "Oxford Flowers: 102 flowers, sentence embeddings of 1,024 numbers",
            _FEATURES,
            None,
            "The photographs are the Visual Geometry Group's, for research; the sentence embeddings are Reed et al.'s.",
            f"Get {_FEATURES} and {SPLIT_FILE} from the authors of a method that uses them (f-CLSWGAN and its "
            "successors link to them), and put both there.",
        ),
    )
}
"""The public benchmarks by their names in lower case."""


def benchmark_entry(name: str) -> Benchmark:
    """Return a public benchmark.

    Raises:
        UnknownNameError: If there is no benchmark of that name.
    """
    if name.lower() not in BENCHMARKS:
        raise unknown_name("public benchmark", name, BENCHMARKS)
    return BENCHMARKS[name.lower()]


def is_placed(benchmark: Benchmark, folder: Path) -> bool:
    """Tell whether a benchmark's files are in its folder of the data folder."""
    return all((folder / benchmark.name / name).is_file() for name in (benchmark.features, SPLIT_FILE))


def fetch(
    benchmark: Benchmark,
    folder: Path,
    *,
    addresses: tuple[str, ...] = (),
    allow_http: bool = False,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> str:
    """Download a benchmark's archive, unless it is there, and unpack the benchmark into the data folder.

    Args:
        benchmark: The benchmark.
        folder: The data folder; the archive is kept in it.
        addresses: Other addresses of the archive, such as a mirror's, which are asked first.
        allow_http: Whether plain http is allowed.
        on_progress: Told how many bytes have come and, if it is known, of how many.

    Returns:
        How far the archive can be trusted, as a sentence.

    Raises:
        DataError: If there is no archive, it cannot be downloaded, or it does not hold the benchmark.
    """
    archive = benchmark.archive
    if archive is None:
        raise DataError(
            f"{benchmark.name} has no archive at a stable public address",
            expected=f"{benchmark.features} and {SPLIT_FILE} in {folder / benchmark.name}",
            remedy=benchmark.by_hand,
        )
    path = folder / ARCHIVE_FOLDER / archive.name
    known = archive.sha256 or recorded_checksum(path)
    found = download(
        (*addresses, *archive.addresses),
        path,
        sha256=archive.sha256,
        check=check_archive,
        allow_http=allow_http,
        on_progress=on_progress,
    )
    wanted = {benchmark.features, SPLIT_FILE, "sent_splits.mat"}

    def target(member: str) -> str | None:
        parts = PurePosixPath(member).parts
        return f"{benchmark.name}/{parts[-1]}" if parts[-2:-1] == (benchmark.name,) and parts[-1] in wanted else None

    unpack(path, folder, target)
    if not is_placed(benchmark, folder):
        raise DataError(
            f"{archive.name} does not hold {benchmark.name}",
            expected=f"{benchmark.features} and {SPLIT_FILE} in a folder {benchmark.name} of it",
            remedy="It is not the official archive: remove it, and download it from the official address.",
        )
    if known is None:
        return (
            f"Its publishers state no checksum: this download's, {found[:12]}..., is recorded and expected from now on."
        )
    return f"Its checksum {found[:12]}... is the expected one."
