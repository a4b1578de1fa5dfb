import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zslearn.errors import RunFolderError
from zslearn.runs import HISTORY_FILE, RECORD_FILE, RunInProgress, make_run_folder, read_record, write_record

BEGUN = {"status": "running", "model": "skd"}


def test_the_default_folder_is_numbered_where_it_is_taken(tmp_path):
    made = [make_run_folder(None, tmp_path / "runs" / "a-s0").name for _ in range(3)]
    assert made == ["a-s0", "a-s0-2", "a-s0-3"]


def test_a_wanted_folder_may_exist_if_it_is_empty(tmp_path):
    assert make_run_folder(tmp_path / "new" / "deep", tmp_path / "unused").is_dir()
    assert make_run_folder(tmp_path / "new" / "deep", tmp_path / "unused") == tmp_path / "new" / "deep"
    (tmp_path / "file").write_text("mine")
    for taken in (tmp_path, tmp_path / "file"):
        with pytest.raises(RunFolderError, match="is not an empty folder .expected a new or empty folder"):
            make_run_folder(taken, tmp_path / "unused")
    with pytest.raises(RunFolderError, match="cannot be made .received Not a directory"):
        make_run_folder(tmp_path / "file" / "below", tmp_path / "unused")
    assert (tmp_path / "file").read_text() == "mine"
    assert not (tmp_path / "unused").exists()


def test_a_folder_appears_with_the_first_report_and_says_running(tmp_path):
    with RunInProgress(tmp_path / "r", tmp_path / "unused", BEGUN) as run:
        assert not (tmp_path / "r").exists()
        run.keep({"step": 1})
        assert json.loads((tmp_path / "r" / RECORD_FILE).read_text()) == BEGUN
        run.keep({"step": 2})
    lines = (tmp_path / "r" / HISTORY_FILE).read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]


def test_a_run_that_stops_before_its_first_report_leaves_nothing(tmp_path):
    run = RunInProgress(None, tmp_path / "runs" / "a", BEGUN)
    assert run.stop("interrupted", "by the user") == "Nothing was written."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", ["interrupted", "failed"])
def test_a_run_that_stops_later_says_how_and_is_not_taken_for_finished(tmp_path, status):
    with RunInProgress(tmp_path / "r", tmp_path / "unused", BEGUN) as run:
        run.keep({"step": 1})
        assert run.stop(status, "a cause") == f"Go on with: zslearn run --resume {tmp_path / 'r'}"
    record = json.loads((tmp_path / "r" / RECORD_FILE).read_text())
    assert record == {**BEGUN, "status": status, "cause": "a cause"}
    with pytest.raises(RunFolderError, match=f"did not finish .*received status {status}"):
        read_record(tmp_path / "r")


def test_a_finished_record_comes_back_as_written(tmp_path):
    record = {"status": "finished", "data": {"name": "Blüten"}, "metrics": {"h": 0.5}}
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record


@pytest.mark.parametrize("content", ["", "{", "[]", '{"status": "running"}', "\xff"])
def test_damaged_or_unfinished_records_are_refused(tmp_path, content):
    (tmp_path / RECORD_FILE).write_bytes(content.encode("latin-1"))
    with pytest.raises(RunFolderError, match="cannot be read|did not finish"):
        read_record(tmp_path)


def test_a_folder_without_a_record_is_no_run(tmp_path):
    with pytest.raises(RunFolderError, match=r"is not a run folder .expected a file record.json"):
        read_record(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's own peak")
def test_the_memory_of_a_process_is_its_own_and_not_that_of_whoever_started_it():
    held = np.ones(100_000_000)
    words = [sys.executable, "-c", "from zslearn.records import peak_memory_bytes; print(peak_memory_bytes())"]
    told = int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    assert 100e6 < told < held.nbytes
