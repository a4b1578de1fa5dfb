"""Runs summed up: groups of data and split, rows of methods, and what may be said about their differences."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from zslearn.data.stand_in import MARK, tells_of_stand_in
from zslearn.evaluation.events import contradictions
from zslearn.evaluation.metrics import METRIC_TITLES
from zslearn.evaluation.statistics import Comparison, Summary, compare, holm_corrected, several_splits, summarise
from zslearn.experiments.contrasts import ABSENCE, AVERAGED, Measured, contrasts
from zslearn.report.published import PublishedResult, published_on, same_method
from zslearn.report.study import Figures, Hole, Run, Study, split_words

_N_RESAMPLES = 2_000
_RESULTS = ("inductive", "transductive")
_N_NAMED = 5
"""Runs, at most, that a warning names."""
Unit = tuple[str, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """One method on one group of data and split."""

    method: str
    """The model, with its arm; or the closed form."""
    kind: Literal["model", "reference"]
    """References are closed forms that every run is read against."""
    settings: str
    """Where the settings come from: ``published``, ``not tuned``, ``searched``, ``rehearsed``; empty if unknown."""
    corrected: Mapping[Unit, Figures]
    """The figures of each unit, with label-shift correction."""
    plain: Mapping[Unit, Figures]
    """The same without it."""
    runs: tuple[Run, ...]
    """The runs behind it; empty for a reference."""
    uses_test_data: bool
    """Whether it was given samples of unseen classes: a ceiling, not a result."""

    @property
    def test_selected(self) -> float | None:
        """The mean over its runs of the best H *on test* among candidates, a fraction; None where it was not sought."""
        told = [run.part("test_selected").get("h") for run in self.runs]
        values = [value for value in told if isinstance(value, int | float)]
        return sum(values) / len(values) if values else None

    def summary(self, metric: str, *, plain: bool = False) -> Summary:
        """Sum a figure up over the units in which it was measured, as a fraction; its mean is NaN without units.

        Where there are several class splits, each of them counts once in mean and interval.
        """
        return self._summaries[metric, plain]

    @cached_property
    def _summaries(self) -> Mapping[tuple[str, bool], Summary]:
        return {
            (metric, plain): _summary({unit: each[metric] for unit, each in figures.items()})
            for plain, figures in ((False, self.corrected), (True, self.plain))
            for metric in METRIC_TITLES
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """A data set with one kind of split: the figures that may be compared with each other."""

    data: str
    """The data set."""
    official: bool
    """Whether it is the official split; seeded class splits otherwise."""
    splits: tuple[str, ...]
    """Which splits."""
    rows: tuple[Row, ...]
    """Models first, then references."""
    holes: tuple[Hole, ...]
    """The runs without figures."""

    @property
    def name(self) -> str:
        """Data and splits in words."""
        return f"{self.data}, {split_words(self.splits)}"

    @cached_property
    def metric(self) -> str:
        """What rows are ranked by: corrected H, or AUSUC where nothing was rehearsed."""
        rehearsed = any(run.part("selection", "rehearsal") for row in self.rows for run in row.runs)
        return "h" if rehearsed else "ausuc"

    @property
    def ranked(self) -> list[Row]:
        """The rows that are results, the best mean first."""
        results = [row for row in self.rows if not row.uses_test_data]
        return _by_mean(results, self.metric)

    @property
    def ordered(self) -> list[Row]:
        """The rows in the order of tables: results as ranked, then what uses test data."""
        return [*self.ranked, *(row for row in self.rows if row.uses_test_data)]

    def runs_told(self, row: Row) -> str:
        """Say of how many runs a row is and, where there are holes, of how many it would be."""
        n_holes = sum(hole.method == row.method for hole in self.holes)
        n_runs = len(row.corrected)
        return f"{n_runs} of {n_runs + n_holes}" if n_holes else str(n_runs)

    @property
    def empty(self) -> Mapping[str, Counter[str]]:
        """The methods without a single figure, with how many of their runs have which status."""
        found: dict[str, Counter[str]] = {}
        for hole in self.holes:
            if all(row.method != hole.method for row in self.rows):
                found.setdefault(hole.method, Counter())[hole.status] += 1
        return found

    @cached_property
    def leaders(self) -> Mapping[str, str]:
        """For each figure, the method that is better than every other one in a paired test, where there is one."""
        found = {metric: self.leader(metric) for metric in METRIC_TITLES}
        return {metric: leader for metric, leader in found.items() if leader is not None}

    def leader(self, metric: str) -> str | None:
        """Return the method whose figure is significantly better than that of each other result."""
        ranked = _by_mean([row for row in self.ranked if row.summary(metric).n], metric)
        if len(ranked) < 2:
            return None
        # The nearest rival alone settles most cases; the correction for many can only make p larger.
        for rivals in (ranked[1:2], ranked[1:]):
            comparisons = self.compared(metric, ranked[0], rivals)
            if len(comparisons) < len(rivals) or any(each.verdict != "better" for each in comparisons):
                return None
        return ranked[0].method

    def compared(self, metric: str, row: Row, others: Iterable[Row]) -> tuple[Comparison, ...]:
        """Compare a method with others over the units that both have, corrected for their number after Holm.

        Where there are several class splits, each of them counts once.
        """
        comparisons = []
        for other in others:
            units = sorted(_measured(row, metric) & _measured(other, metric))
            if units:
                ours, theirs = (np.array([each.corrected[unit][metric] for unit in units]) for each in (row, other))
                comparisons.append(compare(row.method, other.method, ours, theirs, blocks=several_splits(units)))
        return holm_corrected(comparisons)

    @cached_property
    def verdict(self) -> str:
        """What the figures say, in one sentence."""
        metric, heading = self.metric, METRIC_TITLES[self.metric]
        ranked = [row for row in self.ranked if row.summary(metric).n]
        if not ranked:
            return f"There is no {heading}, as there are no test rows of both seen and unseen classes."
        best = ranked[0]
        lead = f"{best.method} has the highest mean {heading}, {interval_text(best, metric)}"
        if len(ranked) == 1:
            return f"{lead}; there is nothing to compare it with."
        # The words must hold for the comparison with the nearest rival, made beside those with all others.
        comparisons = self.compared(metric, best, ranked[1:])
        nearest = next((each for each in comparisons if each.against == ranked[1].method), None)
        if nearest is None:
            told = f"{ranked[1].method} was measured on other units"
        else:
            told = f"{_distance(metric, nearest.gain.mean)} {ranked[1].method}"
            if _measured(best, metric) != _measured(ranked[1], metric):
                told = f"over the runs that both have, it is {told}"
            one = nearest.gain.n_pairs == 1
            told += ", by one pair, which proves nothing" if one else f". {_sentence(nearest.words)}"
        return f"{lead}: {told}.{self._best_model(best)}"

    def _best_model(self, best: Row) -> str:
        """Say where the best model stands, where a closed form is ahead."""
        models = [row for row in self.ranked if row.kind == "model" and row.summary(self.metric).n]
        if best.kind == "model" or not models:
            return ""
        return f" The best model, {models[0].method}, has {interval_text(models[0], self.metric)}."

    @cached_property
    def published(self) -> tuple[tuple[PublishedResult, Row | None], ...]:
        """Published rows on this data set, each with our own row of the same method, if there is one."""
        if not self.official:
            return ()
        # An experiment adds the files that it names to what it calls the data.
        names = [str(run.part("data").get("name", self.data)) for row in self.rows for run in row.runs]
        return tuple(
            (result, next((row for row in self.rows if same_method(result.method, row.method)), None))
            for result in published_on(names[0] if names else self.data)
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Digest:
    """A study, summed up."""

    study: Study
    """What it is made from."""
    groups: tuple[Group, ...]
    """By data and kind of split."""
    warnings: tuple[str, ...]
    """What a reader has to know before the first figure, the gravest first."""

    @property
    def methods(self) -> list[str]:
        """All methods, models before references, each once."""
        rows = [row for group in self.groups for row in group.rows]
        ordered = sorted(rows, key=lambda row: row.kind == "reference")
        return list(dict.fromkeys(row.method for row in ordered))

    @property
    def metric(self) -> str:
        """What figures begin with: corrected H, or AUSUC where nothing was rehearsed."""
        return "h" if any(group.metric == "h" for group in self.groups) else "ausuc"

    @property
    def ranked_by(self) -> str:
        """What rows are ordered by and the middle run is found by, in words."""
        told = METRIC_TITLES[self.metric]
        mixed = len({group.metric for group in self.groups}) > 1
        return f"{told}, or {METRIC_TITLES['ausuc']} where nothing was rehearsed" if mixed else told

    def differences(self, group: Group) -> tuple[Comparison, ...]:
        """Return the paired comparisons that this kind of study is about, corrected together; none for a single run."""
        return self._differences[group]

    @cached_property
    def _differences(self) -> Mapping[Group, tuple[Comparison, ...]]:
        kind, found = self.study.kind, dict[Group, tuple[Comparison, ...]]()
        for group in self.groups:
            rows = group.ranked if kind == "grid" else [row for row in group.rows if row.runs]
            compared = [self._compared(row, group.metric) for row in rows]
            found[group] = () if kind == "run" else contrasts(kind, compared)
        return found

    def headline(self, group: Group) -> Row | None:
        """Return the row that stands for a group: the whole of an ablation, what is set in a sweep, or the best."""
        ranked = [row for row in group.ranked if row.summary(group.metric).n]
        bases = [row for row in ranked if self._compared(row, group.metric).is_base]
        return next(iter([*bases, *ranked]), None)

    def verdict(self, group: Group) -> str:
        """Say what the figures of a group say, in a few sentences."""
        metric, row, differences = group.metric, self.headline(group), self.differences(group)
        if row is None or self.study.kind not in ("ablation", "sweep"):
            return group.verdict
        stands = f"{row.method} has a mean {METRIC_TITLES[metric]} of {interval_text(row, metric)}."
        parts = [each for each in differences if each.against == ABSENCE]
        if parts:
            return f"{stands} Each part beside its absence: {_parts_told(parts, metric)}"
        best = max(differences, key=lambda each: each.gain.mean, default=None)
        if self.study.kind == "ablation" or best is None:
            return group.verdict
        if best.gain.mean <= 0:
            return f"{stands} No other value has a higher mean."
        return f"{stands} {best.name} is {_distance(metric, best.gain.mean)} it. {_sentence(best.words)}."

    def _compared(self, row: Row, metric: str) -> Measured:
        """Return a row as it is compared; where there is one model, arms go by their own names."""
        run = row.runs[0] if row.runs else None
        return Measured(
            name=run.arm if run is not None and run.arm and len(self._run_models) == 1 else row.method,
            model=run.model if run is not None else row.method,
            marks=run.marks if run is not None else {},
            values={unit: row.corrected[unit][metric] for unit in _measured(row, metric)},
        )

    @cached_property
    def _run_models(self) -> set[str]:
        return {run.model for run in self.study.runs}

    @property
    def test_selected(self) -> bool:
        """Whether any run sought the figures that are best on test, so that tables have a column for them."""
        return any(run.part("test_selected") for run in self.study.runs)

    def is_model(self, method: str) -> bool:
        """Whether a method is a model, not a reference."""
        return method in self._models

    @cached_property
    def _models(self) -> set[str]:
        return {row.method for group in self.groups for row in group.rows if row.kind == "model"}


def summed_up(study: Study) -> Digest:
    """Sum a study up."""
    grouped: dict[tuple[str, bool], list[Run]] = {}
    for run in study.runs:
        grouped.setdefault((run.data, run.split == "official"), []).append(run)
    holes: dict[tuple[str, bool], list[Hole]] = {}
    for hole in study.holes:
        holes.setdefault((hole.data, hole.split == "official"), []).append(hole)
    groups = tuple(_group(*key, runs, tuple(holes.get(key, ()))) for key, runs in grouped.items())
    return Digest(study=study, groups=groups, warnings=tuple(_warnings(study)))


def stand_in(run: Run) -> bool:
    """Whether the run's features were made up."""
    return tells_of_stand_in((str(run.part("data").get("source")), *run.warnings))


