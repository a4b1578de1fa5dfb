"""Downloads that survive bad lines: resumed, checked, bounded, and put in place only when they are whole."""

from __future__ import annotations

import hashlib
import http.client
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Final

from zslearn import __version__
from zslearn.errors import DataError
from zslearn.files import write_atomic, write_bytes, write_json
from zslearn.limits import MAX_FILE_BYTES, byte_limit, check_unpacked, inside, read_json

CHECKSUM_FILE: Final = "checksums.json"
"""SHA-256 by file name, as they were when the files were first downloaded."""
TIMEOUT_SECONDS: Final = 30.0
"""How long a server may be silent."""
TRIES: Final = 5
"""How often in a row an address may bring nothing before the next one is asked."""
_CHUNK = 1 << 20
_PAUSE_SECONDS = 1.0
_PARTIAL = ".part"
_VALIDATOR = ".part.etag"
_RETRIED = (urllib.error.URLError, http.client.HTTPException, OSError)
"""What a bad line or an overloaded server ends in."""


def download(
    addresses: Sequence[str],
    path: Path,
    *,
    sha256: str | None = None,
    check: Callable[[Path], None] | None = None,
    allow_http: bool = False,
    timeout: float = TIMEOUT_SECONDS,
    pause: float = _PAUSE_SECONDS,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> str:
    """Download a file, going on where an earlier attempt stopped.

    An address is tried again as long as something comes, and a few times more; then the next one is. What has come so
    far waits beside the file, with the server's mark for that version of it: a part of another version is thrown away.
    The file appears when it is whole and its checksum is right.

    Args:
        addresses: Where the file is, best first; ``https`` unless `allow_http`.
        path: Where to put it.
        sha256: Its checksum. None: the one that ``checksums.json`` beside it recorded at the first download; without
            one, this download's is recorded and trusted from then on.
        check: Looks at the whole file before it is trusted, and raises a `DataError` if it is not what it should be.
        allow_http: Whether plain http is allowed, on which anyone on the way can change the file.
        timeout: Seconds for which the server may be silent.
        pause: Seconds before the second try of an address; doubled with each one that brings nothing.
        on_progress: Told how many bytes have come and, if it is known, of how many.

    Returns:
        The checksum of the file.

    Raises:
        DataError: If no address gives it, it is too large, or its checksum is wrong.
    """
    for address in addresses:
        _check_address(address, allow_http)
    expected = sha256 or recorded_checksum(path)
    if path.is_file():
        return _checked(path, path, expected, "Remove it to download it again.")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + _PARTIAL)
    failure: DataError | None = None
    for address in addresses:
        try:
            _fetch_patiently(address, partial, allow_http, timeout, pause, on_progress)
            return _place(partial, path, expected, check)
        except DataError as error:
            # Whatever is wrong with this address, the next one may be right.
            failure = error
    assert failure is not None
    raise failure


def recorded_checksum(path: Path) -> str | None:
    """Return the checksum that was recorded when a file was first downloaded.

    Raises:
        DataError: If the record cannot be read.
    """
    return _checksums(path.parent).get(path.name)


def check_archive(path: Path) -> None:
    """Check that a file is a zip archive with a beginning and an end.

    Raises:
        DataError: If it is not.
    """
    try:
        zipfile.ZipFile(path).close()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise DataError(
            f"{path.name.removesuffix(_PARTIAL)} is not a complete zip archive",
            received=str(error),
            remedy="It was thrown away. Try again, or check the address.",
        ) from error


def unpack(archive: Path, folder: Path, members: Callable[[str], str | None]) -> list[Path]:
    """Unpack some members of a zip archive into a folder that none of them can leave.

    Args:
        archive: The archive.
        folder: Where to unpack; made if it does not exist.
        members: Gives the name in `folder` for the name in the archive; None leaves the member out.

    Returns:
        The files that were written.

    Raises:
        DataError: If the archive is damaged, a name leads out of the folder, or a member unpacks to too much.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            wanted = [
                (info, inside(folder, name))
                for info in content.infolist()
                if not info.is_dir() and (name := members(info.filename)) is not None
            ]
            for info, _ in wanted:
                check_unpacked(info.filename, info.file_size, stored_bytes=info.compress_size)
            for info, target in wanted:
                target.parent.mkdir(parents=True, exist_ok=True)
                with content.open(info) as source:
                    _write_bounded(source, target, info.file_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(
            f"{archive.name} cannot be unpacked",
            expected="a complete zip archive without a password",
            received=f"{type(error).__name__}: {error}",
            remedy="Remove it and download it again.",
        ) from error
    return [target for _, target in wanted]


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but none from https to plain http."""

    def __init__(self, allow_http: bool) -> None:
        self._allow_http = allow_http

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        try:
            _check_address(newurl, self._allow_http)
        except DataError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_address(address: str, allow_http: bool) -> None:
    scheme = urllib.parse.urlsplit(address).scheme
    if scheme != "https" and not (scheme == "http" and allow_http):
        raise DataError(
            f"{address} is not fetched",
            expected="an address that begins with https://",
            received=f"{scheme}://",
            remedy="On plain http anyone on the way can change the file; ask for it with --allow-http."
            if scheme == "http"
            else "Give another address.",
        )


