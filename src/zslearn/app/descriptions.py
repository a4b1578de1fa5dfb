"""From what somebody says about a class to its semantics: numbers, a blend of classes, or a sentence."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import Float

from zslearn.data.checks import check_semantics
from zslearn.errors import DataError, listed, unknown_name
from zslearn.estimator import GenerativeZSL
from zslearn.inputs import check_attributes
from zslearn.shapes import Semantics

if TYPE_CHECKING:
    from zslearn.data.text import TextEncoder

ATTRIBUTES, BLEND, SENTENCE = "attributes", "blend", "sentence"
MAX_UNNAMED: Final = 40
"""How many numbers without a name get a slider each; where there are more, they mean nothing to anybody."""

Vector = Float[np.ndarray, " semantic_dim"]


@dataclass(frozen=True)
class Slider:
    """A number that says something about a class, and between which values the known classes have it."""

    name: str
    """The attribute's name."""
    low: float
    """The smallest value among the classes, in the attribute's own unit."""
    high: float
    """The largest one, larger than `low`, in the same unit."""


class Describer:
    """Turns descriptions of classes into semantics like those that a model was fitted to.

    A description has one of three forms:

    - ``{"attributes": {name: number}}``: a number for every slider.
    - ``{"blend": {class: weight}}``: the weighted mean of the semantics of known classes.
    - ``{"sentence": text}``: encoded as the sentences of the training; where these were mixed with attributes, also
      ``attributes``.

    Args:
        estimator: The model; classes that are added to it later can be blended too.
        encoder: Where the text encoder is, if it has moved.

    Attributes:
        ways: The forms that descriptions of this model may have.
        sliders: What ``attributes`` must tell.
    """

    def __init__(self, estimator: GenerativeZSL, encoder: str | Path | None = None) -> None:
        self._estimator = estimator
        self._folder = encoder
        self._encoder: TextEncoder | None = None
        facts = estimator.text_encoder_
        self._mix: Mapping[str, Any] | None = None if facts is None else facts.get("mix")
        self.ways: tuple[str, ...] = (BLEND,)
        self.sliders: tuple[Slider, ...] = ()
        if facts is not None:
            self.ways = (SENTENCE, BLEND)
            if self._mix is not None:
                self.sliders = _sliders(self._mix["attribute_names"], self._numbers(estimator.semantics_))
        elif names := _names(estimator):
            self.ways = (ATTRIBUTES, BLEND)
            self.sliders = _sliders(names, estimator.semantics_)

    def values(self, class_id: int) -> list[float]:
        """Return where the sliders of a known class stand."""
        row = self._estimator.semantics_[class_id : class_id + 1]
        return [float(f"{number:.6g}") for number in self._numbers(row)[0]] if self.sliders else []

    def semantics(self, description: Mapping[str, Any]) -> Vector:
        """Return the semantics of a described class.

        Raises:
            DataError: If the description is empty, incomplete or of another form.
            UnknownNameError: If an attribute or a class is not known.
            MissingExtraError: If a sentence needs an extra that is not installed.
        """
        match description:
            case {"sentence": str(sentence), **others}:
                vector = self._of_sentence(sentence, others.get(ATTRIBUTES))
            case {"attributes": dict(values)} if ATTRIBUTES in self.ways:
                vector = np.array(self._told(values))
            case {"blend": dict(weights)}:
                vector = self._blended(weights)
            case _:
                raise DataError(
                    "the class is not described",
                    expected=" or ".join(self.ways),
                    received=listed(sorted(map(str, description))) or "nothing",
                    remedy="Describe it in one of these ways.",
                )
        return np.asarray(check_semantics(vector[None], class_names=["the described class"])[0])

    def _of_sentence(self, sentence: str, values: Any) -> Vector:
        from zslearn.data.text import TextEncoder, describe_like

        facts = self._estimator.text_encoder_
        if facts is None:
            raise DataError(
                "this model learnt from numbers and understands no sentences",
                expected=" or ".join(self.ways),
                remedy="Describe the class in one of these ways.",
            )
        if not sentence.strip():
            raise DataError(
                "the description is empty", expected="a sentence", remedy="Say what such a sample looks like."
            )
        if self._encoder is None:
            self._encoder = TextEncoder.restore(facts, encoder=self._folder)
        attributes = None
        if self._mix is not None:
            told = self._told(values if isinstance(values, dict) else {})
            attributes = dict(zip((slider.name for slider in self.sliders), told, strict=True))
        return describe_like(facts, [sentence], attributes=attributes, encoder=self._encoder)

    def _told(self, values: Mapping[str, Any]) -> list[float]:
        """Return a number for every slider, in order."""
        names = [slider.name for slider in self.sliders]
        check_attributes(values, names)
        return [_number(values[name], name) for name in names]

    def _blended(self, weights: Mapping[str, Any]) -> Vector:
        rows = {str(name): row for row, name in enumerate(self._estimator.classes_.tolist())}
        for name in weights:
            if name not in rows:
                raise unknown_name("class", str(name), rows)
        shares = np.array([_number(weight, name) for name, weight in weights.items()])
        if not shares.size or (shares < 0).any() or not shares.any():
            raise DataError(
                "the blend is empty",
                expected="weights of at least 0, one of them larger",
                remedy="Give a class a larger share.",
            )
        parts = self._estimator.semantics_[[rows[name] for name in weights]]
        return np.asarray(shares @ parts / shares.sum())

    def _numbers(self, semantics: Semantics) -> Semantics:
        """Return the attributes in semantics: all of it, or what was mixed with sentences."""
        mix = self._mix
        if mix is None:
            return semantics
        scale = mix["attribute_weight"] * np.array(mix["attribute_scale"])
        told = scale != 0
        mixed = semantics[:, semantics.shape[1] - len(scale) :]
        return np.where(told, mixed / np.where(told, scale, 1.0), 0.0) + np.array(mix["attribute_mean"])


def _names(estimator: GenerativeZSL) -> Sequence[str]:
    """The names of the attributes; numbers where there are few without a name, nothing where there are many."""
    n_numbers = estimator.semantics_.shape[1]
    if estimator.attribute_names_ or n_numbers > MAX_UNNAMED:
        return estimator.attribute_names_
    return [f"attribute {number}" for number in range(1, n_numbers + 1)]


def _sliders(names: Sequence[str], numbers: Semantics) -> tuple[Slider, ...]:
    lows, highs = numbers.min(axis=0).tolist(), numbers.max(axis=0).tolist()
    return tuple(
        Slider(name, low, high) if low < high else Slider(name, min(low, 0.0), max(high, 1.0))
        for name, low, high in zip(names, lows, highs, strict=True)
    )


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise DataError(
            f"{name!r} has no number",
            expected="a finite number",
            received=repr(value)[:40],
            remedy="Give a number for every attribute.",
        )
    return float(value)
