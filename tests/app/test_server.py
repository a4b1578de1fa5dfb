"""The app over HTTP: what is answered, what is refused, and that it goes on afterwards."""

import http.client
import json
import socket
import sys
import urllib.request

import numpy as np
import pytest

from zslearn.app.server import AppServer
from zslearn.errors import ConfigError


class Client:
    """Asks a server as the page does, unless told otherwise."""

    def __init__(self, server):
        self.host, self.port = server.server_address

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        told = json.loads(content) if answer.headers["Content-Type"] == "application/json" else content
        return answer.status, told, answer.headers

    def post(self, path, question, **headers):
        body = question if isinstance(question, bytes) else json.dumps(question).encode()
        return self.ask("POST", path, body, **headers)[:2]


@pytest.fixture
def client(served, session):
    return Client(served(session))


def test_the_page_and_its_parts_are_served_under_a_policy_that_forbids_all_else(client):
    for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")):
        status, content, headers = client.ask("GET", path)
        assert status == 200
        assert content
        assert headers["Content-Type"] == f"{kind}; charset=utf-8"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert b"http://" not in content
        assert b"https://" not in content


def test_questions_are_answered_as_the_session_answers_them(client, session, new_class):
    assert client.ask("GET", "/overview")[1] == json.loads(json.dumps(session.overview()))
    assert client.post("/look", {"name": "A", "seed": 2}) == (200, session.look("A", seed=2))
    assert client.post("/imagine", {"description": new_class}) == (200, session.imagine(new_class))
    status, told = client.post("/add", {"name": "horn", "description": new_class})
    assert (status, told["classes"][-1]["name"]) == (200, "horn")
    assert client.post("/try", {"name": "A"}) == (200, session.recognise_real("A"))
    status, content, _ = client.ask("GET", "/added.npz")
    assert status == 200
    assert content.startswith(b"PK")
    assert client.post("/drop", {"name": "horn"})[0] == 200


@pytest.mark.parametrize(
    ("path", "question", "status", "message"),
    [
        ("/look", {"name": "Ä"}, 400, "there is no class called 'Ä'"),
        ("/look", {"name": 3}, 400, "the question lacks a text 'name'"),
        ("/look", {"name": "A", "seed": -1}, 400, "the seed is not usable"),
        ("/look", {"name": "A", "seed": True}, 400, "the seed is not usable"),
        ("/add", {"name": "x"}, 400, "the class is not described"),
        ("/look", b"{", 400, "the question is not JSON"),
        ("/look", b"[" * 100_000, 400, "the question is not JSON"),
        ("/look", [1], 400, "the question is not a JSON object"),
        ("/nothing", {}, 404, "there is nothing at /nothing"),
        ("/look", b" " * ((1 << 20) + 1), 413, "what was sent is too large (expected at most 1 MiB; received 1 MiB)"),
        ("/recognise?name=photo.png", b"no image", 400, "photo.png cannot be read as an image"),
        ("/recognise?name=%00%0a.csv", b"1,2", 400, "do not fit the model"),
        ("/recognise", b"", 400, "the file is empty"),
    ],
)
def test_bad_questions_get_a_line_and_the_app_goes_on(client, path, question, status, message):
    received, told = client.post(path, question)
    assert received == status
    assert message in told["error"]
    assert "\n" not in told["error"]
    assert client.post("/look", {"name": "A"})[0] == 200


def test_uploads_are_limited_and_the_limit_can_be_changed(client, monkeypatch):
    monkeypatch.setenv("ZSLEARN_MAX_BYTES", "100K")
    status, told = client.post("/recognise?name=rows.npy", bytes(3 << 20))
    assert status == 413
    assert told["error"] == (
        "what was sent is too large (expected at most 0.09766 MiB; received 3 MiB). Give a part of it."
    )
    assert client.post("/recognise?name=rows.csv", b"1,2")[0] == 400


def test_other_pages_and_other_names_are_refused(client):
    own = f"127.0.0.1:{client.port}"
    assert client.post("/look", {"name": "A"}, Origin=f"http://{own}")[0] == 200
    assert client.ask("GET", "/overview", Host=f"localhost:{client.port}")[0] == 200
    for headers in ({"Origin": "http://example.org"}, {"Origin": "null"}, {"Host": f"example.org:{client.port}"}):
        status, told = client.post("/look", {"name": "A"}, **headers)
        assert (status, told["error"]) == (403, "this app answers its own page only"), headers
    assert client.ask("GET", "/", Host="example.org")[0] == 403
    assert client.ask("GET", "/", Host="127.0.0.2")[0] == 403


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has 127.0.0.1 alone")
def test_it_answers_at_whatever_loopback_address_it_listens_on(served, session):
    server = served(session, "127.0.0.2")
    assert server.is_local
    with urllib.request.urlopen(server.url) as answer:
        assert answer.status == 200
    assert Client(server).ask("GET", "/", Host="localhost")[0] == 200
    assert Client(server).ask("GET", "/", Host="example.org")[0] == 403


def test_a_failure_that_nobody_thought_of_is_a_line_and_the_app_goes_on(served, session, monkeypatch, capsys):
    client = Client(served(session))
    with monkeypatch.context() as patch:
        patch.setattr(session, "look", lambda name, seed: np.zeros(3))
        status, told = client.post("/look", {"name": "A"})
    assert status == 500
    assert told["error"].startswith("this failed (TypeError: ")
    assert told["error"].endswith(" The app goes on.")
    assert "error: POST /look failed: TypeError" in capsys.readouterr().err
    assert client.post("/look", {"name": "A"})[0] == 200


def test_requests_without_a_length_or_with_half_a_body_do_not_stop_it(client):
    with socket.create_connection(("127.0.0.1", client.port)) as raw:
        raw.sendall(f"POST /look HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 411")
    with socket.create_connection(("127.0.0.1", client.port)) as raw:
        raw.sendall(f"POST /look HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nContent-Length: 50\r\n\r\n{{".encode())
    with socket.create_connection(("127.0.0.1", client.port)) as raw:
        raw.sendall(b"\x16\x03\x01 no HTTP\r\n\r\n")
    assert client.post("/look", {"name": "A"})[0] == 200


def test_it_listens_on_the_loopback_alone():
    with AppServer("127.0.0.1", 0) as server:
        assert server.is_local
        assert server.url == f"http://127.0.0.1:{server.server_address[1]}/"
    with AppServer("0.0.0.0", 0) as server:
        assert not server.is_local
    for port in (65_536, -1):
        with pytest.raises(ConfigError, match=f"^{port} is not a port number"):
            AppServer("127.0.0.1", port)
    for host in ("192.0.2.1", "no such host"):
        with pytest.raises(ConfigError, match=f"the app cannot listen on {host}, port 0"):
            AppServer(host, 0)
    with pytest.raises(ConfigError, match=r"'192\.168\.\.1' is not an address"):
        AppServer("192.168..1", 0)
