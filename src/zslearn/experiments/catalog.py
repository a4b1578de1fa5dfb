"""The experiments that come with the package, and those in files."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from zslearn.errors import ConfigError, RunFolderError, UnknownNameError, unknown_name
from zslearn.experiments.documents import read_document
from zslearn.limits import read_text

_SUFFIX = ".yaml"
_LARGEST_BYTES = 1 << 20


def packaged() -> dict[str, str]:
    """Return the titles of the experiments that come with the package, by name."""
    titles = {}
    for name in _names():
        document = read_document(packaged_text(name), name)
        titles[name] = document.mapping(name)["title"].text("the title")
    return titles


def packaged_text(name: str) -> str:
    """Return the YAML of an experiment that comes with the package.

    Raises:
        UnknownNameError: If there is no experiment of that name.
    """
    if name not in _names():
        raise unknown_name("experiment", name, _names())
    return (files("zslearn.experiments") / f"{name}{_SUFFIX}").read_text(encoding="utf-8")


def find_experiment(name: str) -> tuple[str, str, str]:
    """Find an experiment by its name, or by the path of its file.

    Returns:
        Its YAML, its name, and what to call the document in errors.

    Raises:
        UnknownNameError: If it is neither.
        ConfigError: If the file cannot be read.
    """
    path = Path(name)
    if path.suffix in (_SUFFIX, ".yml") or path.is_file():
        return _read(path), path.stem, str(path)
    try:
        return packaged_text(name), name, f"{name}{_SUFFIX}"
    except UnknownNameError as error:
        remedy = f"{error.remedy} Or give the path of a file that ends with {_SUFFIX}."
        raise UnknownNameError(error.what, remedy=remedy) from error


def copy_experiment(name: str, target: Path) -> Path:
    """Write an experiment of the package to a file, to be edited.

    Args:
        name: Its name.
        target: The file, or a folder for a file of the experiment's name.

    Returns:
        The file.

    Raises:
        UnknownNameError: If there is no such experiment.
        RunFolderError: If the file exists.
    """
    from zslearn.files import write_bytes

    text = packaged_text(name)
    path = target / f"{name}{_SUFFIX}" if target.is_dir() else target
    if path.exists():
        raise RunFolderError(f"{path} exists already", expected="a new file", remedy="Name another file.")
    write_bytes(path, text.encode())
    return path


def _names() -> list[str]:
    entries = files("zslearn.experiments").iterdir()
    return sorted(entry.name.removesuffix(_SUFFIX) for entry in entries if entry.name.endswith(_SUFFIX))


def _read(path: Path) -> str:
    try:
        return read_text(path, _LARGEST_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        received = error.strerror if isinstance(error, OSError) else "bytes that are not UTF-8 text"
        raise ConfigError(
            f"the experiment file {path} cannot be read", received=received, remedy="Give a YAML file."
        ) from error
