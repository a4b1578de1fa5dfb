"""Data sets by name or folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zslearn.data.checks import check_recordable
from zslearn.data.dataset import ZSLDataset
from zslearn.data.own import is_own_data, read_own
from zslearn.data.splits import class_split
from zslearn.data.xlsa17 import read_xlsa17
from zslearn.errors import ConfigError, DataError, UnknownNameError, unknown_name

BUILT_IN = "glyphs"
"""The data set that comes with the package."""


def load_data(
    source: str | Path = BUILT_IN,
    *,
    features: str | Path | None = None,
    semantics: str | Path | None = None,
    split: str | int = "official",
) -> ZSLDataset:
    """Load a data set.

    Args:
        source: ``"glyphs"``, the path of a folder, or the name of a folder in `data_folder` (upper and
            lower case alike). A folder with a class table is own data (`zslearn.data.own`); any other one is in
            the layout of Xian et al.
        features: The feature file. None: the one file of the folder that holds features.
        semantics: What describes the classes. In own data a file with a vector per class (None:
            ``semantics.npz``, or else the attributes of the class table); otherwise the split file to use, such as
            ``"sent_splits.mat"`` (None: ``att_splits.mat``).
        split: ``"official"``, or the number (0 or more) of a seeded class split.

    Raises:
        UnknownNameError: If `source` is nothing of these.
        DataError: If the files are missing, damaged or do not fit together, or their names are not Unicode.
        ConfigError: If `split` is neither, or files are named for the built-in data.
    """
    number = _split_number(split)
    dataset = _load(source, features, semantics)
    return dataset if number is None else class_split(dataset, number)


def load_recorded(record: Mapping[str, Any]) -> ZSLDataset:
    """Load the data set of a run again, from what its record says was asked for.

    Raises:
        DataError: If the record does not say it, or as of `load_data`.
        UnknownNameError: If the data are not here.
    """
    try:
        asked_for, split = record["data"]["asked_for"], record["data"]["split"]
        source, features, semantics = (asked_for[name] for name in ("data", "features", "semantics"))
    except (KeyError, TypeError) as error:
        raise DataError(
            "the record does not say where its data are",
            expected=f"a field {error}",
            remedy="Run again with this version of zslearn.",
        ) from error
    return load_data(source, features=features, semantics=semantics, split=split)


def known_data() -> dict[str, str]:
    """Return where each data set lies that can be loaded by name: a path or ``"built in"``."""
    return {BUILT_IN: "built in", **{name: str(path) for name, path in _installed().items()}}


def unknown_data(name: str) -> UnknownNameError:
    """Build the error for a name that no data set has: the nearest known names, and where it was looked for."""
    error = unknown_name("data set", name, known_data())
    looked = f"Looked for a folder of that name here and in {data_folder()} (set ZSLEARN_DATA to change it)."
    return UnknownNameError(error.what, remedy=f"{error.remedy} {looked}")


def data_folder() -> Path:
    """Return the folder in which names are looked up.

    It is ``$ZSLEARN_DATA``, or else ``zslearn`` in the platform's user data folder.
    """
    chosen = os.environ.get("ZSLEARN_DATA")
    if chosen:
        return Path(chosen).expanduser()
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "zslearn"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "zslearn"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "zslearn"


def _load(source: str | Path, features: str | Path | None, semantics: str | Path | None) -> ZSLDataset:
    name = str(source)
    if name.lower() == BUILT_IN:
        if features is not None or semantics is not None:
            raise ConfigError(
                "the built-in data have features and semantics of their own",
                expected="no feature or semantics file",
                received=str(semantics if features is None else features),
                remedy="Name a data set or a folder that the file belongs to.",
            )
        from zslearn.data.glyphs import load_glyphs

        return load_glyphs()
    folder = _find(name)
    check_recordable(folder.resolve())
    for file in (features, semantics):
        if file is not None:
            check_recordable(file if (folder / file).is_file() else Path(file).resolve())
    dataset = (read_own if is_own_data(folder) else read_xlsa17)(folder, features, semantics)
    check_recordable(dataset.source)
    return dataset


def _find(name: str) -> Path:
    if name and Path(name).is_dir():
        return Path(name)
    if name and Path(name).is_file():
        raise DataError(
            f"{name} is a file",
            expected="the folder of a data set",
            received="a file",
            remedy="Give its folder, and the file as the features.",
        )
    installed = _installed()
    matching = [path for known, path in installed.items() if known.lower() == name.lower()]
    if not matching:
        raise unknown_data(name)
    return installed.get(name, matching[0])


def _installed() -> dict[str, Path]:
    """Return the folders in the data folder that hold a data set of either layout."""
    folder = data_folder()
    if not folder.is_dir():
        return {}
    return {path.name: path for path in sorted(folder.iterdir()) if is_own_data(path) or any(path.glob("*_splits.mat"))}


def _split_number(split: str | int) -> int | None:
    """Return the number of a class split, or None for the official one."""
    text = str(split).strip()
    if text == "official":
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    raise ConfigError(
        "there is no such split",
        expected="official or a whole number from 0",
        received=repr(split),
        remedy="Use official, 0-4 for development, 5-9 for closing measurements.",
    )
