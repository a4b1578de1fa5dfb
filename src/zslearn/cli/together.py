"""``zslearn run`` in several processes that ``torchrun`` has started: one leads and writes, the others train along.

The others know nothing but what the leader tells them; whatever goes wrong that it can tell, it tells alone.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from zslearn.errors import DataError, TrainingError, ZslearnError

if TYPE_CHECKING:
    from zslearn.data.dataset import ZSLDataset
    from zslearn.training.team import Team

_DONE = 0


class Leadership:
    """Tells the other processes what to train; where it does not come to that, it lets them go.

    Args:
        team: The processes.
    """

    def __init__(self, team: Team) -> None:
        self._team = team
        self._told = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._told:
            with contextlib.suppress(TrainingError):
                self._team.agreed({})

    def tell(self, begun: Mapping[str, Any], resumed: Path | None) -> None:
        """Have all processes train, beginning with the next one that this one begins.

        Args:
            begun: The record of the run until it ends.
            resumed: The run's folder, where its saved state is taken up.

        Raises:
            DataError: If a process cannot read the data, or has others.
        """
        self._told = True
        folder = None if resumed is None else str(resumed.resolve())
        self._team.agreed({"begun": begun, "resumed": folder})
        complaints = self._team.gathered("")
        for rank, complaint in enumerate(complaints):
            if complaint:
                raise DataError(
                    f"process {rank} does not have the data of process 0",
                    expected=f"the checksum {begun['data']['checksum'][:16]}",
                    received=complaint.rstrip("."),
                    remedy="Give every process the same files.",
                )


def follow(team: Team) -> int:
    """Train what the leader says, and write nothing.

    Returns:
        The exit code: done, also where the leader has met an error, for it tells that itself.
    """
    from zslearn.estimator import GenerativeZSL
    from zslearn.training.checkpoint import FollowedCheckpoints

    # What an interrupt means is the leader's to decide; when it has left, the next exchange fails.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(ZslearnError):
        order: dict[str, Any] = team.agreed({})
        if not order:
            return _DONE
        begun = order["begun"]
        dataset, complaint = _same_data(begun)
        if any(team.gathered(complaint)) or dataset is None:
            return _DONE
        checkpoints = None
        if order["resumed"] is not None:
            checkpoints = FollowedCheckpoints(lambda: Path(order["resumed"]))
            checkpoints.load()
        estimator = GenerativeZSL(
            begun["model"], settings=begun["settings"], seed=begun["seed"], device=begun["device"]
        )
        estimator.fit_view(dataset.training_in_place(), checkpoints=checkpoints)
    return _DONE


def _same_data(begun: Mapping[str, Any]) -> tuple[ZSLDataset | None, str]:
    """Load the leader's data, and say what is wrong with them here."""
    from zslearn.data.catalog import load_recorded

    try:
        dataset = load_recorded(begun)
    except (ZslearnError, OSError) as error:
        return None, str(error)
    return dataset, "" if dataset.checksum == begun["data"]["checksum"] else dataset.checksum[:16]
