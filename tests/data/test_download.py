import hashlib
import http.server
import json
import re
import threading
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest

from zslearn.data import download as downloads
from zslearn.data.benchmarks import BENCHMARKS, benchmark_entry, fetch
from zslearn.data.download import check_archive, download, unpack
from zslearn.errors import DataError, UnknownNameError

CONTENT = np.random.default_rng(0).bytes(200_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FAST = {"allow_http": True, "pause": 0.01, "timeout": 10}


class Server(http.server.ThreadingHTTPServer):
    """A loopback server that behaves as badly as it is told to."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = CONTENT
        self.etag = '"one"'
        self.cut_after = None
        self.stall_after = None
        self.claimed_length = None
        self.ranges = True
        self.codes = []
        self.redirect = None
        self.asked = []
        self.leave = threading.Event()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/file.zip"


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.end_headers()
            return
        if server.codes:
            self.send_error(server.codes.pop(0))
            return
        start = 0
        if wanted and server.ranges and self.headers.get("If-Range") == server.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        if server.etag:
            self.send_header("ETag", server.etag)
        self.send_header("Content-Length", str(server.claimed_length or len(body)))
        self.end_headers()
        try:
            self.wfile.write(body[: server.cut_after or server.stall_after or len(body)])
            if server.stall_after:
                self.wfile.flush()
                server.leave.wait(5)
        except OSError:
            pass
        self.close_connection = True


@pytest.fixture
def server():
    with running() as started:
        yield started


@contextmanager
def running():
    started = Server()
    thread = threading.Thread(target=started.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield started
    finally:
        started.leave.set()
        started.shutdown()
        thread.join()
        started.server_close()


def left_over(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_and_its_checksum_is_recorded(server, tmp_path):
    told = []
    found = download(
        [server.address], tmp_path / "file.zip", on_progress=lambda done, total: told.append((done, total)), **FAST
    )
    assert found == SHA256
    assert (tmp_path / "file.zip").read_bytes() == CONTENT
    assert json.loads((tmp_path / "checksums.json").read_text()) == {"file.zip": SHA256}
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert left_over(tmp_path) == ["checksums.json", "file.zip"]


def test_a_line_that_is_cut_again_and_again_is_resumed(server, tmp_path):
    server.cut_after = 15_000
    assert download([server.address], tmp_path / "file.zip", sha256=SHA256, **FAST) == SHA256
    assert len(server.asked) == 14
    assert server.asked[:3] == [None, "bytes=15000-", "bytes=30000-"]


def test_a_download_that_was_given_up_goes_on_later(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "TRIES", 1)
    server.stall_after = 50_000
    with pytest.raises(
        DataError,
        match=r"cannot be downloaded .*received the server fell silent.*what has come so far is kept|timed out",
    ):
        download([server.address], tmp_path / "file.zip", **{**FAST, "timeout": 2.0})
    assert (tmp_path / "file.zip.part").stat().st_size == 50_000
    assert not (tmp_path / "file.zip").exists()
    server.stall_after = None
    assert download([server.address], tmp_path / "file.zip", **FAST) == SHA256
    assert server.asked[-1] == "bytes=50000-"


def test_a_part_of_another_version_is_thrown_away(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "TRIES", 1)
    server.cut_after = 50_000
    with pytest.raises(DataError, match="the line was cut after 50,000 of 200,000 bytes"):
        download([server.address], tmp_path / "file.zip", **FAST)
    server.cut_after, server.etag, server.content = None, '"two"', CONTENT[::-1]
    download([server.address], tmp_path / "file.zip", **FAST)
    assert (tmp_path / "file.zip").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("change", [{"ranges": False}, {"etag": None}])
def test_servers_that_cannot_resume_are_asked_from_the_start(server, tmp_path, monkeypatch, change):
    monkeypatch.setattr(downloads, "TRIES", 1)
    for name, value in change.items():
        setattr(server, name, value)
    server.cut_after = 50_000
    with pytest.raises(DataError, match="cut"):
        download([server.address], tmp_path / "file.zip", **FAST)
    server.cut_after = None
    assert download([server.address], tmp_path / "file.zip", **FAST) == SHA256


def test_wrong_bytes_never_get_the_files_name(server, tmp_path):
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(DataError, match=f"expected SHA-256 {SHA256}"):
        download([server.address], tmp_path / "file.zip", sha256=SHA256, **FAST)
    assert left_over(tmp_path) == []


def test_a_server_that_lies_about_the_length(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "TRIES", 2)
    server.claimed_length, server.ranges = len(CONTENT) + 10, False
    place = re.escape(str(tmp_path / "file.zip"))
    with pytest.raises(DataError, match=f"cannot be downloaded .* or download it elsewhere, and put it at {place}[.]$"):
        download([server.address], tmp_path / "file.zip", **FAST)
    server.claimed_length = 1000
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(DataError, match="is not a complete zip archive"):
        download([server.address], tmp_path / "file.zip", check=check_archive, **FAST)
    assert left_over(tmp_path) == []


def test_an_endless_or_huge_answer_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setenv("ZSLEARN_MAX_BYTES", "100K")
    with pytest.raises(DataError, match=r"is too large \(expected at most 102,400 bytes; received 200,000\)"):
        download([server.address], tmp_path / "file.zip", **FAST)


def test_a_busy_server_is_asked_again_and_a_missing_file_is_not(server, tmp_path):
    server.codes = [503, 429]
    assert download([server.address], tmp_path / "file.zip", **FAST) == SHA256
    server.codes = [404]
    server.asked.clear()
    with pytest.raises(DataError, match="received the server answered 404"):
        download([server.address], tmp_path / "other.zip", **FAST)
    assert len(server.asked) == 1


def test_mirrors_are_asked_in_turn_also_after_wrong_bytes(server, tmp_path):
    with running() as bad:
        bad.content = b"something else"
        addresses = ["http://127.0.0.1:9/file.zip", bad.address, server.address]
        assert download(addresses, tmp_path / "file.zip", sha256=SHA256, **FAST) == SHA256


def test_the_first_download_is_trusted_and_no_other(server, tmp_path):
    download([server.address], tmp_path / "file.zip", **FAST)
    (tmp_path / "file.zip").unlink()
    server.content, server.etag = CONTENT[::-1], '"two"'
    with pytest.raises(DataError, match="is not the file that was expected"):
        download([server.address], tmp_path / "file.zip", **FAST)
    (tmp_path / "file.zip").write_bytes(b"changed by someone")
    with pytest.raises(DataError, match="Remove it to download it again"):
        download([server.address], tmp_path / "file.zip", **FAST)


def test_a_file_that_is_there_is_not_asked_for(server, tmp_path):
    (tmp_path / "file.zip").write_bytes(CONTENT)
    assert download([server.address], tmp_path / "file.zip", sha256=SHA256, **FAST) == SHA256
    assert server.asked == []


def test_plain_http_is_refused_unless_asked_for_also_by_redirection(server, tmp_path):
    with pytest.raises(DataError, match="ask for it with --allow-http"):
        download([server.address], tmp_path / "file.zip")
    for scheme in ("ftp://x/y", "file:///etc/passwd"):
        with pytest.raises(DataError, match="begins with https://"):
            download([scheme], tmp_path / "file.zip", allow_http=True)
    server.redirect = "file:///etc/passwd"
    with pytest.raises(DataError, match="'file:///etc/passwd' is not allowed"):
        download([server.address], tmp_path / "file.zip", **FAST)
    assert server.asked == [None]


def archive_of(path, members, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content, **options)
    return path


def test_only_wanted_members_are_unpacked(tmp_path):
    archive = archive_of(tmp_path / "a.zip", {"data/A/x.mat": b"1", "data/B/x.mat": b"2", "readme": b"3"})
    written = unpack(archive, tmp_path / "out", lambda name: name if "/A/" in name else None)
    assert [path.read_bytes() for path in written] == [b"1"]
    assert left_over(tmp_path / "out" / "data") == ["A"]


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "C:\\evil", "..\\evil"])
def test_no_member_leaves_the_folder(tmp_path, name):
    archive = archive_of(tmp_path / "a.zip", {name: b"x"})
    with pytest.raises(DataError, match="leads out of its folder"):
        unpack(archive, tmp_path / "out", lambda member: member)
    assert not (tmp_path / "evil").exists()


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    archive = archive_of(tmp_path / "a.zip", {"bomb": b"\0" * (80 << 20)})
    with pytest.raises(DataError, match="bomb would take too much memory"):
        unpack(archive, tmp_path / "out", lambda member: member)
    assert not (tmp_path / "out").exists()


def test_damaged_archives_are_one_clear_line(tmp_path):
    archive = archive_of(tmp_path / "a.zip", {"x": CONTENT})
    content = bytearray(archive.read_bytes())
    content[100:200] = bytes(100)
    archive.write_bytes(content)
    with pytest.raises(DataError, match="a.zip cannot be unpacked") as caught:
        unpack(archive, tmp_path / "out", lambda member: member)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "x").exists()


def test_a_benchmark_is_fetched_from_its_archive(server, tmp_path):
    members = {
        f"xlsa17/data/{name}/{file}": name.encode()
        for name in ("AWA2", "CUB")
        for file in ("res101.mat", "att_splits.mat")
    }
    server.content = archive_of(tmp_path / "made.zip", members).read_bytes()
    awa2, sun = benchmark_entry("AwA2"), benchmark_entry("sun")
    trust = fetch(awa2, tmp_path / "data", addresses=(server.address,), allow_http=True)
    assert "no checksum: this download's" in trust
    assert (tmp_path / "data" / "AWA2" / "res101.mat").read_bytes() == b"AWA2"
    assert not (tmp_path / "data" / "CUB").exists()
    again = fetch(benchmark_entry("cub"), tmp_path / "data", addresses=(server.address,), allow_http=True)
    assert "is the expected one" in again
    assert len(server.asked) == 1
    with pytest.raises(DataError, match="xlsa17.zip does not hold SUN"):
        fetch(sun, tmp_path / "data", addresses=(server.address,), allow_http=True)


def test_what_has_no_address_comes_with_instructions(tmp_path):
    with pytest.raises(
        DataError, match=r"FLO has no archive .*expected res101.mat and att_splits.mat in .*FLO.*Get res101.mat"
    ):
        fetch(benchmark_entry("flo"), tmp_path)
    with pytest.raises(UnknownNameError, match="Did you mean awa2"):
        benchmark_entry("awa3")
    assert all(
        address.startswith("https://")
        for each in BENCHMARKS.values()
        if each.archive
        for address in each.archive.addresses
    )
