"""What an experiment compares with what: rows with the best one, parts with their absence, values with what is set."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from zslearn.evaluation.statistics import Comparison, common_units, compare, holm_corrected, several_splits
from zslearn.experiments.arms import PARTS

Kind = Literal["grid", "ablation", "sweep"]
Unit = tuple[str, int]
"""A split and a seed."""
AVERAGED, ABSENCE = ", averaged over the other parts", "its absence"
"""How the names of an ablation's parts end, and what the parts are compared with."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A row of a table, as it is compared with others.

    Attributes:
        name: What tables call it.
        model: The model whose arms are compared with each other.
        marks: What the experiment says of its arm: the parts that it has, or the settings of all fields of a sweep.
        values: One figure by unit.
    """

    name: str
    model: str
    marks: Mapping[str, Any]
    values: Mapping[Unit, float]

    @property
    def parts(self) -> frozenset[str] | None:
        """The parts that it has, where it is one of the eight combinations of an ablation; None otherwise."""
        parts = self.marks.get("parts")
        return frozenset(map(str, parts)) if isinstance(parts, list) else None

    @property
    def is_base(self) -> bool:
        """Whether the others are compared with it: the whole in an ablation, what is set in a sweep."""
        return self.parts == frozenset(PARTS) or "as_set" in self.marks


def contrasts(kind: Kind, rows: Sequence[Measured]) -> tuple[Comparison, ...]:
    """Compare what this kind of experiment is about, corrected for the number of comparisons after Holm.

    Grids compare every row with the best one; ablations each part with its absence, and the whole with every other
    arm; sweeps each value with what is set.
    """
    rows = [row for row in rows if row.values]
    if kind == "grid":
        return holm_corrected(list(_against_the_best(rows)))
    by_model: dict[str, list[Measured]] = {}
    for row in rows:
        by_model.setdefault(row.model, []).append(row)
    found: list[Comparison] = []
    for model, arms in by_model.items():
        if kind == "ablation":
            found += _of_parts(f"{model}: " if len(by_model) > 1 else "", arms)
        for base, arm in itertools.product(arms, arms):
            if base.is_base and not arm.is_base:
                ours, theirs = (base, arm) if kind == "ablation" else (arm, base)
                found += _pair(ours.name, theirs.name, [ours], [theirs])
    return holm_corrected(found)


def _against_the_best(rows: Sequence[Measured]) -> Iterator[Comparison]:
    if rows:
        best = max(rows, key=lambda row: float(np.mean(list(row.values.values()))))
        for row in rows:
            if row is not best:
                yield from _pair(row.name, best.name, [row], [best])


def _of_parts(of_model: str, arms: Sequence[Measured]) -> Iterator[Comparison]:
    combinations = {arm.parts: arm for arm in arms if arm.parts is not None}
    for part in PARTS:
        without = {parts: parts - {part} for parts in combinations if part in parts and parts - {part} in combinations}
        if without:
            yield from _pair(
                f"{of_model}{part.upper()}{AVERAGED}",
                ABSENCE,
                [combinations[parts] for parts in without],
                [combinations[parts] for parts in without.values()],
            )


def _pair(name: str, against: str, ours: Sequence[Measured], theirs: Sequence[Measured]) -> Iterator[Comparison]:
    """Compare the means of two sets of rows, unit by unit; nothing where they have no unit in common.

    Where there are several class splits, each of them counts once: its seeds share its classes.
    """
    units = common_units({str(place): row.values for place, row in enumerate((*ours, *theirs))})
    if units:
        sides = [np.mean([[row.values[unit] for unit in units] for row in rows], axis=0) for rows in (ours, theirs)]
        yield compare(name, against, sides[0], sides[1], blocks=several_splits(units))
