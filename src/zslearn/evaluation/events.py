"""What happened in which order, in a chain of hashes: nothing can be chosen later and entered earlier unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

TEST_VIEW_OPENED = "test view opened"
"""The event that every choice has to precede."""
MEASURED, CONTROL_MEASURED = "measured", "control measured"
"""The events that may follow it, with the figures; the last one's are those of the record."""


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


def contradictions(record: Mapping[str, Any]) -> list[str]:
    """Return what a finished run's record says otherwise than its own events; nothing where the record holds.

    The chain must be whole, the test view opened once and after all choices, and every choice and figure of the record
    the one that its event settled. Who recomputes the whole chain is not seen: it is a seal, no signature.

    Args:
        record: What ``zslearn.records.make_record`` made.
    """
    try:
        return list(_contradictions(record))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        return [f"its events cannot be read ({type(error).__name__}: {error})"]


def digest(value: Any) -> str:
    """Return the SHA-256 of a value that JSON can hold, as 64 hex digits; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _hash(before: str, name: str, choices: Mapping[str, Any]) -> str:
    return digest([before, name, choices])


def _contradictions(record: Mapping[str, Any]) -> Iterator[str]:
    selection = record["selection"]
    events = selection["events"]
    if not holds(events):
        yield "its events were changed, moved or taken out"
    names = [event["event"] for event in events]
    if TEST_VIEW_OPENED in names and set(names[names.index(TEST_VIEW_OPENED) + 1 :]) - {MEASURED, CONTROL_MEASURED}:
        yield "the test view was not opened once, after all choices"
    settled = {event["event"]: event["choices"] for event in events}
    for name, told in _told(record).items():
        event, _, part = name.partition(": ")
        if event not in settled or (settled[event].get(part) if part else settled[event]) != told:
            yield f"it differs from what was settled as {name!r}"


def _told(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a record says of what its events settled, by the event, or the event and the part of it."""
    selection = record["selection"]
    told: dict[str, Any] = {"trained": {"seed": record["seed"], "config": digest(record["config"])}}
    if selection["rehearsal"] is not None:
        told["rehearsed: offset"] = selection["rehearsal"]["offset"]
        told["rehearsed: ausuc"] = selection["rehearsal"]["ausuc"]
        told["rehearsed: settings"] = selection["alternatives"][selection["rehearsal"]["chosen"]]
    if selection.get("search") is not None:
        told["searched"] = selection["search"]
    if selection["references"]:
        told["references chosen"] = {name: digest(facts) for name, facts in selection["references"].items()}
    if any(value is not None for value in record["metrics"].values()):
        told[f"{TEST_VIEW_OPENED}: data"] = record["data"]["checksum"]
        last, figures = selection["events"][-1], {**record["metrics"], "corrected": record["metrics_corrected"]}
        # The first records of version 2 settled fewer figures.
        kept = {name: figures[name] for name in figures.keys() & last["choices"].keys()}
        told[last["event"]] = {**last["choices"], **kept}
        if any("references" in event["choices"] for event in selection["events"]):
            told[f"{MEASURED}: references"] = digest(record["references"])
    return told
