"""YAML whose every value knows its line, so that a mistake is reported where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import yaml

from zslearn.errors import ConfigError, ZslearnError, first_line, unknown_name

_DEEPEST = 20
_EXAMPLE = "See zslearn benchmark show quick for an example."
_Error = TypeVar("_Error", bound=ZslearnError)


@dataclass(frozen=True)
class Entry:
    """A value of a document.

    Attributes:
        source: The document's name.
        line: Where the value begins, counted from 1.
        value: A text, number, truth value or None; or a list, or a mapping by text, of entries.
    """

    source: str
    line: int
    value: Any

    def refuse(self, what: str, **facts: str | None) -> NoReturn:
        """Raise that this value is wrong.

        Args:
            what: What is wrong, in one clause.
            facts: As of ``ZslearnError``: expected, received, remedy.
        """
        raise self.located(ConfigError(what, **{"remedy": _EXAMPLE, **facts}))

    def located(self, error: _Error) -> _Error:
        """Return the same error with this place in front."""
        return type(error)(
            f"{self.source}, line {self.line}: {error.what}",
            expected=error.expected,
            received=error.received,
            remedy=error.remedy,
        )

    def mapping(self, what: str, known: Iterable[str] | None = None) -> dict[str, Entry]:
        """Return the entries of a mapping.

        Args:
            what: What the mapping describes, for errors.
            known: The keys that are allowed; None allows all.

        Raises:
            ConfigError: If this is not a mapping.
            UnknownNameError: If a key is not allowed; the message names the nearest ones.
        """
        if not isinstance(self.value, dict):
            self.refuse(f"{what} is not a mapping", expected="lines of NAME: VALUE", received=self.shown)
        if known is not None:
            allowed = list(known)
            for name, entry in self.value.items():
                if name not in allowed:
                    raise entry.located(unknown_name(f"field of {what}", name, allowed))
        return dict(self.value)

    def items(self, what: str) -> list[Entry]:
        """Return the entries of a list with at least one.

        Raises:
            ConfigError: If this is not a list, or is an empty one.
        """
        if not isinstance(self.value, list) or not self.value:
            wrong = "is empty" if self.value == [] else "is not a list"
            self.refuse(f"{what} {wrong}", expected="a list with at least one entry", received=self.shown)
        return list(self.value)

    def text(self, what: str) -> str:
        """Return a text.

        Raises:
            ConfigError: If this is not a text, or is an empty one.
        """
        if not isinstance(self.value, str) or not self.value.strip():
            self.refuse(f"{what} is not a text", expected="a text", received=self.shown)
        return str(self.value)

    def flag(self, what: str) -> bool:
        """Return a truth value.

        Raises:
            ConfigError: If this is not a truth value.
        """
        if not isinstance(self.value, bool):
            self.refuse(f"{what} is neither true nor false", expected="true or false", received=self.shown)
        return bool(self.value)

    def whole(self, what: str, low: int = 0) -> int:
        """Return a whole number.

        Raises:
            ConfigError: If this is not a whole number, or is less than ``low``.
        """
        if type(self.value) is not int or self.value < low:
            self.refuse(f"{what} is wrong", expected=f"a whole number from {low}", received=self.shown)
        return int(self.value)

    @property
    def plain(self) -> Any:
        """The value without the places."""
        if isinstance(self.value, dict):
            return {name: entry.plain for name, entry in self.value.items()}
        return [entry.plain for entry in self.value] if isinstance(self.value, list) else self.value

    @property
    def shown(self) -> str:
        """What came, in short, for an error."""
        kinds = {dict: "a mapping", list: "a list", type(None): "nothing"}
        if type(self.value) is list and not self.value:
            return "an empty list"
        return kinds.get(type(self.value)) or repr(self.value)[:40]


def read_document(text: str, source: str) -> Entry:
    """Read YAML strictly: plain values only, no key twice, no anchors.

    Args:
        text: The document.
        source: What to call it in errors.

    Raises:
        ConfigError: If it cannot be read; the message names the line.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            raise ConfigError(f"{source} is empty", expected="lines of NAME: VALUE", remedy=_EXAMPLE)
        return _entry(node, source, set(), 0)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(
            f"{source}, line {line}: this is not YAML", received=error.problem, remedy=_EXAMPLE
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{source} cannot be read as YAML", received=first_line(error), remedy=_EXAMPLE) from error


def _entry(node: yaml.Node, source: str, known: set[int], depth: int) -> Entry:
    here = Entry(source, node.start_mark.line + 1, None)
    if id(node) in known:
        here.refuse("an alias stands for another place", remedy="Write the value out.")
    known.add(id(node))
    if depth > _DEEPEST:
        here.refuse("this is nested too deeply", expected=f"at most {_DEEPEST} levels")
    value: Any
    if isinstance(node, yaml.MappingNode):
        value = dict(_pairs(node, source, known, depth))
    elif isinstance(node, yaml.SequenceNode):
        value = [_entry(below, source, known, depth + 1) for below in node.value]
    else:
        value = _scalar(node, here)
    return Entry(source, here.line, value)


def _pairs(node: yaml.MappingNode, source: str, known: set[int], depth: int) -> Iterator[tuple[str, Entry]]:
    names: set[str] = set()
    for key, value in node.value:
        here = Entry(source, key.start_mark.line + 1, None)
        name = _scalar(key, here) if isinstance(key, yaml.ScalarNode) else None
        if not isinstance(name, str):
            here.refuse("a key is not a text", expected="NAME: VALUE", received=repr(name))
        if name in names:
            here.refuse(f"{name!r} is given twice")
        names.add(name)
        below = _entry(value, source, known, depth + 1)
        # A value on the lines below its key is best found by the key.
        yield name, Entry(source, here.line, below.value)


def _scalar(node: yaml.Node, here: Entry) -> str | int | float | bool | None:
    loader = yaml.SafeLoader("")
    try:
        value = loader.construct_object(node)
    except (yaml.YAMLError, ValueError) as error:
        here.refuse("this value is not readable", received=first_line(error))
    finally:
        loader.dispose()
    if value is not None and not isinstance(value, (str, int, float)):
        here.refuse("this is not a plain value", expected="a text, a number, true or false", received=str(value))
    return value
