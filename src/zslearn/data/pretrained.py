"""Pretrained encoders: a folder is looked for first, the hub is asked only where no path can be meant."""

from __future__ import annotations

import difflib
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zslearn.data.checks import check_recordable
from zslearn.errors import DataError, UnknownNameError, first_line, listed, require_extra
from zslearn.limits import read_json

EXTRA = "encoders"
"""The extra that encoders need."""
CONFIG_FILE = "config.json"
_FILES = (
    CONFIG_FILE,
    "preprocessor_config.json",
    "processor_config.json",
    "model.safetensors",
    "model-*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
    "vocab.*",
    "merges.txt",
    "*.model",
)
"""What an encoder is made of: settings, vocabulary and weights in safetensors; never pickles."""
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
_HUB_SECONDS = 10.0


@dataclass(frozen=True)
class Pretrained:
    """A pretrained encoder on this machine."""

    name: str
    """How it is found again: the absolute path of a folder, or a name on the hub."""
    folder: Path
    """Where its files lie."""
    sha256: str
    """Over the names and contents of all files that it is made of: other weights, another checksum."""

    @property
    def config(self) -> dict[str, Any]:
        """What ``config.json`` says.

        Raises:
            DataError: If it is not a JSON object.
        """
        path = self.folder / CONFIG_FILE
        try:
            config = read_json(path)
        except ValueError as error:
            raise DataError(
                f"{path} cannot be read", received=str(error), remedy="Download the encoder again."
            ) from error
        if not isinstance(config, dict):
            raise DataError(
                f"{path} holds no settings",
                expected="a JSON object",
                received=type(config).__name__,
                remedy="Download the encoder again.",
            )
        return config


def find_pretrained(name: str | Path, *, download: bool = True) -> Pretrained:
    """Find an encoder: a folder, or a name on the hub.

    The hub is asked only for what its cache on this machine does not hold, and once: no retries.

    Args:
        name: A folder with ``config.json`` and safetensors, or a name such as ``facebook/dinov2-small``.
        download: Whether the hub may be asked at all. Where a file gives the name, it may not: it can be a stranger's.

    Raises:
        UnknownNameError: If it can only be meant as a path and there is no such folder.
        DataError: If the folder holds no encoder or its path is not Unicode, the hub does not give one, or it may not
            be asked.
        MissingExtraError: If the hub or its cache must be asked and its package is not installed.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        check_recordable(path.resolve())
        return _pretrained(str(path.resolve()), path)
    if path.exists():
        raise DataError(
            f"{name} is a file",
            expected="the folder of an encoder, or a name on the hub",
            received="a file",
            remedy=f"Give its folder: {path.parent}",
        )
    if _means_a_path(str(name)):
        raise _no_folder(path)
    folder = _in_cache(str(name))
    if folder is None:
        if not download:
            raise _not_here(str(name))
        folder = _from_hub(str(name))
    return _pretrained(str(name), folder)


def load_weights(pretrained: Pretrained) -> Any:
    """Load a model with all its weights: what transformers would fill with random numbers is an error here.

    Raises:
        DataError: If transformers does not know the model, or weights are missing or damaged.
    """
    from transformers import AutoModel
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model, loading = AutoModel.from_pretrained(
            pretrained.folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except Exception as error:
        raise DataError(
            f"the encoder {pretrained.name} cannot be loaded",
            expected="a model that transformers knows, with its weights in safetensors",
            received=f"{type(error).__name__}: {first_line(error)}",
            remedy="Download it again, or use another.",
        ) from error
    finally:
        if bars:
            logging.enable_progress_bar()
    missing = sorted(name for name in loading["missing_keys"] if "pooler" not in name)
    if missing or loading["mismatched_keys"]:
        raise DataError(
            f"the weights of {pretrained.name} are incomplete",
            expected="a weight for every part of the model",
            received=f"none that fits for {(missing or ['?'])[0]} and {max(0, len(missing) - 1)} others",
            remedy="Download it again, or use another.",
        )
    return model.eval()


def _means_a_path(name: str) -> bool:
    """Tell whether a name is a path: it looks like one, or begins with a folder that is here."""
    return not _HUB_NAME.fullmatch(name) or name.startswith(".") or ("/" in name and Path(name).parent.is_dir())


def _no_folder(path: Path) -> UnknownNameError:
    parent = path.parent
    there = sorted(each.name for each in parent.iterdir() if each.is_dir()) if parent.is_dir() else []
    nearest = difflib.get_close_matches(path.name, there, n=1)
    remedy = f"Did you mean {parent / nearest[0]}?" if nearest else "Check the path."
    return UnknownNameError(f"there is no folder {path}", remedy=remedy)


def _pretrained(name: str, folder: Path) -> Pretrained:
    files = sorted({path for pattern in _FILES for path in folder.glob(pattern) if path.is_file()})
    names = [path.relative_to(folder).as_posix() for path in files]
    if CONFIG_FILE not in names or not any(each.endswith(".safetensors") for each in names):
        there = sorted(path.name for path in folder.iterdir())
        raise DataError(
            f"{name} holds no encoder",
            expected=f"{CONFIG_FILE} and weights in model.safetensors",
            received=listed(there) or "an empty folder",
            remedy="Weights in other forms are not read: save the model with save_pretrained of transformers.",
        )
    digest = hashlib.sha256()
    for name_inside, path in zip(names, files, strict=True):
        with path.open("rb") as file:
            digest.update(name_inside.encode() + hashlib.file_digest(file, "sha256").digest())
    return Pretrained(name=name, folder=folder, sha256=digest.hexdigest())


def _not_here(name: str) -> DataError:
    return DataError(
        f"the encoder {name!r} is not on this machine, and nothing is downloaded because a file names it",
        expected="a folder, or a name in the hub's cache on this machine",
        remedy="Give its folder with --backbone or --encoder, or the name itself, if you want it from the hub.",
    )


def _in_cache(name: str) -> Path | None:
    """Return where the hub's cache on this machine holds an encoder; None where it does not, or not all of it."""
    hub = require_extra("huggingface_hub", EXTRA)
    try:
        folder = Path(hub.snapshot_download(name, allow_patterns=list(_FILES), local_files_only=True))
    except (OSError, ValueError):
        return None
    return folder if (folder / CONFIG_FILE).is_file() and any(folder.glob("*.safetensors")) else None


def _from_hub(name: str) -> Path:
    hub = require_extra("huggingface_hub", EXTRA)
    try:
        # One question with a time-out comes first: the download itself would try again and again.
        hub.HfApi().model_info(name, timeout=_HUB_SECONDS)
        return Path(hub.snapshot_download(name, allow_patterns=list(_FILES), etag_timeout=_HUB_SECONDS))
    # What fails on the way to the hub has errors of several packages.
    except Exception as error:
        raise DataError(
            f"the hub does not give an encoder called {name!r}",
            expected="a folder on this machine, or a model's name on the hub and a way to it",
            received=f"{type(error).__name__}: {first_line(error)}",
            remedy="Check the name and the network, or give a folder with the encoder's files.",
        ) from error
