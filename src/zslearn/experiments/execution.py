"""What one worker does: execute one run, or one trial of a search, and say how it ended."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from zslearn.configuration import field_facts
from zslearn.data.dataset import ZSLDataset
from zslearn.errors import DataError, ZslearnError, is_out_of_memory
from zslearn.estimator import GenerativeZSL
from zslearn.evaluation.collapse import signs_of_collapse
from zslearn.evaluation.metrics import Metrics, evaluate_scores
from zslearn.evaluation.protocol import Outcome, run_protocol
from zslearn.experiments.controls import draws_samples_itself, run_control, uses_test_data
from zslearn.experiments.jobs import Job, Study
from zslearn.models import model_entry
from zslearn.records import make_record, source_facts
from zslearn.sheets import make_sheet

_LENGTHS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the training after which an unsearched model is looked at on test, where that is asked for."""


@dataclass(frozen=True, kw_only=True)
class RunTask:
    """A run to execute.

    Attributes:
        job: The run.
        chosen: What its search chose; it goes before the job's settings.
        searched: How the search came to that, for the record.
        trials: The settings of all its trials, where the best one on test is wanted.
    """

    job: Job
    chosen: Mapping[str, Any] = field(default_factory=dict)
    searched: Mapping[str, Any] | None = None
    trials: Sequence[Mapping[str, Any]] = ()

    @property
    def title(self) -> str:
        """What progress calls it."""
        return self.job.title

    @property
    def device(self) -> str:
        """Where it trains."""
        return self.job.device


@dataclass(frozen=True, kw_only=True)
class TrialTask:
    """One trial of a search to execute.

    Attributes:
        study: The search.
        number: Which trial, counted from 0.
        chosen: The settings to try.
    """

    study: Study
    number: int
    chosen: Mapping[str, Any]

    @property
    def title(self) -> str:
        """What progress calls it."""
        return f"{self.study.model} on {self.study.data.source}: trial {self.number + 1} of {self.study.trials}"

    @property
    def device(self) -> str:
        """Where it trains."""
        return self.study.device


Task = RunTask | TrialTask


def execute(task: Task) -> dict[str, Any]:
    """Execute a task; whatever happens in it is an answer.

    Returns:
        A record with status ``finished``, or ``status``, ``cause`` and, for what nobody foresaw, ``traceback``.
    """
    try:
        return _run(task) if isinstance(task, RunTask) else _rehearse(task)
    except ZslearnError as error:
        return failure(str(error))
    except (MemoryError, RuntimeError) as error:
        cause = f"out of memory: {error}" if is_out_of_memory(error) else f"{type(error).__name__}: {error}"
        return {**failure(cause), "traceback": traceback.format_exc()}
    except Exception as error:
        return {**failure(f"{type(error).__name__}: {error}"), "traceback": traceback.format_exc()}


def failure(cause: str) -> dict[str, Any]:
    """Return the answer of a task that failed."""
    return {"status": "failed", "cause": cause}


def use_one_thread() -> None:
    """Compute with one thread in this process, so that figures do not depend on how many run at once."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)


def _rehearse(task: TrialTask) -> dict[str, Any]:
    study = task.study
    view = study.data.load().training_in_place()
    estimator = GenerativeZSL(
        study.model, settings={**study.settings, **task.chosen}, seed=study.seed, device=study.device
    )
    start = time.perf_counter()
    rehearsal = estimator.rehearse_view(view)
    if rehearsal is None:
        raise DataError(
            f"{study.data.source}, split {study.data.split}, allows no rehearsal, which a search needs",
            remedy="Leave the search out, or use other data.",
        )
    values = {"ausuc": rehearsal.ausuc[rehearsal.chosen], "h": rehearsal.corrected.h}
    return {"status": "finished", "value": values[study.objective], "seconds": time.perf_counter() - start, **values}


def _run(task: RunTask) -> dict[str, Any]:
    job = task.job
    dataset = job.address.load()
    settings = {**job.settings, **task.chosen}
    history: list[dict[str, Any]] = []
    protocol = partial(
        run_protocol,
        model=job.model,
        settings=settings,
        seed=job.seed,
        device=job.device,
        rehearse=job.rehearse,
        references=job.references,
        searched=task.searched,
        on_progress=lambda progress: history.append(progress.as_dict()),
    )
    if job.control is None:
        outcome = protocol(dataset)
    else:
        dataset, outcome = run_control(job.control, dataset, job.seed, protocol)
    facts = source_facts(dataset, job.address.source, job.address.features, job.address.semantics)
    record = make_record(dataset, outcome, facts)
    record["training_warnings"] = signs_of_collapse(history, outcome.estimator, dataset.training_in_place())
    if uses_test_data(job.control):
        record["setting"] = {**record["setting"], "samples": "labelled unseen test samples"}
    if task.searched is not None:
        record["selection"]["search"] = dict(task.searched)
    sheet = make_sheet(dataset, outcome, history)
    if draws_samples_itself(job.control):
        # What was looked at are the generator's samples, which this control does not use.
        record["diagnostics"] = {**record["diagnostics"], "generated": None}
        sheet |= {"map": None, "images": None}
    if job.test_selected:
        record["test_selected"] = _test_selected(task, dataset, outcome)
    return {**record, "status": "finished", "job": job.entry(), "sheet": sheet}


def _test_selected(task: RunTask, dataset: ZSLDataset, outcome: Outcome) -> dict[str, Any]:
    """Measure candidates on the test view and take the best of each figure, as published code does."""
    estimator = outcome.estimator
    chosen = 0 if estimator.rehearsal_ is None else estimator.rehearsal_.chosen
    settings = dict(estimator.alternatives_[chosen])
    candidates, over = task.trials, "the trials of its search"
    if not candidates:
        candidates, over = _lengths(task.job.model, settings), "lengths of its training"
    test, best = dataset.test_in_place(), dict.fromkeys(Metrics.__dataclass_fields__, 0.0)
    for candidate in candidates:
        trained = GenerativeZSL(
            estimator.model,
            settings={**settings, **candidate},
            rehearse=False,
            seed=estimator.seed,
            device=estimator.device,
        ).fit_view(dataset.training_in_place())
        scores = trained.recogniser_.scores(test.features)
        figures = evaluate_scores(scores, test.labels, seen_ids=test.seen_ids, unseen_ids=test.unseen_ids)
        best = {name: max(best[name], value) for name, value in asdict(figures).items()}
    return {"chosen_on": "the test view", "over": over, "n_candidates": len(candidates), **best}


def _lengths(model: str, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    facts = field_facts(model_entry(model).load().Config)
    if "n_updates" not in facts:
        return [{}]
    n_updates = settings.get("n_updates", facts["n_updates"].default)
    return [{"n_updates": max(1, round(share * n_updates))} for share in _LENGTHS]
