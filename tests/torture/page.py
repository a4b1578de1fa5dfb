"""Malformed requests for the app, served as people serve it."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torture.cases import CPU_SECONDS, MEMORY, Figures
from torture.material import FuzzMaterial
from torture.mutations import mutated, nasty_word

SEED = 20251128
_READY_SECONDS = 60
_SILENCE = 3 * CPU_SECONDS
_DESCRIPTION = {"description": {"blend": {"kind 0": 1, "kind 1": 0.5}}, "seed": 1}
_VALUES = (None, True, -1, 0, 0.5, 1e308, -1e308, 1 << 70, [], [[]], {}, {"": 1}, ["kind 0"], {"kind 0": {}}, "kind 0")
_QUESTIONS = {
    "/look": {"name": "kind 0", "seed": 2},
    "/imagine": _DESCRIPTION,
    "/add": {"name": "new", **_DESCRIPTION},
    "/drop": {"name": "new"},
    "/try": {"name": "kind 1"},
}


def page(material: FuzzMaterial, n_requests: int) -> Figures:
    """Ask an app of a run whatever comes to mind; it must answer in words, and go on."""
    figures = Figures(f"{n_requests} malformed requests to the app")
    with _served(material.run) as (process, port):
        before = _overview(port)
        for number in range(n_requests):
            _judge(number, port, *_request(material, random.Random(f"{SEED}/{number}")), figures)
        if process.poll() is not None:
            figures.problem(f"the app ended with code {process.returncode}")
        elif {**_overview(port), "classes": before["classes"]} != before:
            figures.problem("the app does not answer as before")
        else:
            figures.count("largest memory in MB", _peak(process.pid) >> 20)
            if _peak(process.pid) > MEMORY:
                figures.problem("the app took more memory than it may")
    return figures


@contextlib.contextmanager
def _served(run: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    words = [sys.executable, "-m", "zslearn", "app", str(run), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().strip().rstrip("/").rpartition(":")[2])
        limit = time.monotonic() + _READY_SECONDS
        while time.monotonic() < limit:
            with contextlib.suppress(OSError):
                _overview(port)
                break
        try:
            yield process, port
        finally:
            process.terminate()


def _request(material: FuzzMaterial, rng: random.Random) -> tuple[bytes, bytes]:
    """Return the head and the body of a request, of which at least one is damaged."""
    kind = rng.randrange(4)
    if kind == 0:
        files = sorted(path for path in (*material.rows.iterdir(), *material.images.rglob("*")) if path.is_file())
        path = rng.choice(files)
        name = path.name if rng.random() < 0.8 else nasty_word(rng)
        address, body = f"/recognise?name={_quoted(name)}", mutated(path.read_bytes(), rng)
    else:
        address = rng.choice(sorted(_QUESTIONS))
        body = json.dumps(_other_values(_QUESTIONS[address], rng) if kind == 1 else _QUESTIONS[address]).encode()
        body = body if kind == 1 else mutated(body, rng)
    length: object = len(body)
    host = "127.0.0.1"
    if kind == 2:
        match rng.randrange(4):
            case 0:
                length = rng.choice(("", "-1", "1e3", "9" * 30, "x", len(body) // 2))
            case 1:
                address = "/" + _quoted(nasty_word(rng))
            case 2:
                host = _quoted(nasty_word(rng))
            case 3:
                address = rng.choice(("/", "/overview", "/added.npz", "/../page.css", "//etc/passwd"))
    method = "POST" if rng.random() < 0.9 else rng.choice(("GET", "PUT", ""))
    head = f"{method} {address} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    return head.encode(), body


def _other_values(question: Any, rng: random.Random) -> Any:
    """Return a question in which a value, somewhere, is another one."""
    if not isinstance(question, dict) or not question or rng.random() < 0.2:
        return rng.choice((*_VALUES, nasty_word(rng)))
    name = rng.choice(sorted(question))
    new_name = name if rng.random() < 0.8 else nasty_word(rng)
    others = {each: value for each, value in question.items() if each != name}
    return {**others, new_name: _other_values(question[name], rng)}


def _quoted(word: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else f"%{ord(letter) % 256:02x}" for letter in word)


def _judge(number: int, port: int, head: bytes, body: bytes, figures: Figures) -> None:
    """Send a request, and note an answer that it must not have."""
    started = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_SILENCE) as connection:
            # Whoever is refused early is hung up on while sending.
            with contextlib.suppress(OSError):
                connection.sendall(head + body)
                # Nothing follows: what was announced and does not come ends the request.
                connection.shutdown(socket.SHUT_WR)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            status, content = answer.status, answer.read()
    except TimeoutError:
        figures.problem(f"request {number}: no answer in {_SILENCE} s: {head[:200]!r}")
        return
    except (http.client.HTTPException, ConnectionError):
        # A head that is no HTTP is hung up on.
        figures.count("hung up")
        return
    seconds = round(time.monotonic() - started, 1)
    figures.counts["longest in seconds"] = max(figures.counts.get("longest in seconds", 0), seconds)
    figures.count("accepted" if status < 300 else "refused")
    if status >= 500 and status not in (501, 505):
        figures.problem(f"request {number}: {status} {content[-300:]!r} to {head[:120]!r} {body[:200]!r}")
    elif status == 400 and b"Traceback" in content:
        figures.problem(f"request {number}: {content[-300:]!r}")


def _overview(port: int) -> dict[str, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_READY_SECONDS)
    connection.request("GET", "/overview")
    told: dict[str, object] = json.loads(connection.getresponse().read())
    connection.close()
    return told


def _peak(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
