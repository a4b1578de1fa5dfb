"""The search for settings: trials proposed by Optuna, judged on classes that only play unseen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zslearn.configuration import field_facts
from zslearn.errors import RunFolderError, TrainingError, require_extra
from zslearn.evaluation.events import digest
from zslearn.experiments.experiment import Interval, described
from zslearn.experiments.jobs import Study
from zslearn.models import model_entry
from zslearn.training.streams import derive_seed

_CAUSE, _SECONDS = "cause", "seconds"


class Search:
    """The course of one search, kept in a journal that a later run goes on with.

    The first trial is the settings as they are. Every later one depends on the trials before it and on its own seed
    alone, so that a search that was interrupted ends like one that was not. Where ``max_seconds`` cuts trainings off,
    values depend on the load of the machine, and with them all that is proposed after them.

    Args:
        study: What is searched.
        journal: The journal's file.

    Raises:
        MissingExtraError: If optuna is not installed.
        RunFolderError: If the journal has a line that is not whole.
    """

    def __init__(self, study: Study, journal: Path) -> None:
        self.study = study
        _check_is_whole(journal)
        self._optuna: Any = require_extra("optuna", "tune")
        self._optuna.logging.set_verbosity(self._optuna.logging.ERROR)
        backend = self._optuna.storages.journal
        lock = backend.JournalFileOpenLock(str(journal))
        self._storage = self._optuna.storages.JournalStorage(backend.JournalFileBackend(str(journal), lock_obj=lock))
        self._course = self._load(0)
        for trial in self._in_state("RUNNING"):
            # Nobody works on it any more; it is proposed again.
            self._course.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
        self._asked: dict[int, Any] = {}

    @property
    def n_done(self) -> int:
        """How many trials of the budget are spent, failed ones included."""
        return len(self._counted())

    @property
    def done(self) -> bool:
        """Whether the budget is spent."""
        return self.n_done >= self.study.trials

    @property
    def failed(self) -> bool:
        """Whether the budget is spent on trials that failed."""
        return self.done and not self.trials()

    def begin_again(self) -> None:
        """Forget every trial."""
        self._optuna.delete_study(study_name=self.study.key, storage=self._storage)
        self._course = self._load(0)

    def ask(self) -> dict[str, Any]:
        """Return the settings of the next trial."""
        number = self.n_done
        self._course = self._load(number)
        # What was ended between proposing the first trial and taking it left that one waiting.
        if number == 0 and not self._in_state("WAITING"):
            self._course.enqueue_trial(self._start())
        trial = self._course.ask(
            {name: self._distribution(name) for name in self.study.space},
        )
        self._asked[number] = trial
        return dict(trial.params)

    def tell(self, answer: Mapping[str, Any]) -> None:
        """Take the answer to the trial that was asked for last."""
        trial = self._asked.pop(self.n_done)
        if answer["status"] == "finished":
            trial.set_user_attr(_SECONDS, answer["seconds"])
            self._course.tell(trial, answer["value"])
        else:
            trial.set_user_attr(_CAUSE, answer["cause"])
            self._course.tell(trial, state=self._optuna.trial.TrialState.FAIL)

    def best(self) -> dict[str, Any]:
        """Return the settings of the best trial; of equally good ones the first.

        Raises:
            TrainingError: If every trial failed.
        """
        finished = [trial for trial in self._counted() if trial.value is not None]
        if not finished:
            cause = next(iter(trial.user_attrs[_CAUSE] for trial in self._counted()), "no trial was made")
            raise TrainingError(
                "every trial of the search failed",
                received=cause,
                remedy="Narrow the search, or try the model alone with zslearn run.",
            )
        return dict(max(finished, key=lambda trial: (trial.value, -trial.number)).params)

    def trials(self) -> list[dict[str, Any]]:
        """Return the settings of every trial that finished, in order."""
        return [dict(trial.params) for trial in self._counted() if trial.value is not None]

    def facts(self) -> dict[str, Any]:
        """Return the course of the search as records hold it."""
        trials = [
            {"settings": dict(trial.params), "value": trial.value, "cause": trial.user_attrs.get(_CAUSE)}
            for trial in self._counted()
        ]
        return {
            "key": self.study.key,
            "chosen_on": "rehearsal classes",
            "objective": f"mean {self.study.objective} over the rehearsal's folds",
            "budget": self.study.trials,
            "seed": self.study.seed,
            "space": {name: described(domain) for name, domain in self.study.space.items()},
            "settings": self.best(),
            "trials": trials,
            "journal": digest(trials),
        }

    def _counted(self) -> list[Any]:
        """The trials that had an answer."""
        return [
            trial
            for trial in self._course.get_trials(deepcopy=False)
            if trial.state == self._optuna.trial.TrialState.COMPLETE or _CAUSE in trial.user_attrs
        ]

    def _in_state(self, state: str) -> list[Any]:
        wanted = self._optuna.trial.TrialState[state]
        return [trial for trial in self._course.get_trials(deepcopy=False) if trial.state == wanted]

    def _load(self, number: int) -> Any:
        sampler = self._optuna.samplers.TPESampler(seed=derive_seed(self.study.seed, f"trial {number}") % 2**32)
        return self._optuna.create_study(
            storage=self._storage,
            study_name=self.study.key,
            sampler=sampler,
            direction="maximize",
            load_if_exists=True,
        )

    def _start(self) -> dict[str, Any]:
        facts = field_facts(model_entry(self.study.model).load().Config)
        return {name: self.study.settings.get(name, facts[name].default) for name in self.study.space}

    def _distribution(self, name: str) -> Any:
        domain = self.study.space[name]
        distributions = self._optuna.distributions
        if not isinstance(domain, Interval):
            return distributions.CategoricalDistribution(domain)
        if isinstance(domain.low, int) and isinstance(domain.high, int):
            return distributions.IntDistribution(domain.low, domain.high, log=domain.log)
        return distributions.FloatDistribution(domain.low, domain.high, log=domain.log)


def _check_is_whole(journal: Path) -> None:
    """Refuse a journal with a line that was cut off: Optuna appends to it what it cannot read afterwards."""
    lines = journal.read_bytes().splitlines(keepends=True) if journal.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            json.loads(line)
            whole = line.endswith(b"\n")
        except ValueError:
            whole = False
        if not whole:
            raise RunFolderError(
                f"{journal}, line {number}, is damaged",
                expected="a whole line of JSON",
                received=f"one of {len(line)} bytes that was cut off or changed",
                remedy="Remove that line, if it is the last one, or the file, and the search begins again.",
            )