def _summary(figures: Mapping[Unit, float]) -> Summary:
    measured = {unit: value for unit, value in figures.items() if np.isfinite(value)}
    if not measured:
        return Summary(mean=np.nan, sd=0.0, lower=np.nan, upper=np.nan, n=0)
    values, blocks = np.array(list(measured.values())), several_splits(list(measured))
    return summarise(values, blocks=blocks, n_resamples=_N_RESAMPLES if len(values) > 1 else 1)


def _sentence(words: str) -> str:
    return f"It is {words}" if words.startswith(("better", "worse")) else words[:1].upper() + words[1:]


def figure_text(metric: str, value: float, sign: str = "") -> str:
    """Return a figure as tables print it: in percent, AUSUC as a fraction.

    Example:
        >>> figure_text("h", 0.5), figure_text("ausuc", 0.25, "+")
        ('50.0', '+0.250')
    """
    return f"{value:{sign}.3f}" if metric == "ausuc" else f"{100 * value:{sign}.1f}"


def interval_text(row: Row, metric: str) -> str:
    """Return a row's mean with its interval, where it has one."""
    summary = row.summary(metric)
    mean, lower, upper = (figure_text(metric, value) for value in (summary.mean, summary.lower, summary.upper))
    return f"{mean} [{lower}, {upper}]" if summary.n > 1 else mean


