import json

import pytest

from zslearn.evaluation.events import EventLog, digest, holds


@pytest.fixture
def events():
    log = EventLog()
    log.add("rehearsed", offset=0.5)
    log.add("trained", seed=1)
    log.add("test view opened", n_rows=3)
    return json.loads(json.dumps([event.as_dict() for event in log.events]))


def test_a_chain_holds_after_its_way_through_json(events):
    assert holds(events)
    assert [event["event"] for event in events] == ["rehearsed", "trained", "test view opened"]


def test_another_choice_another_order_and_a_missing_event_are_seen(events):
    changed = [{**events[0], "choices": {"offset": 0.6}}, *events[1:]]
    assert not holds(changed)
    assert not holds([events[1], events[0], events[2]])
    assert not holds(events[1:])
    # What was cut off at the end is no longer there to be seen; what is left still holds.
    assert holds(events[:2])


def test_a_hash_does_not_depend_on_the_order_of_keys_but_on_every_value():
    assert digest({"a": 1, "b": [2, 3]}) == digest({"b": [2, 3], "a": 1})
    assert digest({"a": 1, "b": [2, 3]}) != digest({"a": 1, "b": [3, 2]})
