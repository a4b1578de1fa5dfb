"""A folder of photographs to a data folder: listed, encoded in pieces that survive an interruption, put together."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zslearn.allocator import freed_memory_kept
from zslearn.data.columns import Columns, clean, read_columns, write_columns
from zslearn.data.images import IMAGE_ENDINGS, ImageEncoder, decode_image, pillow_silenced
from zslearn.data.own import FACTS_FILE, FEATURES, FILE, GROUP, LABEL, PART, ROWS, read_facts, row_parts
from zslearn.errors import DataError, listed
from zslearn.files import write_atomic, write_json
from zslearn.limits import MAX_FILES, check_file, check_unpacked, files_below, parse_json, read_json

if TYPE_CHECKING:
    from PIL.Image import Image

    from zslearn.shapes import Features

SKIPPED_FILE: Final = "skipped.csv"
"""The images that could not be read, with the reason."""
PIECES_FOLDER: Final = ".extract"
"""Where finished pieces wait for the others."""
PIECE_IMAGES: Final = 256
"""Images in a piece: what an interruption costs at most."""
_PLAN_FILE = "plan.json"
_READERS = 4


@dataclass(frozen=True)
class ImageFile:
    """An image and what is known about it."""

    name: str
    """Its path in the folder or archive, with slashes."""
    label: str = ""
    """The class's name; an empty text where it is not known."""
    part: str = ""
    """As in the table of rows."""
    group: str = ""
    """As in the table of rows."""


@dataclass(frozen=True)
class Extraction:
    """What came out of an extraction."""

    folder: Path
    """The data folder."""
    n_images: int
    """How many images became rows of features."""
    n_labels: int
    """How many different labels they have."""
    feature_dim: int
    """The size of a row."""
    skipped: tuple[tuple[str, str], ...]
    """The images that could not be read, with the reason."""

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        skipped = [{"file": name, "reason": reason} for name, reason in self.skipped]
        return {**asdict(self), "folder": str(self.folder), "skipped": skipped}


