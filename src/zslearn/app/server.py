"""The app's server: the page and its questions over HTTP, by the standard library alone.

It is made for one user on one machine. Unless it is told to serve others, it answers requests that were meant for this
machine only: other pages that a browser has open cannot use it, under whatever name they reach it.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from zslearn.errors import ConfigError, DataError, ZslearnError, printable

if TYPE_CHECKING:
    from zslearn.app.session import Session

_MAX_QUESTION_BYTES = 1 << 20
_SILENT_SECONDS = 60
_LAST_PORT = 65_535
_PATIENCE = 4
"""How many times too much is still waited for, to answer that it is too much."""
_JSON = "application/json"
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_PAGE = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""The policy forbids the page to fetch anything from anywhere else, whatever names of classes smuggle into it."""


class AppServer(ThreadingHTTPServer):
    """Listens from the beginning, so that a port in use shows before a model is loaded; answers once it is served.

    Args:
        host: The address or name to listen on.
        port: The port; 0 for any that is free.

    Raises:
        ConfigError: If it cannot listen there.
    """

    daemon_threads = True
    # Elsewhere this lets a port be used again at once; on Windows it would let two servers share one.
    allow_reuse_address = os.name != "nt"

    def __init__(self, host: str, port: int) -> None:
        self.session: Session | None = None
        if not 0 <= port <= _LAST_PORT:
            raise ConfigError(
                f"{port} is not a port number", expected=f"a number from 0 to {_LAST_PORT}", remedy="Choose one."
            )
        try:
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self.address_family = family
            super().__init__(address[:2], _Handler)  # type: ignore[arg-type]
        # What cannot be written as a name of the network, such as two dots in a row, is not even looked up.
        except UnicodeError as error:
            raise ConfigError(
                f"{host!r} is not an address", expected="a name or an IP address", remedy="Give another with --host."
            ) from error
        except OSError as error:
            raise ConfigError(
                f"the app cannot listen on {host}, port {port}",
                received=error.strerror,
                remedy="Choose another port with --port; 0 takes any that is free.",
            ) from error

    @property
    def is_local(self) -> bool:
        """Whether only programs on this machine can reach it."""
        return ipaddress.ip_address(str(self.server_address[0])).is_loopback

    @property
    def url(self) -> str:
        """Where the page is."""
        host, port = str(self.server_address[0]), self.server_address[1]
        if ipaddress.ip_address(host).is_unspecified:
            host = socket.gethostname()
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    def serve(self, session: Session) -> None:
        """Answer until `shutdown` is called, or the process is interrupted."""
        self.session = session
        self.serve_forever()

    def server_bind(self) -> None:
        """Bind without asking the network for this machine's name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(self.allow_reuse_address))
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that break: browsers leave as they like."""


