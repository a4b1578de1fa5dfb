"""Arms: named changes to a model's settings, for ablations and for sweeps of single fields."""

from __future__ import annotations

import itertools
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from zslearn.configuration import FieldFacts, build, field_facts
from zslearn.errors import ConfigError, unknown_name

PARTS = ("sr", "sp", "kd")
"""Semantic regularization, semantic preservation, semantic-based distillation, as fields begin."""
CONTROLS: Mapping[str, str] = {
    "permuted unseen semantics": "each unseen class gets the semantics of a random one: T1 must fall to chance",
    "random semantics": "every class gets random semantics: nothing can be transferred",
    "real unseen samples": "the classifier learns from half of the real unseen samples: a ceiling that uses test data",
    "class means": "each synthetic sample is replaced by the mean of its class: what generation adds to its mean",
}
"""What the controls change, by name."""
_WEIGHT_FACTORS = (0.0, 0.1, 0.3, 3.0, 10.0)
_ABSENT_WEIGHTS = (0.1, 0.3, 1.0, 3.0)
_FACTORS = (0.25, 0.5, 2.0, 4.0)


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm of an ablation or a sweep.

    Attributes:
        name: What tables call it.
        settings: The settings that it changes.
        control: The control of `CONTROLS` that it is, if any.
        marks: Facts for tables and figures, such as the field and value of a sweep.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    control: str | None = None
    marks: Mapping[str, Any] = field(default_factory=dict)


def ablation_arms(model: str, configuration: type, settings: Mapping[str, Any], *, controls: bool) -> tuple[Arm, ...]:
    """List the arms of an ablation, the whole method first.

    The eight combinations of SR, SP and KD; each part's own terms switched off, or on where they are off; the other
    teachers of the distillation; training without unseen semantics; and, on demand, the controls.

    Args:
        model: The model's name.
        configuration: Its configuration class.
        settings: Its settings in every arm.
        controls: Whether the controls are wanted.

    Raises:
        ConfigError: If the model does not have the three parts.
    """
    facts = field_facts(configuration)
    wholes = {part: f"{part}_weight" for part in PARTS}
    missing = [name for name in wholes.values() if name not in facts]
    if missing:
        raise ConfigError(
            f"{model} has no semantic terms to take away",
            expected=f"the settings {', '.join(wholes.values())}",
            received=f"no {', '.join(missing)}",
            remedy="Choose a model that has them, such as skd, or use zslearn sweep.",
        )
    base: Any = build(configuration, settings)
    on = {name: getattr(base, name) or 1.0 for name in wholes.values()}
    arms = []
    for states in sorted(itertools.product((True, False), repeat=len(PARTS)), key=lambda states: -sum(states)):
        present = [part for part, state in zip(PARTS, states, strict=True) if state]
        weights = {wholes[part]: on[wholes[part]] if part in present else 0.0 for part in PARTS}
        arms.append(Arm(name="+".join(present).upper() or "base", settings=weights, marks={"parts": present}))
    for name in facts:
        part, _, rest = name.partition("_")
        if part in PARTS and rest.endswith("_weight"):
            off = getattr(base, name) > 0
            arms.append(Arm(name=f"{'without' if off else 'with'} {name}", settings={**on, name: 0.0 if off else 1.0}))
    if "kd_teacher" in facts:
        others = [teacher for teacher in typing.get_args(facts["kd_teacher"].type) if teacher != base.kd_teacher]
        arms += [Arm(name=f"teacher: {teacher}", settings={**on, "kd_teacher": teacher}) for teacher in others]
    if getattr(base, "unseen_semantics", False):
        arms.append(Arm(name="without unseen semantics", settings={**on, "unseen_semantics": False}))
    if controls:
        arms += [Arm(name=name, settings=on, control=name) for name in CONTROLS]
    return tuple(arms)


def sweep_arms(
    configuration: type, settings: Mapping[str, Any], values: Mapping[str, tuple[Any, ...]] | None = None
) -> tuple[Arm, ...]:
    """List the arms of a sweep, the settings as they are first; then one field at a time moves.

    Args:
        configuration: The model's configuration class.
        settings: Its settings in every arm.
        values: The values of each field; empty: those around what is set.
            None: each weight, each temperature and the number of synthetic samples.

    Raises:
        UnknownNameError: If there is no such field.
        ConfigError: If a field is not a number, or a value is not allowed.
    """
    facts = field_facts(configuration)
    base: Any = build(configuration, settings)
    if values is None:
        values = {name: () for name in facts if _kind(facts[name])}
    arms = [Arm(name="as set")]
    for name, wanted in values.items():
        if name not in facts:
            raise unknown_name("setting", name, facts)
        if facts[name].type not in (int, float):
            raise ConfigError(
                f"{name} cannot be swept",
                expected="a setting that is a number",
                received="another kind of setting",
                remedy="Compare such settings with zslearn ablate --arm.",
            )
        tried = wanted or _around(facts[name], getattr(base, name))
        for checked in dict.fromkeys(getattr(build(configuration, {**settings, name: value}), name) for value in tried):
            if checked != getattr(base, name):
                marks = {"field": name, "value": checked}
                arms.append(Arm(name=f"{name} = {checked}", settings={name: checked}, marks=marks))
    if len(arms) == 1:
        raise ConfigError(
            "there is nothing to sweep", expected="a value that differs from what is set", remedy="Give other values."
        )
    as_set = {name: getattr(base, name) for name in values}
    return (replace(arms[0], marks={"as_set": as_set}), *arms[1:])


def capped(configuration: type, settings: Mapping[str, Any], at_most: Mapping[str, float]) -> dict[str, Any]:
    """Return settings with those fields lowered that lie above a cap; fields that the model lacks are left out."""
    facts = field_facts(configuration)
    lowered = {
        name: facts[name].type(cap)
        for name, cap in at_most.items()
        if name in facts and settings.get(name, facts[name].default) > cap
    }
    return {**settings, **lowered}


def _kind(facts: FieldFacts) -> Literal["weight", "temperature", "count"] | None:
    """What a field is to a sweep that was given no fields; None where it leaves the field alone."""
    if facts.type is float and facts.name.endswith("_weight"):
        return "weight"
    if facts.type is float and facts.name.endswith("temperature"):
        return "temperature"
    return "count" if facts.name == "n_synthetic" else None


def _around(facts: FieldFacts, value: float) -> tuple[Any, ...]:
    """Values around what is set, as far as the field may take them."""
    if value == 0:
        wanted = list(_ABSENT_WEIGHTS)
    else:
        factors = _WEIGHT_FACTORS if _kind(facts) == "weight" else _FACTORS
        wanted = [value * factor for factor in factors]
    if facts.type is int:
        wanted = [max(1, math.ceil(each)) for each in wanted]
    rounded = [facts.type(float(f"{each:.6g}")) for each in wanted]
    return tuple(each for each in rounded if facts.range is None or each in facts.range)