class ImageSource:
    """A folder or a zip archive of images.

    Args:
        path: The folder or the archive.

    Attributes:
        names: The images in it by their endings, sorted; hidden files are left out.
        others: The files whose endings are not those of images, sorted.
        links: The links to folders, which are not followed, sorted.

    Raises:
        DataError: If it is neither.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._archive = None if path.is_dir() else _open_archive(path)
        links: list[Path] = []
        shown = _shown(self._all_names(links.append))
        self.names = [name for name in shown if _is_image(name)]
        self.others = [name for name in shown if not _is_image(name)]
        self.links = _shown(map(self._name, links))

    def open(self, name: str) -> Image:
        """Read one of the images, in any number of threads; what pillow warns of is not silenced.

        Raises:
            DataError: If it cannot be read.
        """
        if self._archive is None:
            return decode_image(self.path / name, name)
        return decode_image(io.BytesIO(self._member(name)), name)

    def _member(self, name: str) -> bytes:
        assert self._archive is not None
        info = self._archive.getinfo(name)
        check_unpacked(name, info.file_size, stored_bytes=info.compress_size)
        try:
            return self._archive.read(info)
        # A damaged member ends in errors of several types (zip, zlib, value, end of file ...).
        except Exception as error:
            raise DataError(
                f"{name} is damaged in {self.path.name}",
                received=f"{type(error).__name__}: {error}",
                remedy="Write the archive again.",
            ) from error

    def _all_names(self, on_link: Callable[[Path], None]) -> Iterator[str]:
        if self._archive is None:
            return map(self._name, files_below(self.path, on_link=on_link))
        return (info.filename for info in self._archive.infolist() if not info.is_dir())

    def _name(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()


def list_images(source: ImageSource, labels: Path | None = None) -> tuple[ImageFile, ...]:
    """List the images with their labels.

    Without a table, the label of an image is the name of the first folder on the way to it; images outside any folder
    have none. Where all images lie in folders within one and the same folder, these are meant: so archives are packed.
    With a table (columns ``file`` and ``label``, optional ``part`` and ``group``), its lines are the images, whatever
    their endings. Names match in either form of Unicode, and without outer blanks.

    Args:
        source: Where the images are.
        labels: The table.

    Raises:
        DataError: If there is no image, or the table names images that are not there or that cannot be told apart.
        UnknownNameError: If the table has a part that there is not.
    """
    if labels is None:
        if not source.names:
            raise DataError(
                f"there is no image in {source.path}",
                expected=f"files ending in {', '.join(sorted(IMAGE_ENDINGS))}",
                received=f"none; links to folders, which are not followed: {listed(source.links)}"
                if source.links
                else "none",
                remedy="Give the folder above the images, or one folder per class.",
            )
        return tuple(map(ImageFile, source.names, _folder_labels(source.names)))
    table = read_columns(labels)
    names = _names_in_source(table, source)
    groups = table.texts(GROUP) if GROUP in table else [""] * len(table)
    return tuple(map(ImageFile, names, table.texts(LABEL), row_parts(table), groups))


def _folder_labels(names: Sequence[str]) -> list[str]:
    """Return the names of the folders that stand for classes; an empty text for a name outside any folder."""
    paths = [PurePosixPath(name).parts for name in names]
    packed = len({path[0] for path in paths}) == 1 and all(len(path) > 2 for path in paths)
    level = 1 if packed else 0
    return [clean(path[level]) if len(path) > 1 else "" for path in paths]


def _names_in_source(table: Columns, source: ImageSource) -> list[str]:
    """Return the names that the files of a table have in the source."""
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys((*source.names, *source.others)):
        found.setdefault(clean(name), []).append(name)
    files = table.texts(FILE)
    missing = [file for file in files if file not in found]
    if missing:
        raise DataError(
            f"images of {table.path.name} are not in {source.path}",
            expected="the path of an image in it on every line",
            received=f"{listed(missing)} on its lines; {listed([*source.names, *source.others], 2) or 'nothing'} in it",
            remedy="Write the column file as the paths stand there.",
        )
    alike = [file for file in dict.fromkeys(files) if len(found[file]) > 1]
    if alike:
        raise DataError(
            f"images of {table.path.name} have several files in {source.path}",
            expected="names that differ by more than outer blanks and the form of their accents",
            received=listed([" and ".join(map(ascii, found[file])) for file in alike]),
            remedy="Rename all but one of each.",
        )
    return [found[file][0] for file in files]


def extract_features(
    encoder: ImageEncoder,
    source: ImageSource,
    images: Sequence[ImageFile],
    folder: Path,
    *,
    batch_size: int = 32,
    on_progress: Callable[[int], None] | None = None,
) -> Extraction:
    """Encode images into a data folder, which may hold other files; interrupted, the same call goes on.

    Args:
        encoder: The backbone.
        source: Where the images are.
        images: Which of them, with their labels.
        folder: The data folder; ``features.npy``, ``rows.csv``, ``data.json`` and, where images could not be read,
            ``skipped.csv`` are written. What else ``data.json`` says stays.
        batch_size: Images encoded at once, at least 1.
        on_progress: Told how many images are done.

    Raises:
        DataError: If the folder holds features or rows already, a damaged ``data.json``, or pieces of another
            extraction; or no image could be read.
    """
    check_free(folder)
    pieces = _start(encoder, images, folder)
    with freed_memory_kept():
        for number, start in enumerate(range(0, len(images), PIECE_IMAGES)):
            piece = images[start : start + PIECE_IMAGES]
            path = pieces / f"{number:06}.npz"
            if not path.exists():
                _write_piece(path, *_encode(encoder, source, [image.name for image in piece], batch_size))
            if on_progress is not None:
                on_progress(start + len(piece))
    extraction = _put_together(encoder, images, folder, pieces)
    shutil.rmtree(pieces)
    return extraction


def check_free(folder: Path) -> None:
    """Refuse a folder in which something would be overwritten; rows of an interrupted extraction are its own.

    Raises:
        DataError: If it is not a folder, or holds features or rows, or a damaged ``data.json``.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(
            f"{folder} is not a folder",
            expected="a new folder, or one without features",
            remedy="Name another folder.",
        )
    begun = (folder / PIECES_FOLDER / _PLAN_FILE).is_file()
    for name in (f"{FEATURES}.npy", *(() if begun else (f"{ROWS}.csv",))):
        if (folder / name).exists():
            raise DataError(
                f"{folder} has {Path(name).stem} already",
                expected=f"a folder without {name}",
                remedy="Name another folder, or remove them to extract them again.",
            )
    # Damaged facts are told of now, not when all images are encoded.
    read_facts(folder)


def _start(encoder: ImageEncoder, images: Sequence[ImageFile], folder: Path) -> Path:
    """Return the folder of pieces, new or of the same extraction."""
    pieces = folder / PIECES_FOLDER
    listing = json.dumps([asdict(image) for image in images]).encode()
    plan = {"backbone": encoder.facts(), "images": hashlib.sha256(listing).hexdigest(), "piece": PIECE_IMAGES}
    if (pieces / _PLAN_FILE).is_file():
        if read_json(pieces / _PLAN_FILE) != plan:
            raise DataError(
                f"{folder} holds pieces of another extraction",
                expected="the same images, labels and backbone as when it was interrupted",
                remedy=f"Repeat that command, name another folder, or remove {pieces}.",
            )
        return pieces
    pieces.mkdir(parents=True, exist_ok=True)
    write_json(pieces / _PLAN_FILE, plan)
    return pieces


