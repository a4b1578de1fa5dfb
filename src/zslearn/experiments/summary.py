"""What an experiment shows: means over its units, and paired comparisons that say how sure they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from zslearn.evaluation.metrics import METRIC_TITLES
from zslearn.evaluation.statistics import Comparison, Summary, several_splits, summarise
from zslearn.experiments.contrasts import Measured, Unit, contrasts
from zslearn.experiments.folder import FAILED, FINISHED, ExperimentFolder, rehearsed

TEST_SELECTED = "test_selected"
"""What begins the names of figures that were chosen on the test view."""


@dataclass(kw_only=True)
class Row:
    """One model, arm or reference on one data set.

    Attributes:
        name: What it is.
        model: The model, or the closed form.
        marks: What the experiment says of its arm.
        is_reference: Whether it is a closed-form reference that was measured beside the models.
        n_planned: Runs that the experiment asks for.
        n_failed: Runs of these that failed.
        rehearsed: Whether any of them was rehearsed, so that its figures are corrected for label shift.
        values: The finished ones' figures, by metric and unit; fractions in [0, 1].
    """

    name: str
    model: str
    marks: Mapping[str, Any] = field(default_factory=dict)
    is_reference: bool = False
    n_planned: int = 0
    n_failed: int = 0
    rehearsed: bool = False
    values: dict[str, dict[Unit, float]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, unit: Unit, figures: Mapping[str, float | None]) -> None:
        """Take in the figures of a run; those that there was nothing to measure for are left out."""
        for metric, value in figures.items():
            if value is not None:
                self.values[metric][unit] = value

    def measured(self, metric: str) -> Measured:
        """Return one metric as it is compared with that of other rows."""
        return Measured(name=self.name, model=self.model, marks=self.marks, values=self.values.get(metric, {}))

    @property
    def n_finished(self) -> int:
        """Runs that finished."""
        return max(map(len, self.values.values()), default=0)

    def summary(self, metric: str) -> Summary | None:
        """Return the metric's mean with spread and interval; None without a finished run.

        Where there are several class splits, each of them counts once in mean and interval.
        """
        values = self.values.get(metric)
        return summarise(np.array(list(values.values())), blocks=several_splits(list(values))) if values else None


@dataclass(frozen=True, kw_only=True)
class Group:
    """The rows of one data set, on its official split or on class splits.

    Attributes:
        data: The data set.
        splits: ``official`` or ``class splits``.
        metric: What rows are compared by.
        rows: Models or arms in the order of the experiment, then references.
        comparisons: Paired comparisons over the units that both sides have, corrected for their number.
    """

    data: str
    splits: str
    metric: str
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the group ready for JSON."""
        return {
            "data": self.data,
            "splits": self.splits,
            "compared_by": self.metric,
            "rows": [
                {
                    "name": row.name,
                    "reference": row.is_reference,
                    "n_planned": row.n_planned,
                    "n_finished": row.n_finished,
                    "n_failed": row.n_failed,
                    "metrics": {metric: asdict(summary) for metric in row.values if (summary := row.summary(metric))},
                }
                for row in self.rows
            ],
            "comparisons": [comparison.as_dict() for comparison in self.comparisons],
        }


def summarise_experiment(folder: ExperimentFolder) -> list[Group]:
    """Sum up what is finished of an experiment: compared by corrected H, or by AUSUC where nothing was rehearsed."""
    kind, groups = folder.plan["kind"], []
    for (data, splits), rows in _rows(folder).items():
        metric = "h" if any(row.rehearsed for row in rows.values()) else "ausuc"
        compared = [row for row in rows.values() if kind == "grid" or not row.is_reference]
        groups.append(
            Group(
                data=data,
                splits=splits,
                metric=metric,
                rows=tuple(sorted(rows.values(), key=lambda row: row.is_reference)),
                comparisons=contrasts(kind, [row.measured(metric) for row in compared]),
            )
        )
    return groups