def _fetch_patiently(
    address: str,
    partial: Path,
    allow_http: bool,
    timeout: float,
    pause: float,
    on_progress: Callable[[int, int | None], None] | None,
) -> None:
    """Bring the partial file to its full length, in as many pieces as the line makes of it."""
    failures, had = 0, _size(partial)
    while True:
        try:
            return _fetch(address, partial, allow_http, timeout, on_progress)
        except _RETRIED as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            failures, had = (1 if _size(partial) > had else failures + 1), _size(partial)
            final = isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code != 429
            if final or failures >= TRIES:
                raise DataError(
                    f"{address} cannot be downloaded",
                    expected="a server that gives the file",
                    received=_cause(error),
                    remedy="Try again later, what has come so far is kept; or download it elsewhere, and put it at "
                    f"{partial.with_name(partial.name.removesuffix(_PARTIAL))}.",
                ) from error
        time.sleep(pause * 2 ** (failures - 1))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _fetch(
    address: str,
    partial: Path,
    allow_http: bool,
    timeout: float,
    on_progress: Callable[[int, int | None], None] | None,
) -> None:
    """Bring the partial file to its full length, or raise one of `_RETRIED`."""
    validator = partial.with_name(partial.name.removesuffix(_PARTIAL) + _VALIDATOR)
    have = _size(partial) if validator.is_file() else 0
    headers = {"User-Agent": f"zslearn/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator.read_text(encoding="utf-8")}
    opener = urllib.request.build_opener(_SecureRedirects(allow_http))
    try:
        response = opener.open(urllib.request.Request(address, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        # What is here is not the beginning of what is there.
        error.close()
        partial.unlink()
        raise ConnectionError("the server has another version of the file") from error
    with response:
        start, total = _extent(response, have)
        limit = byte_limit(MAX_FILE_BYTES)
        if total is not None and total > limit:
            raise DataError(
                f"{address} is too large",
                expected=f"at most {limit:,} bytes",
                received=f"{total:,}",
                remedy="Check the address.",
            )
        mark = response.headers.get("ETag") or response.headers.get("Last-Modified")
        if mark and not mark.startswith("W/"):
            write_bytes(validator, mark.encode())
        else:
            validator.unlink(missing_ok=True)
        with partial.open("r+b" if start else "wb") as file:
            file.truncate(start)
            file.seek(start)
            _copy(response, file, start, total, limit, on_progress)


def _extent(response: Any, have: int) -> tuple[int, int | None]:
    """Return at which byte the answer begins, and how long the whole file is."""
    length = response.headers.get("Content-Length")
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0, int(length) if length and length.isdigit() else None
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", ""))
    if not have or found is None or int(found[1]) != have:
        raise ConnectionError("the server sends another part than was asked for")
    return have, None if found[3] == "*" else int(found[3])


def _copy(
    response: Any,
    file: IO[bytes],
    start: int,
    total: int | None,
    limit: int,
    on_progress: Callable[[int, int | None], None] | None,
) -> None:
    done = start
    while chunk := response.read1(_CHUNK):
        done += len(chunk)
        if done > limit:
            raise DataError(
                f"the answer of {response.url} does not end",
                expected=f"at most {limit:,} bytes",
                remedy="Try another address with --address.",
            )
        file.write(chunk)
        if on_progress is not None:
            on_progress(done, total)
    if total is not None and done < total:
        raise ConnectionError(f"the line was cut after {done:,} of {total:,} bytes")


def _place(partial: Path, path: Path, expected: str | None, check: Callable[[Path], None] | None) -> str:
    """Check the whole file, record its checksum, and give it its name."""
    try:
        if check is not None:
            check(partial)
        found = _checked(partial, path, expected, "It was thrown away. Try again, or check the address.")
    except DataError:
        partial.unlink()
        raise
    finally:
        partial.with_name(path.name + _VALIDATOR).unlink(missing_ok=True)
    write_json(path.parent / CHECKSUM_FILE, {**_checksums(path.parent), path.name: found})
    partial.replace(path)
    return found


def _checked(content: Path, path: Path, expected: str | None, remedy: str) -> str:
    with content.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if expected is not None and found != expected:
        raise DataError(
            f"{path.name} is not the file that was expected",
            expected=f"SHA-256 {expected}",
            received=found,
            remedy=remedy,
        )
    return found


def _checksums(folder: Path) -> dict[str, str]:
    path = folder / CHECKSUM_FILE
    if not path.is_file():
        return {}
    try:
        recorded = read_json(path)
    except ValueError as error:
        raise DataError(f"{path} cannot be read", received=str(error), remedy="Repair or remove it.") from error
    if not isinstance(recorded, dict):
        raise DataError(f"{path} holds no checksums", expected="a JSON object", remedy="Repair or remove it.")
    return recorded


def _write_bounded(source: IO[bytes], target: Path, n_bytes: int) -> None:
    """Unpack a member, and no more of it than its header promised."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            shutil.copyfileobj(source, file, _CHUNK)
            if file.tell() != n_bytes:
                raise zipfile.BadZipFile(f"{target.name} has another size than its archive says")

    write_atomic(target, write)


def _cause(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    if isinstance(error, TimeoutError):
        return "the server fell silent"
    return str(error) or type(error).__name__