def gain_text(comparison: Comparison, metric: str) -> str:
    """Return a paired difference with its interval."""
    gain = comparison.gain
    mean, lower, upper = (figure_text(metric, value, "+") for value in (gain.mean, gain.lower, gain.upper))
    return f"{mean} [{lower}, {upper}]" if gain.n_pairs > 1 else mean


def _distance(metric: str, value: float) -> str:
    """Say how far above or below something lies, as far as tables show it."""
    told = figure_text(metric, abs(value))
    if float(told) == 0:
        return "level with"
    return f"{told} {'' if metric == 'ausuc' else 'points '}{'above' if value > 0 else 'below'}"


def _parts_told(parts: Sequence[Comparison], metric: str) -> str:
    """Tell what each part does; that nothing can be shown is told once."""
    told = [f"{each.name.removesuffix(AVERAGED)} {gain_text(each, metric)}" for each in parts]
    if all(each.powerless for each in parts):
        return f"{', '.join(told)}; too few pairs ({parts[0].gain.n_pairs}) to show a difference."
    return "; ".join(f"{gain}, {each.judgement}" for gain, each in zip(told, parts, strict=True)) + "."


def _measured(row: Row, metric: str) -> set[Unit]:
    return {unit for unit, figures in row.corrected.items() if np.isfinite(figures[metric])}


