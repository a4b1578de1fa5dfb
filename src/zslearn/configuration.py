"""Settings as frozen dataclasses: strict building, ranges, and the facts that the command line shows.

A configuration class is frozen and keyword-only; each field has a type, a default, and a docstring of its own
right below it. ``Annotated[float, Range(0)]`` states a range.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import itertools
import math
import textwrap
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from zslearn.errors import ConfigError, unknown_name
from zslearn.limits import parse_yaml

Configuration = TypeVar("Configuration")


@dataclass(frozen=True)
class Range:
    """The allowed values of a number.

    Attributes:
        low: The lowest, in the field's own unit.
        high: The highest, in the same unit.
        low_open: Whether the lowest itself is not allowed.
        high_open: Whether the highest itself is not allowed.
    """

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below

    def __str__(self) -> str:
        return f"{'(' if self.low_open else '['}{self.low:g}, {self.high:g}{')' if self.high_open else ']'}"


@dataclass(frozen=True)
class FieldFacts:
    """What is known of one field of a configuration.

    Attributes:
        name: Its name, as ``--set`` takes it.
        type: Of its values; a ``Literal`` where there are a few.
        default: Its value unless it is set.
        range: The numbers allowed; None where it is not a number, or any will do.
        text: What it means, and its unit.
    """

    name: str
    type: Any
    default: Any
    range: Range | None
    text: str

    @property
    def allowed(self) -> str:
        """The allowed values in words, such as ``a number in [0, 1)``."""
        if typing.get_origin(self.type) is Literal:
            return "one of " + ", ".join(map(str, typing.get_args(self.type)))
        word = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[self.type]
        return word + (f" in {self.range}" if self.range else "")


def field_facts(configuration: type) -> Mapping[str, FieldFacts]:
    """Return the facts of every field of a configuration class, by name."""
    return _known_facts(configuration)


@functools.cache
def _known_facts(configuration: type) -> Mapping[str, FieldFacts]:
    hints = typing.get_type_hints(configuration, include_extras=True)
    texts = _field_texts(configuration)
    facts = {}
    for field in dataclasses.fields(configuration):
        hint, value_range = hints[field.name], None
        if typing.get_origin(hint) is typing.Annotated:
            hint, *extras = typing.get_args(hint)
            value_range = next((extra for extra in extras if isinstance(extra, Range)), None)
        facts[field.name] = FieldFacts(field.name, hint, field.default, value_range, texts.get(field.name, ""))
    return MappingProxyType(facts)


def build(configuration: type[Configuration], settings: Mapping[str, Any]) -> Configuration:
    """Make a configuration from its defaults and the given settings.

    Args:
        configuration: The class.
        settings: Values by field name, as they come from YAML or Python.

    Raises:
        UnknownNameError: If a name is not a field; the message lists the nearest ones.
        ConfigError: If a value has a wrong type or lies outside the field's range.
    """
    facts = field_facts(configuration)
    for name in settings:
        if name not in facts:
            raise unknown_name("setting", name, facts)
    return configuration(**{name: _checked(facts[name], value) for name, value in settings.items()})


def check(configuration: object) -> None:
    """Check every value of a configuration that was made by hand.

    Raises:
        ConfigError: If a value has a wrong type or lies outside its field's range.
    """
    for name, facts in field_facts(type(configuration)).items():
        _checked(facts, getattr(configuration, name))


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """Turn ``FIELD=VALUE`` texts into settings; values are read as YAML.

    Raises:
        ConfigError: If a text has no ``=`` or its value is not readable.
    """
    settings = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(
                "a setting is malformed",
                expected="FIELD=VALUE",
                received=repr(text)[:80],
                remedy="Write --set sp_weight=0.5, for example.",
            )
        settings[name.strip()] = parse_value(name, value)
    return settings


def parse_value(name: str, text: str) -> Any:
    """Return the value of a setting, read as YAML.

    Raises:
        ConfigError: If it is not readable.
    """
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise ConfigError(
            f"the value of {name!r} is not readable",
            received=repr(text[:40]),
            remedy="Give a number, a word, true or false.",
        ) from error


def _checked(facts: FieldFacts, value: Any) -> Any:
    checked = _converted(facts.type, value)
    in_range = facts.range is None or (checked is not None and checked in facts.range)
    if checked is None or not in_range:
        raise ConfigError(
            f"the setting {facts.name!r} has a wrong value",
            expected=facts.allowed,
            received=repr(value)[:80],
            remedy="See zslearn show models NAME.",
        )
    return checked


def _converted(kind: Any, value: Any) -> Any:
    """Return the value as the field's type, or None where it is not of that type."""
    if typing.get_origin(kind) is Literal:
        return value if value in typing.get_args(kind) else None
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value) if math.isfinite(value) else None
        except OverflowError:
            return None
    if kind is float and isinstance(value, str):
        # YAML 1.1 reads 5e-4 as a text.
        try:
            return _converted(float, float(value))
        except ValueError:
            return None
    return value if type(value) is kind else None


@functools.cache
def _field_texts(configuration: type) -> dict[str, str]:
    texts: dict[str, str] = {}
    for cls in reversed(configuration.__mro__):
        if dataclasses.is_dataclass(cls):
            tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
            body = typing.cast(ast.ClassDef, tree.body[0]).body
            for field, text in itertools.pairwise(body):
                match field, text:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(words))),
                    ):
                        texts[name] = " ".join(words.split())
    return texts
