"""The runs and searches that an experiment consists of, each under a key that says what its result depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from zslearn import __version__
from zslearn.configuration import build
from zslearn.data.catalog import load_data
from zslearn.data.dataset import ZSLDataset
from zslearn.data.splits import MIN_REHEARSAL_CLASSES, rehearsal_folds
from zslearn.errors import ConfigError
from zslearn.evaluation.events import digest
from zslearn.experiments.arms import Arm
from zslearn.experiments.experiment import DataChoice, Domain, Experiment, ModelChoice, described, model_units
from zslearn.models import model_entry

_KEY_LENGTH = 20


@dataclass(frozen=True, kw_only=True)
class DataAddress:
    """Where a data set is found, and what has to be found there.

    Attributes:
        source: A name or a folder.
        features: The feature file, where one is named.
        semantics: The split file, where one is named.
        split: ``official`` or the number of a class split.
        checksum: That of the data set.
    """

    source: str
    features: str | None
    semantics: str | None
    split: str
    checksum: str

    def load(self) -> ZSLDataset:
        """Load the data set.

        Raises:
            ConfigError: If it is no longer what it was.
        """
        dataset = load_data(self.source, features=self.features, semantics=self.semantics, split=self.split)
        if dataset.checksum != self.checksum:
            raise ConfigError(
                f"the data set {self.source} is not the one that the experiment was planned on",
                expected=f"checksum {self.checksum[:12]}",
                received=dataset.checksum[:12],
                remedy="Make the same files available here, or start the experiment again.",
            )
        return dataset


@dataclass(frozen=True, kw_only=True)
class Study:
    """One search: a model's settings on one data set and split.

    Attributes:
        key: Hash over all that the search depends on.
        model: What is searched.
        settings: What stays as it is.
        space: What is searched, by field.
        data: On what.
        seed: Decides every random number of the search.
        trials: How many rehearsals it may spend.
        objective: What it maximises.
        device: Where it trains.
    """

    key: str
    model: str
    settings: Mapping[str, Any]
    space: Mapping[str, Domain]
    data: DataAddress
    seed: int
    trials: int
    objective: str
    device: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run.

    Attributes:
        key: Hash over the whole configuration, the data and the version.
        model: The model.
        data: The data set's name, for tables.
        address: Where it is found.
        seed: Decides every random number.
        arm: The arm of an ablation or a sweep.
        settings: The model's settings that differ from its defaults.
        control: The control that it is, if any.
        study: The search whose result it takes on.
        rehearse: Whether it rehearses.
        references: Whether the references are measured.
        test_selected: Whether the best figures on test are sought too.
        device: Where it trains.
        marks: Facts for tables and figures.
    """

    key: str
    model: str
    data: str
    address: DataAddress
    seed: int
    arm: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    control: str | None = None
    study: Study | None = None
    rehearse: bool = True
    references: bool = True
    test_selected: bool = False
    device: str = "auto"
    marks: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What progress calls it."""
        split = "" if self.address.split == "official" else f" split {self.address.split}"
        arm = f" ({self.arm})" if self.arm else ""
        return f"{self.data}{split} {self.model}{arm} seed {self.seed}"

    def entry(self) -> dict[str, Any]:
        """Return the job as experiment folders hold it."""
        return {
            "key": self.key,
            "model": self.model,
            "data": self.data,
            "split": self.address.split,
            "seed": self.seed,
            "arm": self.arm,
            "settings": dict(self.settings),
            "marks": dict(self.marks),
        }


def make_jobs(experiment: Experiment) -> tuple[Job, ...]:
    """Load the data sets and list all runs.

    Args:
        experiment: What is wanted.

    Raises:
        ZslearnError: If a data set cannot be loaded, cannot serve the experiment, or has the name of another.
    """
    jobs: list[Job] = []
    named: dict[str, tuple[str | None, ...]] = {}
    taken: set[tuple[str, str]] = set()
    for choice in experiment.data:
        for split in choice.splits:
            dataset = load_data(choice.data, features=choice.features, semantics=choice.semantics, split=split)
            _check_serves(experiment, choice, dataset)
            address = DataAddress(
                source=choice.data,
                features=choice.features,
                semantics=choice.semantics,
                split=split,
                checksum=dataset.checksum,
            )
            files = ", ".join(filter(None, (choice.features, choice.semantics)))
            name = dataset.name + (f" ({files})" if files else "")
            origin = (choice.data, choice.features, choice.semantics)
            if named.setdefault(name, origin) != origin or (name, split) in taken:
                raise _twice(choice, name, split)
            taken.add((name, split))
            jobs += _jobs_on(experiment, name, address, dataset)
    return tuple(jobs)


def _jobs_on(experiment: Experiment, name: str, address: DataAddress, dataset: ZSLDataset) -> Iterator[Job]:
    for choice, arm in model_units(experiment):
        settings, mark = choice.settings_on(dataset.name, len(dataset.train_rows))
        choice = replace(choice, settings=settings, mark=mark)
        for seed in experiment.seeds:
            yield _job(experiment, choice, arm, name, address, seed)


def _job(
    experiment: Experiment,
    choice: ModelChoice,
    arm: Arm | None,
    name: str,
    address: DataAddress,
    seed: int,
) -> Job:
    settings = {**choice.settings, **(arm.settings if arm else {})}
    facts: dict[str, Any] = {
        "model": choice.model,
        "config": asdict(build(model_entry(choice.model).load().Config, settings)),
        "checksum": address.checksum,
        "rehearse": experiment.rehearse,
        "device": experiment.device,
        "zslearn": __version__,
    }
    study: Study | None = None
    searched: dict[str, Any] | None = None
    if choice.search:
        searched = {
            **facts,
            "space": {field_name: described(domain) for field_name, domain in choice.search.items()},
            "trials": experiment.trials,
            "objective": experiment.objective,
            "seed": experiment.seeds[0],
        }
        study = Study(
            # What a rehearsal offers as alternatives gives way to what is set, so that it matters what is set.
            key=_key({**searched, "settings": settings}),
            model=choice.model,
            settings=settings,
            space=choice.search,
            data=address,
            seed=experiment.seeds[0],
            trials=experiment.trials,
            objective=experiment.objective,
            device=experiment.device,
        )
    control = arm.control if arm else None
    # A control is not refitted for every candidate.
    test_selected = experiment.test_selected and control is None
    depends_on = {
        **facts,
        "settings": settings,
        "seed": seed,
        "arm": arm.name if arm else None,
        "control": control,
        "references": experiment.references,
        "test_selected": test_selected,
        "study": _key(searched) if searched else None,
    }
    return Job(
        key=_key(depends_on),
        model=choice.model,
        data=name,
        address=address,
        seed=seed,
        arm=arm.name if arm else None,
        settings=settings,
        control=control,
        study=study,
        rehearse=experiment.rehearse,
        references=experiment.references,
        test_selected=test_selected,
        device=experiment.device,
        marks={"settings": choice.mark, **(arm.marks if arm else {}), **({"control": control} if control else {})},
    )


def _check_serves(experiment: Experiment, choice: DataChoice, dataset: ZSLDataset) -> None:
    """Refuse what could only fail in every run."""
    if not len(dataset.test_seen_rows) or not len(dataset.test_unseen_rows):
        raise ConfigError(
            f"{choice.data}, split {dataset.split}, has nothing to measure on",
            expected="test rows of seen and of unseen classes",
            received=f"{len(dataset.test_seen_rows)} and {len(dataset.test_unseen_rows)}",
            remedy="Use a class split, such as splits: [0].",
        )
    searched = any(model.search for model in experiment.models)
    if searched and not rehearsal_folds(dataset.training_in_place(), seed=0):
        raise ConfigError(
            f"{choice.data}, split {dataset.split}, allows no rehearsal, which a search needs",
            expected=f"at least {MIN_REHEARSAL_CLASSES} seen classes, with rows to hold out",
            received=f"{len(dataset.seen_ids)} seen classes with {len(dataset.train_rows)} training rows",
            remedy="Leave the search out, or use other data.",
        )


def _twice(choice: DataChoice, name: str, split: str) -> ConfigError:
    return ConfigError(
        f"two data sets of the experiment are called {name}",
        expected="a name of its own for each, by which tables tell their figures apart, and every split once",
        received=f"{choice.data}, split {split}, as the second",
        remedy="Rename one of the folders, or, if they are the same data, drop one of them.",
    )


def _key(facts: Mapping[str, Any]) -> str:
    return digest(facts)[:_KEY_LENGTH]
