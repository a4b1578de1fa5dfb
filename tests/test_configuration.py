from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from zslearn.configuration import Range, build, field_facts, parse_assignments
from zslearn.errors import ConfigError, UnknownNameError


@dataclass(frozen=True, kw_only=True)
class Basic:
    """A configuration."""

    share: Annotated[float, Range(0, 1, high_open=True)] = 0.5
    """A share
    of something."""
    count: Annotated[int, Range(1)] = 3
    """How many."""


@dataclass(frozen=True, kw_only=True)
class Derived(Basic):
    """A configuration with more fields."""

    kind: Literal["plain", "fancy"] = "plain"
    """Which kind."""
    on: bool = False
    """Whether."""


def test_fields_tell_their_meaning_range_and_default():
    facts = field_facts(Derived)
    assert list(facts) == ["share", "count", "kind", "on"]
    assert facts["share"].text == "A share of something."
    assert facts["share"].allowed == "a number in [0, 1)"
    assert facts["kind"].allowed == "one of plain, fancy"
    assert facts["count"].default == 3


def test_build_takes_what_yaml_gives():
    settings = parse_assignments(["share=5e-2", "count=7", "kind=fancy", "on=true"])
    assert build(Derived, settings) == Derived(share=0.05, count=7, kind="fancy", on=True)
    assert build(Derived, {"share": 0}) == Derived(share=0.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"share": 1.0}, "'share' has a wrong value .expected a number in .0, 1.; received 1.0"),
        ({"share": 10**400}, "'share' has a wrong value .expected a number in .0, 1.; received 1000"),
        ({"share": "much"}, "received 'much'"),
        ({"share": float("nan")}, "received nan"),
        ({"share": None}, "received None"),
        ({"count": 2.0}, "expected a whole number in .1, inf.; received 2.0"),
        ({"count": True}, "received True"),
        ({"on": 1}, "expected true or false; received 1"),
        ({"kind": "plian"}, "expected one of plain, fancy; received 'plian'"),
    ],
)
def test_wrong_values_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        build(Derived, settings)


def test_unknown_names_meet_the_nearest_known_one():
    with pytest.raises(UnknownNameError, match="no setting called 'cuont'. Did you mean count"):
        build(Derived, {"cuont": 1})


@pytest.mark.parametrize("text", ["count", "=3", "count=[1"])
def test_malformed_assignments_are_refused(text):
    with pytest.raises(ConfigError):
        parse_assignments([text])
