"""Where to train."""

from __future__ import annotations

import torch

from zslearn.errors import ConfigError, unknown_name

DEVICES = ("auto", "cpu", "cuda")


def resolve_device(name: str) -> torch.device:
    """Turn ``auto``, ``cpu`` or ``cuda`` into a device; ``auto`` takes a CUDA GPU where there is one.

    Raises:
        UnknownNameError: If the name is none of the three.
        ConfigError: If CUDA is asked for and there is none.
    """
    if name not in DEVICES:
        raise unknown_name("device", name, DEVICES)
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "there is no CUDA device that torch can use",
            remedy="Set device to cpu or auto, or install a CUDA build of torch.",
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
