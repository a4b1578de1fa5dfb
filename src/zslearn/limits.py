"""How much a file may claim before memory is taken for it, and where its names may lead.

Readers ask here first: for the size of a file, for the arrays that its header promises, for what an archive
unpacks to. ``ZSLEARN_MAX_BYTES`` in the environment replaces every limit on bytes, for those who trust a file.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NoReturn

from zslearn.errors import ConfigError, DataError

VARIABLE = "ZSLEARN_MAX_BYTES"
"""The environment variable that replaces every limit on bytes."""
MAX_FILE_BYTES = 16 << 30
"""What a file with arrays may hold, and an array made of it."""
MAX_TEXT_BYTES = 32 << 20
"""What a file may hold that is parsed as a whole, such as JSON: in memory it grows about twentyfold."""
MAX_SETTINGS_BYTES = 1 << 18
"""What a file of settings in YAML may hold; reading takes seconds for each megabyte."""
MAX_UNPACKED_RATIO = 200
"""How many times its own size a file may unpack to; real features stay under ten."""
FREE_UNPACKED_BYTES = 64 << 20
"""What any file may unpack to, however small it is."""
MAX_DIMENSIONS = 8
"""How many dimensions an array may have."""
MAX_FILES = 10_000_000
"""How many files a folder or an archive may hold."""
MAX_DEPTH = 32
"""How many folders deep a search goes."""

_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_AMOUNT = re.compile(r"([0-9]{1,18})([KMGT]?)", re.IGNORECASE)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
"""What text in JSON has that may hold half of a pair of surrogates, which no file and no terminal takes."""


def byte_limit(default: int) -> int:
    """Return the limit that holds: that of ``ZSLEARN_MAX_BYTES``, or else the given one.

    Raises:
        ConfigError: If the variable holds no number of bytes.
    """
    return bytes_from(VARIABLE, default)


def bytes_from(variable: str, default: int) -> int:
    """Return the number of bytes that an environment variable holds, or else the given one.

    Raises:
        ConfigError: If it holds something else.
    """
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    amount = _AMOUNT.fullmatch(text)
    if amount is None:
        raise ConfigError(
            f"the environment variable {variable} is not a number of bytes",
            expected="a whole number, with K, M, G or T after it or nothing",
            received=repr(text[:40]),
            remedy=f"Set it to 64G, for example, or remove it with: unset {variable}",
        )
    return int(amount[1]) << _UNITS[amount[2].upper()]


def check_file(path: Path, default: int = MAX_FILE_BYTES) -> int:
    """Return the size of a file that may be read as a whole.

    Args:
        path: The file; links are followed.
        default: The most bytes it may hold, unless ``ZSLEARN_MAX_BYTES`` says otherwise.

    Raises:
        FileNotFoundError: If the file does not exist.
        OSError: If it cannot be looked at, for example because its links lead in a circle.
        DataError: If it is too large, or not an ordinary file: a pipe or a device may never end.
    """
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise DataError(
            f"{path.name} is not an ordinary file",
            expected="a file",
            received="a folder" if stat.S_ISDIR(facts.st_mode) else "a pipe, a device or a socket",
            remedy="Give the path of a file.",
        )
    if facts.st_size > byte_limit(default):
        _refuse(f"{path.name} is too large", facts.st_size, byte_limit(default))
    return facts.st_size


def check_array(what: str, shape: Sequence[int], itemsize: int, *, stored_bytes: int) -> None:
    """Check an array that a header promises, before memory is taken for it.

    Args:
        what: What to call it in messages.
        shape: Its sides.
        itemsize: Bytes of an entry.
        stored_bytes: Size of the file that it comes from.

    Raises:
        DataError: If it has too many dimensions or a negative side, or takes more memory than such a file may claim.
    """
    if len(shape) > MAX_DIMENSIONS or any(side < 0 for side in shape):
        raise DataError(
            f"{what} cannot have this shape",
            expected=f"at most {MAX_DIMENSIONS} dimensions of at least 0",
            received=str(tuple(shape[: 2 * MAX_DIMENSIONS])),
            remedy="The file is damaged or made to mislead: write it again.",
        )
    # An empty side must not hide a huge one.
    check_unpacked(what, math.prod(max(side, 1) for side in shape) * max(itemsize, 1), stored_bytes=stored_bytes)


def check_unpacked(what: str, unpacked_bytes: int, *, stored_bytes: int) -> None:
    """Check what something unpacks to against the size of the file that it comes from.

    Args:
        what: What to call it in messages.
        unpacked_bytes: What it promises to take.
        stored_bytes: Size of the file.

    Raises:
        DataError: If it is more than such a file may claim: a decompression bomb.
    """
    limit = byte_limit(min(MAX_FILE_BYTES, max(FREE_UNPACKED_BYTES, MAX_UNPACKED_RATIO * stored_bytes)))
    if unpacked_bytes > limit:
        _refuse(f"{what} would take too much memory", unpacked_bytes, limit)


def inside(folder: Path, name: str) -> Path:
    """Return the path of an archive's member in a folder that it must not leave.

    Raises:
        DataError: If the name is absolute, climbs with ``..``, or holds what a file system may misread.
    """
    # An archive may come from either world, and its names must be harmless in both.
    parts = [part for part in PureWindowsPath(name).parts if part not in ("/", "\\")]
    climbs = PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or ".." in parts
    if climbs or not parts or not name.isprintable() or any(":" in part for part in parts):
        raise DataError(
            "a name in the archive leads out of its folder",
            expected="relative names without .., drive letters and control characters",
            received=repr(name[:80]),
            remedy="The archive is damaged or made to mislead: do not unpack it.",
        )
    return folder.joinpath(*parts)


def files_below(
    folder: Path, *, max_files: int = MAX_FILES, on_link: Callable[[Path], None] | None = None
) -> Iterator[Path]:
    """Yield the ordinary files of a folder and of those in it, in the order of their names.

    Links to folders are not followed, so that no circle of them is walked for ever.

    Args:
        folder: The folder.
        max_files: The most files it may hold.
        on_link: Told of every link to a folder.

    Raises:
        DataError: If there are more than ``max_files``, or folders lie too deep.
        OSError: If a folder cannot be listed.
    """
    n_files = 0
    waiting = [(folder, 0)]
    while waiting:
        current, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise DataError(
                f"folders in {folder} lie too deep",
                expected=f"at most {MAX_DEPTH} folders below each other",
                remedy="Give a folder with the files themselves.",
            )
        with os.scandir(current) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        for entry in entries:
            # Where links lead in a circle, an entry's own is_file raises; this one says no.
            if os.path.isfile(entry.path):
                n_files += 1
                if n_files > max_files:
                    raise DataError(
                        f"{folder} holds too many files",
                        expected=f"at most {max_files:,}",
                        remedy="Give a smaller folder.",
                    )
                yield Path(entry.path)
            elif on_link is not None and entry.is_symlink() and os.path.isdir(entry.path):
                on_link(Path(entry.path))
        waiting += [(Path(e.path), depth + 1) for e in reversed(entries) if e.is_dir(follow_symlinks=False)]


def read_text(path: Path, default: int = MAX_TEXT_BYTES) -> str:
    """Read a UTF-8 text of limited size.

    Raises:
        OSError: If it cannot be read.
        DataError: If it is too large or not an ordinary file.
        ValueError: If it is not UTF-8.
    """
    check_file(path, default)
    return path.read_text(encoding="utf-8-sig")


def read_json(path: Path, default: int = MAX_TEXT_BYTES) -> Any:
    """Read JSON of limited size and depth, whose numbers are finite and whose texts can be written again.

    Raises:
        OSError: If it cannot be read.
        DataError: If it is too large or not an ordinary file.
        ValueError: As ``parse_json``.
    """
    return parse_json(read_text(path, default))


def parse_json(text: str) -> Any:
    """Return what a JSON text says.

    Raises:
        ValueError: If it is not JSON, has NaN, infinities, numbers that no float holds or half of a pair of surrogates,
            or is nested too deeply.
    """
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError as error:
        raise ValueError("a text holds half of a pair of surrogates, which is not a letter") from error
    except RecursionError as error:
        raise ValueError("lists or mappings are nested too deeply") from error


def read_yaml(path: Path, default: int = MAX_SETTINGS_BYTES) -> Any:
    """Read YAML of limited size: plain values, lists and mappings.

    Raises:
        OSError: If it cannot be read.
        DataError: If it is too large or not an ordinary file.
        ValueError: As ``parse_yaml``.
    """
    return parse_yaml(read_text(path, default))


def parse_yaml(text: str) -> Any:
    """Return what a YAML text says: plain values, lists and mappings.

    Aliases are refused: a few of them, one within the other, stand for more than any memory holds.

    Raises:
        ValueError: If it is not YAML, has tags or aliases, or is nested too deeply.
    """
    import yaml

    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.SafeLoader)):
            raise ValueError("an alias such as *name")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise ValueError("lists or mappings are nested too deeply") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is too large for a float")
    return number


def _whole(digits: str) -> int:
    _finite(digits)
    return int(digits)


def _refuse(what: str, received: int, limit: int) -> NoReturn:
    raise DataError(
        what,
        expected=f"at most {_amount(limit)}",
        received=_amount(received),
        remedy=f"If you trust the file, set {VARIABLE}={received} in the environment.",
    )


def _amount(n_bytes: int) -> str:
    """Return bytes in words, such as ``1.5 GiB``."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB")
    power = min((max(n_bytes, 1).bit_length() - 1) // 10, len(units) - 1)
    return f"{n_bytes / 1024**power:.3g} {units[power]}" if power else f"{n_bytes} bytes"
