"""An experiment as data: which models run on which data, splits and seeds, with what budget.

It is read from YAML and checked as a whole before anything runs; what is wrong is reported with its line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from zslearn.configuration import FieldFacts, build, field_facts
from zslearn.data.catalog import BUILT_IN, known_data, unknown_data
from zslearn.errors import ZslearnError, unknown_name
from zslearn.experiments.arms import Arm, ablation_arms, capped, sweep_arms
from zslearn.experiments.contrasts import Kind
from zslearn.experiments.documents import Entry, read_document
from zslearn.models import MODELS, model_entry
from zslearn.models.published import published_data, published_settings

Objective = Literal["ausuc", "h"]
ALL_MODELS = "all"
"""Stands for every model of the registry that the experiment does not name itself and that suits any data."""
PUBLISHED, NOT_TUNED, SEARCHED = "published", "not tuned", "searched"
SETTING_MARKS = (PUBLISHED, NOT_TUNED)
"""Where settings may come from, besides a search."""
MOST_JOBS = 100_000


@dataclass(frozen=True, kw_only=True)
class DataChoice:
    """A data set with its splits.

    Attributes:
        data: ``glyphs``, a known name, or a folder.
        features: The feature file, where a folder holds several.
        semantics: The split file, where it is not ``att_splits.mat``.
        splits: ``official`` or numbers of seeded class splits.
    """

    data: str
    features: str | None = None
    semantics: str | None = None
    splits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Interval:
    """A range of numbers to search.

    Attributes:
        low: The lowest, included, in the setting's unit.
        high: The highest, included, in the same unit.
        log: Whether to search evenly on a logarithmic scale.
    """

    low: float
    high: float
    log: bool = False

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


Domain = Interval | tuple[Any, ...]
"""What a search may set a field to: a range, or one of several values."""


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """A model with its settings, and what is searched or varied.

    Attributes:
        model: Its name in the registry.
        settings: What differs from its defaults, budget included.
        search: What to search, by field; nothing where settings are taken as they are.
        arms: The arms of an ablation or a sweep; in a grid the model's label if it has one; otherwise empty.
        mark: Where its settings come from.
        published: Whether it starts, on data sets that its authors published settings for, from these.
        at_most: Caps on settings, by field.
    """

    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Domain] = field(default_factory=dict)
    arms: tuple[Arm, ...] = ()
    mark: str = NOT_TUNED
    published: bool = False
    at_most: Mapping[str, float] = field(default_factory=dict)

    def settings_on(self, data: str, n_rows: int) -> tuple[dict[str, Any], str]:
        """Return the settings on a data set, and where they come from.

        Args:
            data: The data set's name.
            n_rows: Its training rows.
        """
        configuration = model_entry(self.model).load().Config
        if not self.published or data.lower() not in map(str.lower, published_data(self.model)):
            return capped(configuration, self.settings, self.at_most), self.mark

        def capped_over_published(batch_size: int | None) -> dict[str, Any]:
            published = published_settings(self.model, data, n_rows, batch_size)
            return capped(configuration, {**published, **self.settings}, self.at_most)

        # Published passes are counted in batches of the size in force, which a cap may have lowered.
        return capped_over_published(capped_over_published(None)["batch_size"]), PUBLISHED


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Many runs.

    Attributes:
        name: What its folder is called by default.
        title: What it is, in a line.
        note: What its reader should know.
        kind: Whether arms are compared, and which.
        data: The data sets.
        seeds: The seeds, each of which decides every random number of a run.
        models: The models.
        trials: Rehearsals that each search may spend.
        objective: What a search maximises: mean AUSUC or mean corrected H over the rehearsal's folds.
        rehearse: Whether runs rehearse; without it only T1 and AUSUC mean something.
        references: Whether the closed-form references are measured in each run.
        test_selected: Whether the best figures *on test* are sought too, for a column of that name.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    name: str
    title: str
    note: str = ""
    kind: Kind = "grid"
    data: tuple[DataChoice, ...]
    seeds: tuple[int, ...] = (0,)
    models: tuple[ModelChoice, ...]
    trials: int = 0
    objective: Objective = "ausuc"
    rehearse: bool = True
    references: bool = True
    test_selected: bool = False
    device: str = "auto"


FIELDS = (
    "title",
    "note",
    "data",
    "splits",
    "seeds",
    "models",
    "at_most",
    "search",
    "ablation",
    "sweep",
    "rehearse",
    "references",
    "test_selected",
    "device",
)
"""What an experiment's file may hold."""


