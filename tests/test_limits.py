"""What files may claim before memory is taken, and where their names may lead."""

import io
import os
import tracemalloc
import zipfile

import numpy as np
import pytest
import scipy.io

from zslearn.data.tables import read_features
from zslearn.errors import ConfigError, DataError
from zslearn.limits import (
    MAX_DEPTH,
    check_array,
    check_file,
    check_unpacked,
    files_below,
    inside,
    parse_json,
    parse_yaml,
    read_json,
    read_text,
)

VARIABLE = "ZSLEARN_MAX_BYTES"


def test_a_file_over_the_limit_is_refused_with_the_way_out(tmp_path, monkeypatch):
    path = tmp_path / "a b ü.npy"
    np.save(path, np.ones((4, 8), dtype=np.float32))
    size = path.stat().st_size
    monkeypatch.setenv(VARIABLE, "100")
    with pytest.raises(DataError, match=f"is too large .*100 bytes; received {size} bytes.*set {VARIABLE}={size} in"):
        read_features(path)
    monkeypatch.setenv(VARIABLE, str(size))
    assert read_features(path).shape == (4, 8)


@pytest.mark.parametrize(("text", "n_bytes"), [("7", 7), (" 1k ", 1 << 10), ("2M", 2 << 20), ("3G", 3 << 30)])
def test_the_override_takes_units(monkeypatch, text, n_bytes):
    monkeypatch.setenv(VARIABLE, text)
    check_unpacked("it", n_bytes, stored_bytes=1)
    with pytest.raises(DataError, match="too much memory"):
        check_unpacked("it", n_bytes + 1, stored_bytes=1)


@pytest.mark.parametrize("text", ["many", "-1", "1.5G", "1e9", "9" * 19, "K"])
def test_a_senseless_override_is_refused(monkeypatch, text):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ConfigError, match=f"{VARIABLE} is not a number of bytes"):
        check_unpacked("it", 1, stored_bytes=1)


def test_what_a_small_file_may_unpack_to():
    check_unpacked("it", 64 << 20, stored_bytes=1)
    check_unpacked("it", 400 << 20, stored_bytes=2 << 20)
    with pytest.raises(DataError, match="at most 400 MiB; received 401 MiB"):
        check_unpacked("it", 401 << 20, stored_bytes=2 << 20)


@pytest.mark.parametrize("shape", [(1 << 40, 1 << 40), (0, 1 << 60), (-1, 5), (1,) * 9])
def test_shapes_that_no_file_can_mean(shape):
    with pytest.raises(DataError, match="cannot have this shape|too much memory"):
        check_array("it", shape, 4, stored_bytes=1000)


def test_pipes_and_folders_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(DataError, match=r"pipe.npy is not an ordinary file .*received a pipe"):
        check_file(tmp_path / "pipe.npy")
    with pytest.raises(DataError, match="received a folder"):
        check_file(tmp_path)


def npy(shape, descr="<f4"):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (118 - len(header)) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def refused_cheaply(path, match):
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=match):
            read_features(path)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_an_npy_header_that_promises_terabytes(tmp_path):
    (tmp_path / "a.npy").write_bytes(npy((1 << 20, 1 << 20)) + bytes(100))
    refused_cheaply(tmp_path / "a.npy", "the array in a.npy would take too much memory")


def test_an_npz_header_that_promises_terabytes(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("features.npy", npy((1 << 20, 1 << 20)))
    refused_cheaply(tmp_path / "a.npz", "features in a.npz would take too much memory")


def test_an_npz_that_unpacks_to_gigabytes(tmp_path):
    content = npy((70, 1 << 18)) + bytes(70 << 20)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features.npy", content)
    refused_cheaply(tmp_path / "a.npz", "features in a.npz would take too much memory .*received 70 MiB")


def test_a_mat_file_that_unpacks_to_gigabytes(tmp_path):
    zeros = np.zeros((1 << 10, 70 << 7))
    scipy.io.savemat(tmp_path / "a.mat", {"features": zeros}, do_compression=True)
    assert (tmp_path / "a.mat").stat().st_size < 1 << 20
    with pytest.raises(DataError, match="features in a.mat would take too much memory .*received 70 MiB"):
        read_features(tmp_path / "a.mat")


@pytest.mark.parametrize("chunks", [None, (1 << 10, 1 << 10)], ids=["in one piece", "in chunks"])
def test_an_hdf5_file_that_was_never_written(tmp_path, chunks):
    h5py = pytest.importorskip("h5py", reason="needs zslearn[data]")
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("features", (1 << 20, 1 << 20), "f4", chunks=chunks)
    refused_cheaply(tmp_path / "a.mat", "features in a.mat would take too much memory")


def test_an_hdf5_file_that_reads_other_files(tmp_path):
    h5py = pytest.importorskip("h5py", reason="needs zslearn[data]")
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(64))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["features"] = np.ones((2, 2))
    with h5py.File(tmp_path / "external.mat", "w") as file:
        file.create_dataset("features", (4, 4), "f4", external=[(str(secret), 0, 64)])
    with h5py.File(tmp_path / "link.mat", "w") as file:
        file["features"] = h5py.ExternalLink("other.h5", "features")
    with h5py.File(tmp_path / "virtual.mat", "w") as file:
        layout = h5py.VirtualLayout((2, 2), "f8")
        layout[:] = h5py.VirtualSource("other.h5", "features", (2, 2))
        file.create_virtual_dataset("features", layout)
    for name in ("external", "link", "virtual"):
        with pytest.raises(DataError, match=f"features in {name}.mat lies in another file"):
            read_features(tmp_path / f"{name}.mat")


