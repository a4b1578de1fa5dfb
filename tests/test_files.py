import errno
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from zslearn.files import write_atomic, write_bytes, write_json


def test_bytes_and_json_arrive(tmp_path):
    write_bytes(tmp_path / "a.bin", b"\x00\x01")
    assert (tmp_path / "a.bin").read_bytes() == b"\x00\x01"
    write_json(tmp_path / "ü b.json", {"ä": [1.5, None]})
    assert json.loads((tmp_path / "ü b.json").read_text(encoding="utf-8")) == {"ä": [1.5, None]}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "ü b.json"]


def test_a_failing_write_leaves_the_old_content_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_bytes(path, b"old")

    def fail(temporary):
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "no space left on device")

    with pytest.raises(OSError, match="no space"):
        write_atomic(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failing_flush_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_bytes(path, b"old")

    def fail(handle):
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr("zslearn.files.os.fsync", fail)
    with pytest.raises(OSError, match="input/output"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_refuses_what_json_cannot_say(tmp_path):
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "a.json", {"h": float("nan")})
    assert not list(tmp_path.iterdir())


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def private():
    """New files are for their owner alone."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_new_files_have_the_rights_of_the_process_and_replaced_ones_keep_theirs(tmp_path, private):
    for name, rights in (("new", None), ("shared", 0o664), ("locked", 0o400)):
        path = tmp_path / name
        if rights is not None:
            path.touch()
            path.chmod(rights)
        write_bytes(path, b"new")
        assert mode(path) == (0o600 if rights is None else rights)
        assert path.read_bytes() == b"new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_what_is_no_file_is_written_to_and_stays(tmp_path):
    pipe, link, arrived = tmp_path / "pipe", tmp_path / "link", []
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    reader = threading.Thread(target=lambda: arrived.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_bytes(link, b"rows")
    reader.join(timeout=10)
    assert arrived == [b"rows"]
    assert pipe.is_fifo()
    assert sorted(tmp_path.iterdir()) == [link, pipe]


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path):
    (tmp_path / "store").write_bytes(b"of others")
    path = tmp_path / "a.bin"
    path.symlink_to(tmp_path / "store")
    write_bytes(path, b"new")
    assert not path.is_symlink()
    assert path.read_bytes() == b"new"
    assert (tmp_path / "store").read_bytes() == b"of others"


def test_a_folder_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (".", str(tmp_path)):
        with pytest.raises(IsADirectoryError, match="directory: "):
            write_bytes(Path(name), b"new")


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="there is no /dev/stdout here")
def test_what_a_process_has_open_is_written_through(tmp_path):
    program = (
        "from pathlib import Path; from zslearn.files import write_bytes; write_bytes(Path('/dev/stdout'), b'ours')"
    )
    (tmp_path / "answer").write_bytes(b"theirs, ")
    with (tmp_path / "answer").open("ab") as answer:
        subprocess.run([sys.executable, "-c", program], stdout=answer, check=True)
    assert (tmp_path / "answer").read_bytes() == b"theirs, ours"
    assert Path("/dev/stdout").is_symlink()


def test_a_file_that_is_replaced_is_never_readable_by_more(tmp_path):
    path, seen = tmp_path / "private", []
    path.touch(mode=0o400)
    write_atomic(path, lambda temporary: seen.append(temporary.stat().st_mode & 0o777) or temporary.write_bytes(b"x"))
    assert seen == [0o600]
    assert path.stat().st_mode & 0o777 == 0o400