def read_experiment(text: str, name: str, source: str) -> Experiment:
    """Read and check an experiment.

    Args:
        text: Its YAML.
        name: What to call it.
        source: What to call the document in errors.

    Raises:
        ConfigError: If a value has a wrong type or range, or the grid is impossible; the message names the line.
        UnknownNameError: If a field, model or setting does not exist; the message names the line and the nearest one.
    """
    document = read_document(text, source)
    parts = document.mapping("the experiment", FIELDS)
    for needed in ("title", "data", "models"):
        if needed not in parts:
            document.refuse(f"the experiment has no {needed}", expected="at least title, data and models")
    kind: Kind = "ablation" if "ablation" in parts else "sweep" if "sweep" in parts else "grid"
    if "ablation" in parts and "sweep" in parts:
        parts["sweep"].refuse("an experiment is an ablation or a sweep", received="both")
    rehearse = _flag(parts, "rehearse", True)
    trials, objective = _search(parts, rehearse)
    models = _models(parts, kind, trials)
    _check_search_is_used(parts, models)
    experiment = Experiment(
        name=name,
        title=parts["title"].text("the title"),
        note=parts["note"].text("the note").strip() if "note" in parts else "",
        kind=kind,
        data=_data(parts),
        seeds=_seeds(parts),
        models=models,
        trials=trials,
        objective=objective,
        rehearse=rehearse,
        references=_flag(parts, "references", True),
        test_selected=_flag(parts, "test_selected", False),
        device=_one_of(parts["device"], "the device", ("auto", "cpu", "cuda")) if "device" in parts else "auto",
    )
    if n_jobs(experiment) > MOST_JOBS:
        document.refuse(
            "the grid is too large", expected=f"at most {MOST_JOBS} runs", received=f"{n_jobs(experiment)} runs"
        )
    return experiment


def n_jobs(experiment: Experiment) -> int:
    """Return how many runs an experiment has."""
    n_units = sum(len(choice.splits) for choice in experiment.data) * len(experiment.seeds)
    return n_units * sum(max(1, len(choice.arms)) for choice in experiment.models)


def _flag(parts: Mapping[str, Entry], name: str, default: bool) -> bool:
    return parts[name].flag(name) if name in parts else default


def _one_of(entry: Entry, what: str, known: tuple[str, ...]) -> str:
    value = entry.text(what)
    if value not in known:
        raise entry.located(unknown_name(what.removeprefix("the "), value, known))
    return value


def _search(parts: Mapping[str, Entry], rehearse: bool) -> tuple[int, Objective]:
    if "search" not in parts:
        return 0, "ausuc"
    entry = parts["search"]
    fields = entry.mapping("the search", ("trials", "objective"))
    if "trials" not in fields:
        entry.refuse("the search has no budget", expected="trials: a whole number from 1")
    if not rehearse:
        entry.refuse("a search needs the rehearsal", expected="rehearse: true", received="rehearse: false")
    objective: Objective = "ausuc"
    if "objective" in fields:
        objective = _one_of(fields["objective"], "the objective", get_args(Objective))  # type: ignore[assignment]
    return fields["trials"].whole("trials", 1), objective


def _check_search_is_used(parts: Mapping[str, Entry], models: tuple[ModelChoice, ...]) -> None:
    if "search" in parts and not any(choice.search for choice in models):
        parts["search"].refuse(
            "there is a budget but nothing to search",
            expected="a model with a search space",
            remedy="Give a model a field 'search', or leave this out.",
        )


def _data(parts: Mapping[str, Entry]) -> tuple[DataChoice, ...]:
    common = _splits(parts["splits"]) if "splits" in parts else ("official",)
    chosen: list[DataChoice] = []
    for entry in parts["data"].items("data"):
        if isinstance(entry.value, str):
            choice = DataChoice(data=_known_data(entry), splits=common)
        else:
            fields = entry.mapping("a data set", ("data", "features", "semantics", "splits"))
            if "data" not in fields:
                entry.refuse("a data set has no name", expected="data: NAME")
            choice = DataChoice(
                data=_known_data(fields["data"]),
                features=fields["features"].text("features") if "features" in fields else None,
                semantics=fields["semantics"].text("semantics") if "semantics" in fields else None,
                splits=_splits(fields["splits"]) if "splits" in fields else common,
            )
        if choice in chosen:
            entry.refuse("this data set is listed twice", received=choice.data)
        chosen.append(choice)
    return tuple(chosen)


