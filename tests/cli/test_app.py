"""The command that serves the app: it says where, ends gently, and refuses what it cannot use in a line."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from zslearn.runs import write_record


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    """The command sets this for its process, which is that of the tests here."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.slow
def test_it_serves_a_run_until_it_is_interrupted(finished):
    folder, _ = finished
    command = [sys.executable, "-m", "zslearn", "app", str(folder), "--port", "0"]
    # A shell's background jobs ignore the signal, and so would what they start.
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{url}overview") as answer:
            told = json.loads(answer.read())
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    assert out == ""
    assert err.splitlines() == [
        f"loading {folder} ...",
        "End with Ctrl-C.",
        "",
        "ended; classes that were added on the page are gone.",
    ]
    assert told["title"] == folder.name
    assert told["facts"]["data"] == "glyphs, split 1"
    assert told["note"] == ""
    assert told["real"]


def test_a_port_in_use_is_one_line_before_anything_is_loaded(command, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = command("app", tmp_path, "--port", port)
    assert answer.code == 2
    assert answer.err == (
        f"error: the app cannot listen on 127.0.0.1, port {port} (received {os.strerror(errno.EADDRINUSE)}). "
        "Choose another port with --port; 0 takes any that is free.\n"
    )


def test_foreign_and_interrupted_folders_are_one_line(command, tmp_path):
    answer = command("app", tmp_path, "--port", 0)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.splitlines()[-1].startswith("error: ")
    write_record(tmp_path, {"status": "interrupted", "cause": "interrupted"})
    answer = command("app", tmp_path, "--port", 0, "--quiet")
    assert answer.code == 2
    assert answer.err == (
        f"error: the run in {tmp_path} did not finish (expected status finished; received status interrupted). "
        f"Go on with: zslearn run --resume {tmp_path}\n"
    )