def _by_mean(rows: Iterable[Row], metric: str) -> list[Row]:
    """Return rows with the best mean first; those without one last."""
    return sorted(rows, key=lambda row: -np.nan_to_num(row.summary(metric).mean, nan=-1.0))


def _group(data: str, official: bool, runs: Sequence[Run], holes: tuple[Hole, ...]) -> Group:
    by_method: dict[str, list[Run]] = {}
    references: dict[str, dict[Unit, tuple[Figures, Figures]]] = {}
    for run in runs:
        by_method.setdefault(run.method, []).append(run)
        if "control" in run.marks:
            # Its references were measured on data that the control has changed.
            continue
        # References depend on data, split and seed alone: the first run that tells them tells them for all.
        for name, figures in run.references.items():
            references.setdefault(name, {}).setdefault(run.unit, figures)
    rows = [
        Row(
            method=method,
            kind="model",
            settings=_settings_mark(members),
            corrected={run.unit: run.corrected for run in members},
            plain={run.unit: run.plain for run in members},
            runs=tuple(members),
            uses_test_data=any(_samples(run) not in _RESULTS for run in members),
        )
        for method, members in by_method.items()
    ]
    rows += [
        Row(
            method=name,
            kind="reference",
            settings=_reference_settings(name, runs),
            corrected={unit: with_offset for unit, (_, with_offset) in figures.items()},
            plain={unit: plain for unit, (plain, _) in figures.items()},
            runs=(),
            uses_test_data=False,
        )
        for name, figures in references.items()
        if name not in by_method
    ]
    splits = tuple(sorted({run.split for run in runs}, key=lambda split: (len(split), split)))
    return Group(data=data, official=official, splits=splits, rows=tuple(rows), holes=holes)


