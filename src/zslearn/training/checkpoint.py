"""The saved state of a run: enough to continue to the same bits after whatever stopped it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zslearn.errors import RunFolderError, first_line
from zslearn.shapes import Scores
from zslearn.tensor_files import read_tensors, write_tensors
from zslearn.training.loop import Loop

FOLDER = "checkpoints"
"""The folder below a run's folder."""
EVERY_SECONDS = 60.0
"""How much work a crash may cost, unless said otherwise."""
N_KEPT = 2
"""Older states are removed: the last one may be damaged by what stopped the run, the one before is whole."""

_VERSION = 2
_STATES = "state-*.safetensors"
_SCORES = "scores-{:03d}.safetensors"


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedState:
    """A training in the middle of one part of a run.

    Attributes:
        part: Which training of the run: the rehearsal's come first, the final one last.
        loop: What the loop needs to continue.
        history: All reports of the run until then.
    """

    part: int
    loop: dict[str, Any]
    history: list[dict[str, Any]]


class Checkpoints:
    """Keeps the state of a run on disk, and gives it back.

    A run consists of parts, one training each. The state of the running part is saved every few seconds, at its end
    and when a stop is asked for; of a finished part of the rehearsal only its scores are needed again.

    Args:
        folder: Names the run's folder; it is asked only when there is something to write.
        every: Seconds between two states.
    """

    def __init__(self, folder: Callable[[], Path], *, every: float = EVERY_SECONDS) -> None:
        self.history: list[dict[str, Any]] = []
        """The reports of the run; a saved state holds them, so that a resumed run has them all."""
        self._folder = folder
        self._every = every
        self._saved_at = time.monotonic()
        self._number = 0
        self._saved: SavedState | None = None
        self._trained: int | None = None
        self._in_training = False
        self._stop_asked = False

    def load(self) -> None:
        """Take up the newest state that is whole; without one the run starts from the beginning.

        Raises:
            RunFolderError: If it was saved by another version: its scores would be those of another training.
        """
        for path in sorted(self._path().glob(_STATES), reverse=True):
            self._number = max(self._number, int(path.stem.rpartition("-")[2]))
            try:
                self._saved = _read_state(path)
            except RunFolderError:
                raise
            except (OSError, ValueError, KeyError, TypeError, IndexError):
                continue
            self.history[:] = self._saved.history
            return

    def ask_to_stop(self) -> bool:
        """Ask the running training to save its state after the current step and to stop.

        Returns:
            Whether it will: not where none is running, or it has been asked before.
        """
        honoured = self._in_training and not self._stop_asked
        self._stop_asked = True
        return honoured

    def scores(self, part: int, compute: Callable[[], Scores]) -> Scores:
        """Return the scores of a finished part, or compute them and, where that took a training, keep them."""
        name = _SCORES.format(part)
        if self._number:
            try:
                return read_tensors(self._path() / name).tensors["scores"].numpy()
            except (OSError, ValueError, KeyError):
                self._forget_after(part)
        scores = compute()
        if self._trained == part:
            self._write(name, {"scores": torch.from_numpy(scores)}, {})
        return scores

    def keeper(self, part: int) -> PartKeeper:
        """Return what the training of a part keeps its state with."""
        return PartKeeper(self, part)

    def take(self, part: int) -> dict[str, Any] | None:
        """Return the state of the loop that was saved in this part, once."""
        self._trained = part
        if self._saved is None or self._saved.part != part:
            return None
        loop, self._saved = self._saved.loop, None
        return loop

    def begin(self, loop: Loop) -> None:
        """Take note that a loop begins, or goes on; one without steps can honour no stop."""
        self._in_training = not loop.done

    def step_done(self, part: int, loop: Loop) -> None:
        """Save the loop's state if it is due or the part is done.

        Raises:
            TrainingError: If the state is not finite; it is not saved then.
            KeyboardInterrupt: If a stop was asked for.
        """
        self._in_training = not loop.done
        if loop.done or self._stop_asked or time.monotonic() - self._saved_at >= self._every:
            loop.check()
            self._save(part, loop)
        if self._stop_asked:
            raise KeyboardInterrupt

    def remove(self) -> None:
        """Remove all states of a run that is finished."""
        shutil.rmtree(self._path(), ignore_errors=True)

    def _path(self) -> Path:
        return self._folder() / FOLDER

    def _forget_after(self, part: int) -> None:
        """Drop a state that is ahead of a part without scores: this one and all later ones are trained again."""
        if self._saved is not None and self._saved.part > part:
            for later in range(part + 1, self._saved.part):
                (self._path() / _SCORES.format(later)).unlink(missing_ok=True)
            self._saved = None
            self.history[:] = [report for report in self.history if report["part"] < part]

    def _save(self, part: int, loop: Loop) -> None:
        self._number += 1
        tensors: dict[str, Tensor] = {}
        packed = _pack(loop.state_dict(), "loop", tensors)
        facts = {"version": _VERSION, "part": part, "history": self.history, "loop": packed}
        self._write(f"state-{self._number:06d}.safetensors", tensors, facts)
        for old in sorted(self._path().glob(_STATES))[:-N_KEPT]:
            old.unlink(missing_ok=True)
        self._saved_at = time.monotonic()

    def _write(self, name: str, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        path = self._path()
        try:
            path.mkdir(exist_ok=True)
            write_tensors(path / name, tensors, facts)
        except OSError as error:
            raise RunFolderError(
                f"the state of the run cannot be saved in {path}",
                received=error.strerror or str(error),
                remedy=f"Make room or give yourself the right to write there, then go on with: "
                f"zslearn run --resume {path.parent}",
            ) from error


class FollowedCheckpoints(Checkpoints):
    """The saved states of a run, for a process that trains along with the one that keeps them, and writes nothing."""

    def step_done(self, part: int, loop: Loop) -> None:
        """Go on: the other process decides when to save and when to stop."""

    def _write(self, name: str, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        pass


@dataclass(frozen=True)
class PartKeeper:
    """Keeps the state of one part's training.

    Attributes:
        checkpoints: Those of the whole fit.
        part: The number of the part.
    """

    checkpoints: Checkpoints
    part: int

    def resume(self, loop: Loop) -> None:
        """Bring a new loop to where it stood when its state was saved.

        Raises:
            RunFolderError: If the saved state does not fit the loop.
        """
        state = self.checkpoints.take(self.part)
        try:
            if state is not None:
                loop.load_state_dict(state)
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise RunFolderError(
                "the saved state does not belong to this run",
                received=first_line(error),
                remedy=f"Delete the folder {FOLDER} of the run to start it from the beginning.",
            ) from error
        self.checkpoints.begin(loop)

    def step_done(self, loop: Loop) -> None:
        """Save the state if it is due."""
        self.checkpoints.step_done(self.part, loop)


def _read_state(path: Path) -> SavedState:
    stored = read_tensors(path)
    facts = stored.facts
    if facts["version"] != _VERSION:
        raise RunFolderError(
            f"{path} was saved by another version of zslearn",
            expected=f"a state of version {_VERSION}",
            received=f"one of version {facts['version']}",
            remedy=f"Delete the folder {FOLDER} of the run to start it from the beginning.",
        )
    return SavedState(part=facts["part"], loop=_unpack(facts["loop"], stored.tensors), history=facts["history"])


def _pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Return a nested state as JSON, its tensors replaced by their names."""
    if isinstance(value, Tensor):
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, Mapping):
        # Pairs, as the keys of optimisers are whole numbers, which JSON would turn into texts.
        return {"pairs": [[key, _pack(item, f"{name}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_pack(item, f"{name}/{place}", tensors) for place, item in enumerate(value)]
    return value


def _unpack(packed: Any, tensors: Mapping[str, Tensor]) -> Any:
    match packed:
        case {"tensor": name}:
            return tensors[name].clone()
        case {"pairs": pairs}:
            return {key: _unpack(item, tensors) for key, item in pairs}
        case [*items]:
            return [_unpack(item, tensors) for item in items]
    return packed