def _encode(
    encoder: ImageEncoder, source: ImageSource, names: Sequence[str], batch_size: int
) -> tuple[Features, dict[int, str]]:
    """Return the features of the images that can be read, and the reason for each of the others."""
    features, skipped = [], {}

    def read(name: str) -> Any:
        """Return an image prepared, which takes far less memory than the image, or why there is none."""
        try:
            name.encode()
            return encoder.prepare(source.open(name))
        except UnicodeEncodeError:
            return DataError("its name is not Unicode", remedy="Rename it.")
        except DataError as error:
            return error

    with pillow_silenced(), ThreadPoolExecutor(_READERS) as readers:
        for start in range(0, len(names), batch_size):
            batch = []
            for offset, prepared in enumerate(readers.map(read, names[start : start + batch_size])):
                if isinstance(prepared, DataError):
                    skipped[start + offset] = str(prepared).removeprefix(f"{names[start + offset]} ")
                else:
                    batch.append(prepared)
            features.append(encoder.encode_prepared(batch))
    return np.concatenate(features), skipped


def _write_piece(path: Path, features: Features, skipped: dict[int, str]) -> None:
    reasons = np.array(json.dumps({str(index): reason for index, reason in skipped.items()}))

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez(file, features=features, skipped=reasons)

    write_atomic(path, write)


def _put_together(encoder: ImageEncoder, images: Sequence[ImageFile], folder: Path, pieces: Path) -> Extraction:
    paths = sorted(pieces.glob("[0-9]*.npz"))
    skipped: dict[int, str] = {}
    for number, path in enumerate(paths):
        with np.load(path, allow_pickle=False) as piece:
            reasons = parse_json(str(piece["skipped"]))
        skipped |= {number * PIECE_IMAGES + int(index): reason for index, reason in reasons.items()}
    kept = [image for index, image in enumerate(images) if index not in skipped]
    if not kept:
        # There is nothing to go on with: another try begins anew.
        shutil.rmtree(pieces)
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise DataError(
            "none of the images can be read",
            expected="at least one readable image",
            received=next(iter(skipped.values())),
            remedy="Check that the files are images.",
        )
    facts = encoder.facts()
    told = tuple((_printable(images[index].name), reason) for index, reason in sorted(skipped.items()))
    if told:
        write_columns(folder / SKIPPED_FILE, {FILE: [name for name, _ in told], "reason": [why for _, why in told]})
    rows = {LABEL: [image.label for image in kept], FILE: [image.name for image in kept]}
    for name in (PART, GROUP):
        values = [getattr(image, name) for image in kept]
        if any(values):
            rows[name] = values
    write_columns(folder / f"{ROWS}.csv", rows)
    write_json(folder / FACTS_FILE, {**read_facts(folder), "backbone": facts})
    dtype = np.float16 if facts["precision"] == "half" else np.float32

    def write(temporary: Path) -> None:
        shape = (len(kept), encoder.feature_dim)
        matrix = np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape)
        start = 0
        for path in paths:
            with np.load(path, allow_pickle=False) as piece:
                block = piece["features"]
            matrix[start : start + len(block)] = block
            start += len(block)
        matrix.flush()

    # The features come last: a folder that has them is complete.
    write_atomic(folder / f"{FEATURES}.npy", write)
    labels = {image.label for image in kept if image.label}
    return Extraction(folder, len(kept), len(labels), encoder.feature_dim, told)


def _open_archive(path: Path) -> zipfile.ZipFile:
    if not path.exists():
        raise DataError(
            f"there is no folder {path}", expected="a folder or a zip archive of images", remedy="Check the path."
        )
    check_file(path)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise DataError(
            f"{path.name} is not an archive of images",
            expected="a folder or a zip archive",
            received=str(error),
            remedy="Give the folder of the images.",
        ) from error
    if len(archive.infolist()) > MAX_FILES:
        raise DataError(
            f"{path.name} holds too many files", expected=f"at most {MAX_FILES:,}", remedy="Unpack a part of it."
        )
    return archive


def _shown(names: Iterable[str]) -> list[str]:
    """Return the names that are not hidden, sorted."""
    return sorted(name for name in names if not _is_hidden(name))


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def _is_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in IMAGE_ENDINGS


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
