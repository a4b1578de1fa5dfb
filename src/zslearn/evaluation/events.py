"""What happened in which order, in a chain of hashes: nothing can be chosen later and entered earlier unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

TEST_VIEW_OPENED = "test view opened"
"""The event that every choice has to precede."""


@dataclass(frozen=True)
class Event:
    """Something that happened, and what was settled by it.

    Attributes:
        name: What happened.
        choices: What was settled, ready for JSON.
        hash: SHA-256 over the hash before it, the name and the choices, as 64 hex digits.
    """

    name: str
    choices: Mapping[str, Any]
    hash: str

    def as_dict(self) -> dict[str, Any]:
        """Return the event as records hold it."""
        return {"event": self.name, "choices": dict(self.choices), "hash": self.hash}


class EventLog:
    """A growing chain of events.

    Args:
        events: The events so far.

    >>> log = EventLog()
    >>> log.add("rehearsed", offset=0.5)
    >>> log.add("test view opened")
    >>> holds([event.as_dict() for event in log.events])
    True
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._events = list(events)

    @property
    def events(self) -> tuple[Event, ...]:
        """All events so far, in order."""
        return tuple(self._events)

    def add(self, name: str, **choices: Any) -> None:
        """Append an event; its hash covers all before it."""
        before = self._events[-1].hash if self._events else ""
        self._events.append(Event(name, choices, _hash(before, name, choices)))


def holds(events: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the events of a record are whole, unchanged and in their order."""
    before = ""
    for event in events:
        if event["hash"] != _hash(before, event["event"], event["choices"]):
            return False
        before = event["hash"]
    return True


def digest(value: Any) -> str:
    """Return the SHA-256 of a value that JSON can hold, as 64 hex digits; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _hash(before: str, name: str, choices: Mapping[str, Any]) -> str:
    return digest([before, name, choices])