def _known_data(entry: Entry) -> str:
    name = entry.text("the name of a data set")
    if name.lower() == BUILT_IN:
        return BUILT_IN
    if Path(name).is_dir():
        return str(Path(name).resolve())
    if name.lower() not in {each.lower() for each in known_data()}:
        raise entry.located(unknown_data(name))
    return name


def _splits(entry: Entry) -> tuple[str, ...]:
    def split(each: Entry) -> str:
        if each.value == "official":
            return "official"
        if type(each.value) is not int or each.value < 0:
            each.refuse("there is no such split", expected="official or a whole number from 0", received=each.shown)
        return str(each.value)

    return _different(entry, "splits", split)


def _seeds(parts: Mapping[str, Entry]) -> tuple[int, ...]:
    return _different(parts["seeds"], "seeds", lambda each: each.whole("a seed")) if "seeds" in parts else (0,)


def _different(entry: Entry, what: str, read: Callable[[Entry], Any]) -> tuple[Any, ...]:
    values: list[Any] = []
    for each in entry.items(what):
        value = read(each)
        if value in values:
            each.refuse(f"{what} hold {value} twice")
        values.append(value)
    return tuple(values)


def _models(parts: Mapping[str, Entry], kind: Kind, trials: int) -> tuple[ModelChoice, ...]:
    entries = parts["models"].items("models")
    at_most = _at_most(parts["at_most"]) if "at_most" in parts else {}
    named = [_model_name(entry) for entry in entries]
    labelled = [(name, _label(entry, kind)) for entry, name in zip(entries, named, strict=True)]
    chosen: list[ModelChoice] = []
    for entry, (name, label) in zip(entries, labelled, strict=True):
        if labelled.count((name, label)) > 1:
            entry.refuse(
                f"the model {name} is listed twice" + (f" as {label!r}" if label else ""),
                remedy="Give one of them a label of its own, in a grid, or drop it.",
            )
        others = [other for other, facts in MODELS.items() if other not in named and not facts.one_space]
        names = others if name == ALL_MODELS else [name]
        chosen += [_model(entry, each, parts, kind, trials, at_most) for each in names]
    if not chosen:
        parts["models"].refuse("no model is left", expected="at least one")
    return tuple(chosen)


def _model_fields(entry: Entry) -> Mapping[str, Entry]:
    """What is said of a model, of which a name alone says nothing."""
    if isinstance(entry.value, str):
        return {}
    return entry.mapping("a model", ("model", "label", "settings", "search", "mark", "published"))


def _model_name(entry: Entry) -> str:
    named = entry
    if not isinstance(entry.value, str):
        fields = _model_fields(entry)
        if "model" not in fields:
            entry.refuse("a model has no name", expected="model: NAME")
        named = fields["model"]
    name = named.text("the name of a model")
    if name != ALL_MODELS and name not in MODELS:
        raise named.located(unknown_name("model", name, [*MODELS, ALL_MODELS]))
    return name


def _label(entry: Entry, kind: Kind) -> str | None:
    """What tells a model from itself with other settings."""
    fields = _model_fields(entry)
    if "label" not in fields:
        return None
    if kind != "grid":
        fields["label"].refuse(f"the arms of {'an' if kind == 'ablation' else 'a'} {kind} have names already")
    return fields["label"].text("a label").strip()


def _model(
    entry: Entry, name: str, parts: Mapping[str, Entry], kind: Kind, trials: int, at_most: Mapping[str, float]
) -> ModelChoice:
    configuration = model_entry(name).load().Config
    facts = field_facts(configuration)
    fields = _model_fields(entry)
    settings = {}
    for field_name, value in fields["settings"].mapping("settings").items() if "settings" in fields else ():
        with _at(value):
            build(configuration, {field_name: value.plain})
        settings[field_name] = value.plain
    published = fields["published"].flag("published") if "published" in fields else False
    with _at(entry):
        # A cap on what is published is one on the published value, not on the default.
        settings = settings if published else capped(configuration, settings, at_most)
        base = build(configuration, settings)
    search = {}
    if "search" in fields:
        for field_name, value in fields["search"].mapping("a search space").items():
            if field_name not in facts:
                raise value.located(unknown_name("setting", field_name, facts))
            search[field_name] = _domain(value, facts[field_name], configuration, getattr(base, field_name))
        if not trials:
            fields["search"].refuse(
                "there is no budget for this search",
                expected="the same number of trials for every searched model",
                remedy="Add 'search: {trials: N}' to the experiment.",
            )
    if published and (search or kind != "grid"):
        fields["published"].refuse(
            "published settings differ between data sets, and nothing can be varied around them here",
            expected="a model without a search, in a grid",
        )
    mark = _one_of(fields["mark"], "the mark", SETTING_MARKS) if "mark" in fields else NOT_TUNED
    return ModelChoice(
        model=name,
        settings=settings,
        search=search,
        arms=_arms(parts, kind, name, configuration, settings, _label(entry, kind)),
        mark=SEARCHED if search else mark,
        published=published,
        at_most=at_most,
    )