@pytest.mark.parametrize(
    "name", ["../a", "/a", "a/../../b", "C:\\a", "C:a", "..\\a", "\\\\host\\a", "", ".", "a\x00", "a\nb"]
)
def test_names_that_lead_out_of_a_folder(tmp_path, name):
    with pytest.raises(DataError, match="leads out of its folder"):
        inside(tmp_path, name)


def test_names_that_stay_in_a_folder(tmp_path):
    assert inside(tmp_path, "a/b c/ü.png") == tmp_path / "a" / "b c" / "ü.png"
    assert inside(tmp_path, "a\\..b") == tmp_path / "a" / "..b"


def test_a_circle_of_links_is_not_walked(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.txt").write_text("2")
    (tmp_path / "a.txt").write_text("1")
    (tmp_path / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    links = []
    assert [path.name for path in files_below(tmp_path, on_link=links.append)] == ["a.txt", "2.txt"]
    assert links == [tmp_path / "b" / "up"]
    with pytest.raises(DataError, match="at most 1"):
        list(files_below(tmp_path, max_files=1))
    with pytest.raises(DataError, match="there is no file"):
        read_features(tmp_path / "self" / "x.npy")


def test_folders_that_lie_too_deep(tmp_path):
    tmp_path.joinpath(*["d"] * MAX_DEPTH).mkdir(parents=True)
    assert list(files_below(tmp_path)) == []
    tmp_path.joinpath(*["d"] * (MAX_DEPTH + 1)).mkdir()
    with pytest.raises(DataError, match="lie too deep"):
        list(files_below(tmp_path))


HALVES = [r'"\ud800"', r'{"a": [{"\uDFFF": 1}]}', r'"\udc00\ud800"']


@pytest.mark.parametrize(
    "text",
    [
        *("[" * 100_000, "", '"', '{"a": NaN}', "[Infinity]", '{"a": [1e999]}', "-1e999", "9" * 400, "9" * 5000),
        *("\ud800", *HALVES),
    ],
)
def test_json_that_is_none(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ValueError):  # noqa: PT011
        read_json(path)


def test_json_keeps_large_numbers_and_pairs_of_surrogates():
    text = r'{"a": [1e308, -123456789012345678901234567890, 0.5, "\ud83d\ude00", "\\ud800"]}'
    assert parse_json(text) == {"a": [1e308, -123456789012345678901234567890, 0.5, "\U0001f600", r"\ud800"]}


def test_text_is_bounded(tmp_path):
    (tmp_path / "a.json").write_text('"é"', encoding="utf-8")
    assert read_json(tmp_path / "a.json") == "é"
    with pytest.raises(DataError, match="is too large"):
        read_text(tmp_path / "a.json", 3)


@pytest.mark.parametrize(
    "text", ["a: &x [1]\nb: *x", "!!python/name:os.system", "[" * 5000, "{a: ", "a: b: c", "- \x01"]
)
def test_yaml_that_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_yaml(text)


def test_yaml_that_is_read():
    assert parse_yaml("a: [1, 2.5, yes, ~, 'x']") == {"a": [1, 2.5, True, None, "x"]}


def test_a_plain_archive_is_read(tmp_path):
    features = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.savez_compressed(tmp_path / "a.npz", features=features, other=np.array([{}], dtype=object))
    np.testing.assert_array_equal(read_features(tmp_path / "a.npz"), features)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, features, version=(2, 0))
    (tmp_path / "a.npy").write_bytes(buffer.getvalue())
    np.testing.assert_array_equal(read_features(tmp_path / "a.npy"), features)
