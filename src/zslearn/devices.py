"""Where to train, and in which precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from zslearn.errors import ConfigError, unknown_name

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bf16")
_SHOWN_EQUAL: frozenset[str] = frozenset()
"""The kinds of device on which whole runs in bf16 were shown to be as good: what ``auto`` may take it on."""


def resolve_device(name: str) -> torch.device:
    """Turn ``auto``, ``cpu`` or ``cuda`` into a device; ``auto`` takes a CUDA GPU where there is one.

    Raises:
        UnknownNameError: If the name is not one of the three.
        ConfigError: If CUDA is asked for and there is no CUDA device.
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


def resolve_precision(name: str, device: torch.device) -> torch.dtype:
    """Turn ``auto``, ``float32`` or ``bf16`` into the type in which layers multiply while they train.

    ``auto`` takes bf16 only on devices that have it natively and where ``benchmarks/precision.py`` has shown that
    whole runs are as good: on none so far.

    Raises:
        UnknownNameError: If the name is not one of the three.
        ConfigError: If bf16 is asked for where it would be emulated, slower than float32.
    """
    if name not in PRECISIONS:
        raise unknown_name("precision", name, PRECISIONS)
    if name == "bf16" and not has_bf16(device):
        raise ConfigError(
            "bf16 is not supported here",
            expected="a processor or GPU that multiplies bf16 natively",
            received=str(device),
            remedy="Set precision to float32 or auto.",
        )
    shown = device.type in _SHOWN_EQUAL and has_bf16(device)
    return torch.bfloat16 if name == "bf16" or (name == "auto" and shown) else torch.float32


def has_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bf16 natively."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return device.type == "cpu" and any(has for name, has in capabilities.items() if "bf16" in name)


@contextmanager
def fast_float32(device: torch.device) -> Iterator[None]:
    """Let a GPU multiply float32 matrices as TF32 for a while; on the host nothing changes."""
    before = torch.get_float32_matmul_precision()
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
