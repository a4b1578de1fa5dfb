"""One hook for every tracker: ``log(metrics, step)`` is told how training goes and what came out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from zslearn.errors import ConfigError, require_extra

if TYPE_CHECKING:
    from zslearn.estimator import FitProgress

Log = Callable[[Mapping[str, float], int], None]
"""Takes numbers by name, and the step that they belong to."""


class ProgressLog:
    """Turns the progress of a fit into calls of a hook; steps count on over all parts of the fit.

    Args:
        log: The hook.
        history: The reports of an earlier, stopped run of the same fit: steps go on from there.
    """

    def __init__(self, log: Log, history: Sequence[Mapping[str, Any]] = ()) -> None:
        self._log = log
        self._reached: dict[int, int] = {report["part"]: report["total_step"] for report in history}
        self.step = sum(self._reached.values())

    def update(self, progress: FitProgress) -> None:
        """Pass on one report of training, as ``train/PHASE/TERM`` or ``rehearsal-N/PHASE/TERM``."""
        training = progress.training
        self._reached[progress.part] = training.total_step
        self.step = sum(steps for part, steps in self._reached.items() if part <= progress.part)
        where = "train" if progress.part == progress.n_parts - 1 else f"rehearsal-{progress.part + 1}"
        self._log({f"{where}/{name.replace('.', '/')}": value for name, value in training.terms.items()}, self.step)

    def finish(self, plain: Mapping[str, float | None], corrected: Mapping[str, float | None]) -> None:
        """Pass on what was measured, as ``test/METRIC`` and ``test/corrected/METRIC``."""
        measured = {f"test/{name}": value for name, value in plain.items()}
        measured |= {f"test/corrected/{name}": value for name, value in corrected.items()}
        self._log({name: value for name, value in measured.items() if value is not None}, self.step)


class JSONLines:
    """Writes one line of JSON for each call: ``{"step": ..., "metrics": {...}}``.

    Args:
        path: The file; lines are added to what is there.
    """

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("a", encoding="utf-8")

    def __call__(self, metrics: Mapping[str, float], step: int) -> None:
        """Write one line."""
        self._file.write(json.dumps({"step": step, "metrics": dict(metrics)}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TensorBoard:
    """Writes scalars that TensorBoard shows.

    Args:
        folder: Where its event files go.

    Raises:
        MissingExtraError: If tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        require_extra("tensorboard", "tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder))

    def __call__(self, metrics: Mapping[str, float], step: int) -> None:
        """Write every number."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is left, and close."""
        self._writer.close()


_TRACKERS: Mapping[str, Callable[[Path], JSONLines | TensorBoard]] = {"jsonl": JSONLines, "tensorboard": TensorBoard}


class Trackers:
    """The trackers that the command line names, as one hook that is closed in the end.

    Args:
        targets: ``KIND:PATH`` each: ``jsonl:FILE`` or ``tensorboard:DIR``.

    Raises:
        ConfigError: If a target is malformed, or its file cannot be opened.
        MissingExtraError: If its package is not installed.
    """

    def __init__(self, targets: list[str]) -> None:
        self._targets = [_parsed(target) for target in targets]
        self._logs: list[JSONLines | TensorBoard] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Open them."""
        for kind, path in self._targets:
            try:
                self._logs.append(_TRACKERS[kind](path))
            except OSError as error:
                raise ConfigError(
                    f"cannot log to {path}", received=error.strerror, remedy="Name a place that you may write to."
                ) from error
            self._stack.callback(self._logs[-1].close)
        return self

    def __exit__(self, *error: object) -> None:
        """Close them."""
        self._stack.close()

    def __call__(self, metrics: Mapping[str, float], step: int) -> None:
        """Tell all of them."""
        for log in self._logs:
            log(metrics, step)


def _parsed(target: str) -> tuple[str, Path]:
    kind, colon, path = target.partition(":")
    if not colon or not path or kind not in _TRACKERS:
        raise ConfigError(
            "there is no such place to log to",
            expected="tensorboard:DIR or jsonl:FILE",
            received=repr(target),
            remedy="Write --log jsonl:log.jsonl, for example.",
        )
    return kind, Path(path)