def _rows(folder: ExperimentFolder) -> dict[tuple[str, str], dict[str, Row]]:
    """Collect the rows of each group; a reference that the experiment runs as a model has no second row."""
    models = {job["model"] for job in folder.plan["jobs"]}
    groups: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
    for job, record in folder.records():
        rows = groups[job["data"], "official" if job["split"] == "official" else "class splits"]
        name = job["model"]
        if job["arm"] is not None:
            # An arm has a name of its own; a label need not tell from what is not labelled, or from a reference.
            alone = len(models) == 1 and folder.plan["kind"] != "grid"
            name = job["arm"] if alone else f"{name}: {job['arm']}"
        row = rows.setdefault(name, Row(name=name, model=job["model"], marks=job["marks"]))
        row.n_planned += 1
        row.n_failed += record is not None and record["status"] == FAILED
        if record is None or record["status"] != FINISHED:
            continue
        unit = (job["split"], job["seed"])
        row.add(unit, _figures(record))
        row.rehearsed |= rehearsed(record)
        if "control" in job["marks"]:
            # Its references were measured on data that the control has changed.
            continue
        for reference, figures in record["references"].items():
            if reference not in models:
                beside = rows.setdefault(reference, Row(name=reference, model=reference, is_reference=True))
                beside.add(unit, {metric: figures["corrected"][metric] for metric in METRIC_TITLES})
    return groups


def _figures(record: Mapping[str, Any]) -> dict[str, float | None]:
    figures = {metric: record["metrics_corrected"][metric] for metric in METRIC_TITLES}
    chosen_on_test = record.get(TEST_SELECTED)
    if chosen_on_test:
        figures |= {f"{TEST_SELECTED}_{name}": chosen_on_test[name] for name in ("t1", "h")}
    return figures


def summary_table(groups: Sequence[Group]) -> str:
    """Lay out the rows and the comparisons: percent, AUSUC as a fraction, mean and standard deviation."""
    return "\n\n".join(_group_table(group) for group in groups)


def _group_table(group: Group) -> str:
    width = max([24, *(len(row.name) + 2 for row in group.rows)])
    metrics = [metric for metric in METRIC_TITLES if group.metric == "h" or metric in ("t1", "ausuc")]
    metrics += [metric for metric in (f"{TEST_SELECTED}_t1", f"{TEST_SELECTED}_h") if _has(group, metric)]
    titles = [_title(metric) for metric in metrics]
    lines = [
        f"{group.data}, {group.splits}; percent, AUSUC as a fraction; mean ± standard deviation over runs"
        + ("; U, S and H corrected" if group.metric == "h" else ""),
        "",
        f"{'':{width}}" + "".join(f"{title:>16}" for title in titles) + f"{'runs':>8}",
    ]
    lines.append("-" * len(lines[-1]))
    n_models = sum(not row.is_reference for row in group.rows)
    for index, row in enumerate(group.rows):
        if index == n_models:
            lines.append("references ".ljust(len(lines[3]), "-"))
        cells = "".join(f"{_cell(row.summary(metric), metric):>16}" for metric in metrics)
        runs = str(row.n_finished) if row.is_reference else f"{row.n_finished}/{row.n_planned}"
        failed = f"  {row.n_failed} failed" if row.n_failed else ""
        lines.append(f"{row.name:{width}}{cells}{runs:>8}{failed}")
    if group.comparisons:
        lines += ["", *_differences(group)]
    return "\n".join(lines)


def _differences(group: Group) -> list[str]:
    """Tell the paired differences; that none of them can be shown is told once."""
    head = f"Paired differences in {_title(group.metric)}, 95 % interval"
    if all(each.powerless for each in group.comparisons):
        most = max(each.gain.n_pairs for each in group.comparisons)
        lines = [f"  {_gain(each, group.metric)} against {each.against}" for each in group.comparisons]
        return [f"{head}; none can be shown with so few pairs ({most}):", *lines]
    lines = [f"  {_gain(each, group.metric)}, {each.words}" for each in group.comparisons]
    return [f"{head}; p after Holm's correction:", *lines]


def _has(group: Group, metric: str) -> bool:
    return any(metric in row.values for row in group.rows)


def _title(metric: str) -> str:
    name = metric.removeprefix(f"{TEST_SELECTED}_").upper()
    return name if name.lower() == metric else f"{name} test-selected"


def _cell(summary: Summary | None, metric: str) -> str:
    if summary is None:
        return "not run"
    factor, digits = _unit(metric)
    spread = f" ± {factor * summary.sd:.{digits}f}" if summary.n > 1 else ""
    return f"{factor * summary.mean:.{digits}f}{spread}"


def _gain(comparison: Comparison, metric: str) -> str:
    factor, digits = _unit(metric)
    gain = comparison.gain
    interval = f"[{factor * gain.lower:+.{digits}f}, {factor * gain.upper:+.{digits}f}]"
    return f"{comparison.name}: {factor * gain.mean:+.{digits}f} {interval}"


def _unit(metric: str) -> tuple[float, int]:
    return (1.0, 3) if metric == "ausuc" else (100.0, 1)
