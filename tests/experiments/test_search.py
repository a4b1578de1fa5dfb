import sys

import pytest

from zslearn.errors import MissingExtraError, RunFolderError, TrainingError
from zslearn.evaluation.events import holds
from zslearn.experiments.execution import RunTask, execute
from zslearn.experiments.experiment import read_experiment
from zslearn.experiments.folder import counted
from zslearn.experiments.jobs import make_jobs
from zslearn.experiments.search import Search

TEXT = """
title: searched
data: [glyphs]
splits: [1]
seeds: [0, 1]
references: false
search: {trials: 5, objective: h}
models:
  - model: skd
    settings: {n_updates: 3, teacher_updates: 3}
    search:
      learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}
      hidden_dim: {low: 8, high: 512}
      sp_weight: [0.0, 1.0]
"""


@pytest.fixture
def study():
    pytest.importorskip("optuna", reason="needs the extra tune")
    return make_jobs(read_experiment(TEXT, "searched", "s.yaml"))[0].study


def value(settings):
    """Stands for a rehearsal: best at a small rate and a wide layer."""
    return settings["hidden_dim"] / 1000 - settings["learning_rate"]


def answer(settings):
    return {"status": "finished", "value": value(settings), "seconds": 0.1}


def course(search):
    while not search.done:
        settings = search.ask()
        search.tell(answer(settings))
    return search.trials()


def test_the_first_trial_is_what_is_set_and_all_lie_in_the_space(study, tmp_path):
    trials = course(Search(study, tmp_path / "j"))
    assert len(trials) == 5
    assert trials[0] == {"learning_rate": 5e-4, "hidden_dim": 512, "sp_weight": 1.0}
    for trial in trials:
        assert 1e-4 <= trial["learning_rate"] <= 1e-2
        assert 8 <= trial["hidden_dim"] <= 512
        assert type(trial["hidden_dim"]) is int
        assert trial["sp_weight"] in (0.0, 1.0)
    assert len({tuple(trial.values()) for trial in trials}) > 3


def test_the_best_trial_is_chosen_and_its_course_is_told(study, tmp_path):
    search = Search(study, tmp_path / "j")
    trials = course(search)
    facts = search.facts()
    assert search.best() == max(trials, key=value)
    assert facts["settings"] == search.best()
    assert facts["objective"] == "mean h over the rehearsal's folds"
    assert (facts["budget"], len(facts["trials"])) == (5, 5)
    assert [trial["value"] for trial in facts["trials"]] == [value(trial) for trial in trials]


def test_an_interrupted_search_ends_like_one_that_was_not(study, tmp_path):
    whole = course(Search(study, tmp_path / "whole"))
    first = Search(study, tmp_path / "parts")
    first.tell(answer(first.ask()))
    second = Search(study, tmp_path / "parts")
    second.tell(answer(second.ask()))
    second.ask()
    last = Search(study, tmp_path / "parts")
    assert last.n_done == 2
    assert course(last) == whole


def test_a_search_that_was_ended_before_its_first_trial_was_taken_goes_on(study, tmp_path):
    whole = course(Search(study, tmp_path / "whole"))
    begun = Search(study, tmp_path / "parts")
    begun._course.enqueue_trial(begun._start())
    assert course(Search(study, tmp_path / "parts")) == whole


@pytest.mark.parametrize("cut", [5, 1], ids=["within a line", "before its end"])
def test_a_journal_that_was_cut_is_named_with_the_line(study, tmp_path, cut):
    search, journal = Search(study, tmp_path / "j"), tmp_path / "j"
    search.tell(answer(search.ask()))
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines)[:-cut])
    with pytest.raises(RunFolderError, match=rf"j, line {len(lines)}, is damaged .*Remove that line"):
        Search(study, journal)
    journal.write_bytes(b"".join(lines[:-1]))
    assert len(course(Search(study, journal))) == 5


def test_a_failed_trial_is_spent_and_not_chosen(study, tmp_path):
    search = Search(study, tmp_path / "j")
    search.ask()
    search.tell({"status": "failed", "cause": "NaN"})
    course(search)
    facts = search.facts()
    assert [trial["cause"] for trial in facts["trials"]][:2] == ["NaN", None]
    assert len(facts["trials"]) == 5
    assert search.best() != facts["trials"][0]["settings"]
    assert len(search.trials()) == 4
    assert Search(study, tmp_path / "j").done


