import errno
import json

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