class _Refusal(Exception):
    """A request that is not answered.

    Args:
        status: What HTTP calls it.
        line: Why, for whoever asked.
    """

    def __init__(self, status: HTTPStatus, line: str) -> None:
        super().__init__(line)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: AppServer
    protocol_version = "HTTP/1.1"
    server_version = "zslearn"
    sys_version = ""
    timeout = _SILENT_SECONDS
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer with the page, the overview, or the added classes as a file."""
        self._guarded(self._got)

    def do_POST(self) -> None:
        """Answer a question, or look at an uploaded file."""
        self._guarded(self._posted)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def _got(self, session: Session) -> tuple[str, bytes]:
        path = urlsplit(self.path).path
        if path in _PAGE:
            name, kind = _PAGE[path]
            return f"{kind}; charset=utf-8", files("zslearn.app").joinpath("page_parts", name).read_bytes()
        if path == "/overview":
            return _JSON, _json(session.overview())
        if path == "/added.npz":
            return "application/octet-stream", session.added_semantics()
        raise _Refusal(HTTPStatus.NOT_FOUND, f"there is nothing at {path}")

    def _posted(self, session: Session) -> tuple[str, bytes]:
        address = urlsplit(self.path)
        if address.path == "/recognise":
            name = parse_qs(address.query).get("name", [""])[0]
            return _JSON, _json(session.recognise(name, self._body(session.max_upload_bytes)))
        asked = _question(self._body(_MAX_QUESTION_BYTES))
        if address.path not in _QUESTIONS:
            raise _Refusal(HTTPStatus.NOT_FOUND, f"there is nothing at {address.path}")
        return _JSON, _json(_QUESTIONS[address.path](session, asked))

    def _guarded(self, answer: Callable[[Session], tuple[str, bytes]]) -> None:
        """Send an answer; whatever goes wrong becomes a line on the page, and the app goes on."""
        assert self.server.session is not None
        try:
            self._check_sender()
            kind, content = answer(self.server.session)
        except _Refusal as refusal:
            self.close_connection = True
            self._refuse(refusal.status, str(refusal))
        except ZslearnError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except MemoryError:
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, "there is not enough memory for this. Try with less.")
        except (ConnectionError, TimeoutError):
            raise
        # A user's play must not end because one question has an answer that nobody thought of.
        except Exception as error:
            line = printable(f"{type(error).__name__}: {error}")
            print(f"error: {self.command} {printable(self.path)} failed: {line}", file=sys.stderr)
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, f"this failed ({line}). The app goes on.")
        else:
            self._send(HTTPStatus.OK, kind, content)

    def _check_sender(self) -> None:
        """Refuse what other pages send, and what reaches this machine under a name that is not its own."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        foreign = origin is not None and urlsplit(origin).netloc != host
        own_names = _LOOPBACK_NAMES | {self.server.server_name}
        if foreign or (self.server.is_local and urlsplit(f"//{host}").hostname not in own_names):
            self._throw_away(_MAX_QUESTION_BYTES)
            raise _Refusal(HTTPStatus.FORBIDDEN, "this app answers its own page only")

    def _body(self, limit: int) -> bytes:
        """Return what was sent, unless it is too much."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise _Refusal(HTTPStatus.LENGTH_REQUIRED, "what was sent does not tell its length")
        if int(length) > limit:
            self._throw_away(_PATIENCE * limit)
            error = DataError(
                "what was sent is too large",
                expected=f"at most {limit / (1 << 20):,.4g} MiB",
                received=f"{int(length) / (1 << 20):,.4g} MiB",
                remedy="Give a part of it.",
            )
            raise _Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error))
        return self.rfile.read(int(length))

    def _throw_away(self, limit: int) -> None:
        """Read what nobody wants: those who are still sending do not listen."""
        length = self.headers.get("Content-Length", "")
        left = min(int(length), limit) if length.isdecimal() else 0
        while left > 0 and (thrown := len(self.rfile.read(min(left, 1 << 16)))):
            left -= thrown

    def _refuse(self, status: HTTPStatus, line: str) -> None:
        self._send(status, _JSON, _json({"error": line}))

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **_HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _question(content: bytes) -> Mapping[str, Any]:
    try:
        question = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(
            "the question is not JSON", received=str(error), remedy="Send an object with a field for each fact."
        ) from error
    if not isinstance(question, dict):
        raise DataError(
            "the question is not a JSON object",
            received=type(question).__name__,
            remedy="Send an object with a field for each fact.",
        )
    return question


def _text(question: Mapping[str, Any], field: str) -> str:
    value = question.get(field)
    if not isinstance(value, str):
        raise DataError(f"the question lacks a text {field!r}", received=repr(value)[:40], remedy="Give it as a text.")
    return value


def _description(question: Mapping[str, Any]) -> Mapping[str, Any]:
    value = question.get("description")
    if not isinstance(value, dict):
        raise DataError(
            "the class is not described", received=repr(value)[:40], remedy="Describe it by attributes or a sentence."
        )
    return value


def _seed(question: Mapping[str, Any]) -> int:
    seed = question.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 31:
        raise DataError(
            "the seed is not usable",
            expected="a whole number from 0",
            received=repr(seed)[:40],
            remedy="Leave it out for 0.",
        )
    return seed


_QUESTIONS: Final[Mapping[str, Callable[[Session, Mapping[str, Any]], Any]]] = {
    "/look": lambda session, asked: session.look(_text(asked, "name"), seed=_seed(asked)),
    "/imagine": lambda session, asked: session.imagine(_description(asked), seed=_seed(asked)),
    "/add": lambda session, asked: session.add(_text(asked, "name"), _description(asked)),
    "/drop": lambda session, asked: session.drop(_text(asked, "name")),
    "/try": lambda session, asked: session.recognise_real(_text(asked, "name")),
}
"""What the page may ask, and who answers."""


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
