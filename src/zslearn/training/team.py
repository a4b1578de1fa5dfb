"""Processes that train one model together, each on its part of every batch.

``torchrun`` starts them; each finds the others through the environment that it sets. All draw the same random numbers
and hold the same model, and average their gradients before every update: so they do what one process would do with the
whole batch, up to rounding.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

import torch
from torch import Tensor, distributed

from zslearn.errors import ConfigError, TrainingError, first_line

_Value = TypeVar("_Value")
_PATIENCE: Final = timedelta(days=1)
"""How long processes wait for each other; one of them may have much to read before it begins."""


@dataclass(frozen=True)
class Team:
    """The processes of one training.

    Attributes:
        rank: Which of them this one is, counted from 0; the first one leads.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that tells the others, and the user."""
        return self.rank == 0

    def part(self, batch_size: int) -> slice:
        """Return which rows of a batch are this process's.

        Raises:
            ConfigError: If the batch cannot be divided evenly.
        """
        if batch_size % self.size:
            nearest = max(1, round(batch_size / self.size)) * self.size
            raise ConfigError(
                f"{self.size} processes cannot share the batches evenly",
                expected=f"a batch size that {self.size} divides",
                received=str(batch_size),
                remedy=f"Set batch_size={nearest}, or start another number of processes.",
            )
        n_rows = batch_size // self.size
        return slice(self.rank * n_rows, (self.rank + 1) * n_rows)

    def average(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the means over all processes of tensors that each of them has, in one exchange.

        Raises:
            TrainingError: If a process is gone.
        """
        if self.size == 1 or not tensors:
            return list(tensors)
        flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
        with _reported():
            distributed.all_reduce(flat)
        parts = (flat / self.size).split([tensor.numel() for tensor in tensors])
        return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]

    def agreed(self, value: _Value) -> _Value:
        """Return the leader's value, in every process.

        Raises:
            TrainingError: If a process is gone.
        """
        if self.size == 1:
            return value
        values = [value if self.leads else None]
        with _reported():
            distributed.broadcast_object_list(values)
        return values[0]  # type: ignore[return-value]

    def gathered(self, value: _Value) -> list[_Value]:
        """Return every process's value, in the order of their ranks.

        Raises:
            TrainingError: If a process is gone.
        """
        if self.size == 1:
            return [value]
        values: list[_Value] = [value] * self.size
        with _reported():
            distributed.all_gather_object(values, value)
        return values

    def out_of_time(self, seconds: float, limit: float) -> bool:
        """Whether the leader's clock is past a limit."""
        return limit < math.inf and self.agreed(seconds) >= limit


ALONE: Final = Team()
"""A process that trains by itself."""
_current: ContextVar[Team] = ContextVar("team", default=ALONE)


def current_team() -> Team:
    """Return the processes with which this one trains: none but itself outside of ``launched_team``."""
    return _current.get()


def launched_size() -> int:
    """Return how many processes ``torchrun`` has started; 1 where it has not started this one."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1


@contextlib.contextmanager
def launched_team() -> Iterator[Team]:
    """Train together with the other processes that ``torchrun`` has started, as long as this lasts.

    In all of them the same must be trained on the same data. Tensors travel by NCCL where every process has a GPU of
    its own, and by Gloo otherwise.

    Yields:
        The processes; this one alone where ``torchrun`` has not started it.
    """
    if launched_size() == 1:
        yield ALONE
        return
    # Optimisers import it, and its functions keep the group that then exists as a default argument: the group's
    # threads would outlive it, and abort the process when the interpreter ends under them.
    importlib.import_module("torch.distributed.nn.functional")
    local_rank, n_local = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    own_gpu = torch.cuda.is_available() and torch.cuda.device_count() >= n_local
    if own_gpu:
        torch.cuda.set_device(local_rank)
    distributed.init_process_group("cpu:gloo,cuda:nccl" if own_gpu else "gloo", timeout=_PATIENCE)
    team = Team(distributed.get_rank(), distributed.get_world_size())
    token = _current.set(team)
    try:
        yield team
    finally:
        _current.reset(token)
        distributed.destroy_process_group()


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    """Turn the many errors of a lost connection into one."""
    try:
        yield
    except RuntimeError as error:
        raise TrainingError(
            "another process of this training has ended",
            received=first_line(error),
            remedy="Its own message says why; zslearn run --resume goes on from the last saved state.",
        ) from error
