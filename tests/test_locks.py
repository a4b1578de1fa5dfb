"""One process at a time in a folder."""

import json
import os
import platform
import subprocess
import sys
import time

import pytest

from zslearn.errors import RunFolderError
from zslearn.locks import LOCK_FILE, FolderLock
from zslearn.runs import RunInProgress

HOLD = """
import sys, time
from pathlib import Path
from zslearn.locks import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path):
    first = FolderLock(tmp_path)
    match = (
        f"is in use .*received the lock of process {os.getpid()} on {platform.node()}.*or, if that process has ended"
    )
    with pytest.raises(RunFolderError, match=match):
        FolderLock(tmp_path)
    first.release()
    assert list(tmp_path.iterdir()) == []
    FolderLock(tmp_path).release()


def test_a_killed_holder_is_no_obstacle(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(RunFolderError, match=f"process {holder.pid}"):
        FolderLock(tmp_path)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert (tmp_path / LOCK_FILE).exists()
    FolderLock(tmp_path).release()


def test_a_lock_of_another_host_counts(tmp_path):
    (tmp_path / LOCK_FILE).write_text(json.dumps({"pid": 1, "host": "elsewhere"}))
    with pytest.raises(RunFolderError, match=f"process 1 on elsewhere.*delete {tmp_path / LOCK_FILE}"):
        FolderLock(tmp_path)


@pytest.mark.parametrize("content", ["", "{", '{"pid": -5, "host": "x"}', "[" * 900, '{"pid": "x"}'])
def test_a_damaged_lock_file_holds_nobody(tmp_path, content):
    (tmp_path / LOCK_FILE).write_text(content)
    FolderLock(tmp_path).release()


def test_without_system_locks_the_process_number_decides(tmp_path, monkeypatch):
    monkeypatch.setattr("zslearn.locks.fcntl", None)
    (tmp_path / LOCK_FILE).write_text(json.dumps({"pid": os.getppid(), "host": platform.node()}))
    with pytest.raises(RunFolderError, match="is in use"):
        FolderLock(tmp_path)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / LOCK_FILE).write_text(json.dumps({"pid": gone.pid, "host": platform.node()}))
    FolderLock(tmp_path).release()


def test_the_second_of_two_runs_into_one_folder_is_refused(tmp_path):
    begun = {"status": "running"}
    (tmp_path / "r").mkdir()
    with (
        RunInProgress(tmp_path / "r", tmp_path, begun) as first,
        RunInProgress(tmp_path / "r", tmp_path, begun) as late,
    ):
        first._lock = FolderLock(tmp_path / "r")
        with pytest.raises(RunFolderError, match="is in use"):
            late.keep({"step": 1})
    with RunInProgress(tmp_path / "r", tmp_path, begun) as next_one:
        next_one.keep({"step": 1})
        assert (tmp_path / "r" / LOCK_FILE).exists()
    assert not (tmp_path / "r" / LOCK_FILE).exists()


def test_many_at_once_are_one_after_the_other(tmp_path):
    program = """
import sys, time
from pathlib import Path
from zslearn.errors import RunFolderError
from zslearn.locks import FolderLock
folder = Path(sys.argv[1])
for _ in range(40):
    try:
        lock = FolderLock(folder)
    except RunFolderError:
        continue
    (folder / "alone").mkdir()
    (folder / "alone").rmdir()
    lock.release()
"""
    workers = [subprocess.Popen([sys.executable, "-c", program, tmp_path]) for _ in range(4)]
    deadline = time.monotonic() + 60
    assert [worker.wait(deadline - time.monotonic()) for worker in workers] == [0] * 4