def _reference_settings(name: str, runs: Sequence[Run]) -> str:
    """Say where a closed form's settings come from: without a rehearsal the first of them is taken."""
    told = [run.part("selection", "references", name) for run in runs if name in run.references]
    return " and ".join(sorted({"rehearsed" if each.get("rehearsal") else "not tuned" for each in told}))


def _settings_mark(runs: Sequence[Run]) -> str:
    marks = {str(run.marks.get("settings", "")) for run in runs}
    return " and ".join(sorted(marks - {""}))


def _samples(run: Run) -> str:
    return str(run.part("setting").get("samples", "inductive"))


def _warnings(study: Study) -> Iterator[str]:
    runs = study.runs
    made_up = {run.data for run in runs if stand_in(run)}
    if made_up:
        yield f"Stand-in features, figures mean nothing: {_listed(made_up)}. They were made up from the semantics."
    if study.holes:
        told = ", ".join(
            f"{n} {'not run yet' if status == 'not run' else status}" for status, n in study.n_holes.items()
        )
        yield f"Of {len(runs) + len(study.holes)} runs {told}: see Holes."
    doubted = {run.title: broken for run in runs if (broken := contradictions(run.record))}
    if doubted:
        told = "; ".join(f"{title}: {broken[0]}" for title, broken in itertools.islice(doubted.items(), _N_NAMED))
        more = f"; and {len(doubted) - _N_NAMED} more" if len(doubted) > _N_NAMED else ""
        yield f"Records that contradict their own course of events, so that nothing is proven: {told}{more}."
    tainted = {run.method for run in runs if _samples(run) not in _RESULTS}
    if tainted:
        yield f"Ceilings, no results, as they were given labelled test samples: {_listed(tainted)}."
    transductive = {run.method for run in runs if _samples(run) == "transductive"}
    if transductive:
        yield f"Transductive (unseen samples were seen, unlabelled), so not comparable: {_listed(transductive)}."
    if any(run.part("test_selected") for run in runs):
        yield "Test-selected figures are the best of several measurements on the test view, as in published code."
    plain = {run.data for run in runs if not run.part("selection", "rehearsal")}
    if plain:
        yield (
            f"Nothing was rehearsed, so U, S and H are not corrected for label shift, on {_listed(plain)}: "
            "T1 and AUSUC, which do not depend on it, are what can be compared."
        )
    informed = {run.model for run in runs if run.part("setting").get("unseen_semantics_in_training") is True}
    if informed:
        yield (
            f"Trained with the semantics of unseen classes, though with none of their samples: {_listed(informed)}. "
            "Methods that train without them have less information."
        )
    about: dict[str, set[str]] = {}
    for run in runs:
        for warning in run.warnings:
            if MARK not in warning:
                about.setdefault(warning, set()).add(run.data)
    for warning, data in about.items():
        yield f"{_listed(data)}: {warning}."
    checksums: dict[tuple[str, str], set[str]] = {}
    for run in runs:
        # A control changes the data on purpose.
        if "control" not in run.marks:
            checksums.setdefault((run.data, run.split), set()).add(str(run.part("data").get("checksum")))
    for (name, split), found in checksums.items():
        if len(found) > 1:
            yield f"{name}, {split_words([split])}: the runs saw {len(found)} different versions of the data."
    versions = {str(run.part("versions").get("zslearn")) for run in runs}
    if len(versions) > 1:
        yield f"Measured with several versions of zslearn: {_listed(versions)}."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