def test_a_search_without_a_good_trial_says_why(study, tmp_path):
    search = Search(study, tmp_path / "j")
    while not search.done:
        search.ask()
        search.tell({"status": "failed", "cause": "out of memory"})
    with pytest.raises(TrainingError, match="every trial of the search failed .received out of memory"):
        search.best()


def test_a_search_of_which_every_trial_failed_begins_again_on_demand(study, tmp_path):
    search = Search(study, tmp_path / "j")
    while not search.done:
        search.ask()
        search.tell({"status": "failed", "cause": "the worker was killed"})
    search = Search(study, tmp_path / "j")
    assert search.failed
    search.begin_again()
    assert (search.n_done, search.failed) == (0, False)
    assert course(search) == course(Search(study, tmp_path / "another"))
    assert Search(study, tmp_path / "j").trials() == search.trials()


def test_retry_executes_a_search_of_which_every_trial_failed(study, start):
    # Such a rate leaves no finite number, whatever else a trial sets.
    text = TEXT.replace("{low: 1.0e-4, high: 1.0e-2, log: true}", "{low: 1.0e+20, high: 1.0e+30, log: true}")
    text = text.replace("trials: 5", "trials: 1").replace("n_updates: 3,", "n_updates: 3, learning_rate: 1.0e+30,")
    diverging = read_experiment(text, "tiny", "s.yaml")
    folder, advances = start(diverging)
    assert counted(folder.status())["failed"] == 2
    assert [advance.cause is None for advance in advances] == [True, False, False, False]
    assert start(diverging)[1][0].n_total == 0
    _, advances = start(diverging, retry=True)
    assert advances[0].n_total == 1 + 2
    assert any(advance.title.endswith("trial 1 of 1") for advance in advances)


def test_without_optuna_the_extra_is_named(tmp_path, monkeypatch):
    study = make_jobs(read_experiment(TEXT, "searched", "s.yaml"))[0].study
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"zslearn\[tune\]"):
        Search(study, tmp_path / "j")


@pytest.mark.slow
def test_the_record_proves_that_choices_came_before_the_test_view(study, start):
    folder, advances = start(read_experiment(TEXT.replace("trials: 5", "trials: 2"), "tiny", "s.yaml"))
    assert counted(folder.status()) == {"finished": 2, "failed": 0, "missing": 0}
    assert advances[-1].n_total == 2 + 2
    records = [record for _, record in folder.records()]
    for record in records:
        events = record["selection"]["events"]
        assert holds(events)
        assert [event["event"] for event in events] == [
            "searched", "rehearsed", "trained", "test view opened", "measured",
        ]  # fmt: skip
        chosen = record["selection"]["search"]["settings"]
        assert events[0]["choices"]["settings"] == chosen
        assert {name: record["config"][name] for name in chosen} == chosen
        assert record["job"]["marks"]["settings"] == "searched"
        assert record["selection"]["search"]["chosen_on"] == "rehearsal classes"
    # The value of the chosen trial is what the rehearsal of the run with the search's seed says.
    search = records[0]["selection"]["search"]
    (value,) = {trial["value"] for trial in search["trials"] if trial["settings"] == search["settings"]}
    assert records[0]["seed"] == search["seed"]
    assert value == records[0]["selection"]["rehearsal"]["corrected"]["h"]


@pytest.mark.slow
def test_figures_chosen_on_test_are_sought_on_demand_and_at_least_as_good():
    text = TEXT.split("search: {trials")[0] + (
        "rehearse: false\ntest_selected: true\nmodels: [{model: skd, settings: {n_updates: 8, teacher_updates: 3}}]\n"
    )
    job = make_jobs(read_experiment(text, "n", "n.yaml"))[0]
    record = execute(RunTask(job=job))
    chosen = record["test_selected"]
    assert chosen["chosen_on"] == "the test view"
    assert chosen["n_candidates"] == 4
    assert all(chosen[name] >= record["metrics"][name] for name in record["metrics"])