def _arms(
    parts: Mapping[str, Entry],
    kind: Kind,
    name: str,
    configuration: type,
    settings: Mapping[str, Any],
    label: str | None,
) -> tuple[Arm, ...]:
    if kind == "grid":
        return (Arm(name=label),) if label else ()
    entry = parts[kind]
    with _at(entry):
        if kind == "ablation":
            wanted = _one_of(entry, "the ablation", ("parts", "controls"))
            return ablation_arms(name, configuration, settings, controls=wanted == "controls")
        if entry.value == "default":
            return sweep_arms(configuration, settings)
        values = {
            field_name: tuple(value.plain for value in below.items("the values of a sweep"))
            for field_name, below in entry.mapping("the sweep").items()
        }
        return sweep_arms(configuration, settings, values)


def _at_most(entry: Entry) -> dict[str, float]:
    known: dict[str, FieldFacts] = {}
    for name in MODELS:
        known |= field_facts(model_entry(name).load().Config)
    caps = {}
    for name, value in entry.mapping("at_most").items():
        if name not in known:
            raise value.located(unknown_name("setting", name, known))
        if known[name].type not in (int, float) or type(value.value) not in (int, float) or value.value <= 0:
            value.refuse(f"{name} cannot be capped so", expected="a number above 0", received=value.shown)
        caps[name] = value.value
    return caps


def _domain(entry: Entry, facts: FieldFacts, configuration: type, default: Any) -> Domain:
    domain: Domain
    if isinstance(entry.value, list):
        domain = _different(entry, facts.name, lambda each: _allowed(each, facts, configuration))
        if len(domain) < 2:
            entry.refuse(f"there is nothing to search for {facts.name}", expected="at least two values")
    else:
        fields = entry.mapping("a range", ("low", "high", "log"))
        if facts.type not in (int, float) or "low" not in fields or "high" not in fields:
            entry.refuse(f"{facts.name} has no such range", expected="a list of values, or low and high of a number")
        low, high = (_allowed(fields[end], facts, configuration) for end in ("low", "high"))
        log = fields["log"].flag("log") if "log" in fields else False
        if not low < high or (log and low <= 0):
            entry.refuse(
                f"the range of {facts.name} is impossible",
                expected="low below high" + (", both above 0 on a logarithmic scale" if log else ""),
                received=f"{low:g} to {high:g}",
            )
        domain = Interval(low, high, log)
    if default not in domain:
        entry.refuse(
            f"the search for {facts.name} leaves out where it starts",
            expected=f"{default}, which the first trial takes",
            remedy="Widen the search, or set the field within it.",
        )
    return domain


def _allowed(entry: Entry, facts: FieldFacts, configuration: type) -> Any:
    """Return a value as the field holds it, if it may take it."""
    with _at(entry):
        return getattr(build(configuration, {facts.name: entry.plain}), facts.name)


class _at:
    """Gives errors raised inside the place of an entry, unless they name one already."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ZslearnError) and not error.what.startswith(f"{self._entry.source}, line "):
            raise self._entry.located(error) from error


def as_document(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment as plain values, ready for JSON."""
    return dataclasses.asdict(experiment)


def described(domain: Domain) -> dict[str, Any] | list[Any]:
    """Return a domain as plain values, ready for JSON."""
    return dataclasses.asdict(domain) if isinstance(domain, Interval) else list(domain)


def model_units(experiment: Experiment) -> Iterator[tuple[ModelChoice, Arm | None]]:
    """Yield every model with each of its arms."""
    for choice in experiment.models:
        for arm in choice.arms or (None,):
            yield choice, arm
