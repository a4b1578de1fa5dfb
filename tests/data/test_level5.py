"""MATLAB files of level 5: equal to what scipy reads, and no damage that ends in anything but an error."""

import random
import struct
import zlib

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.io
from hypothesis.extra import numpy as arrays

from torture.mutations import mutated
from zslearn.data.matfile import mat_strings, mat_variables, read_mat
from zslearn.errors import DataError

DTYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")
IN_FOLDER = hypothesis.settings(max_examples=30, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])


@IN_FOLDER
@hypothesis.given(st.data(), st.sampled_from(DTYPES), st.booleans())
def test_numbers_are_those_that_scipy_reads(tmp_path, data, dtype, packed):
    written = data.draw(arrays.arrays(dtype, arrays.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=5)))
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"other": np.eye(3), "x": written}, do_compression=packed)
    (read,) = read_mat(path, ("x",)).values()
    expected = scipy.io.loadmat(path)["x"]
    assert read.dtype == expected.dtype
    np.testing.assert_array_equal(read, expected)
    assert mat_variables(path) == {"other": (3, 3), "x": written.shape}


@IN_FOLDER
@hypothesis.given(
    st.lists(st.text(st.characters(codec="utf-8", categories=["L", "N", "Zs"])), min_size=1), st.booleans()
)
def test_texts_of_cells_are_those_that_scipy_reads(tmp_path, names, packed):
    path = tmp_path / "x.mat"
    cells = np.array([[name] for name in names], dtype=object)
    scipy.io.savemat(path, {"names": cells}, do_compression=packed)
    read = read_mat(path, ("names",))["names"]
    assert read.shape == cells.shape
    assert mat_strings(read) == mat_strings(scipy.io.loadmat(path)["names"])


def test_rows_of_character_matrices(tmp_path):
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"rows": np.array(["abc", "de "])})
    assert read_mat(path, ("rows",))["rows"].tolist() == ["abc", "de "]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packed", [False, True])
def test_both_orders_of_bytes_and_doubles_stored_as_small_integers(tmp_path, order, packed):
    """MATLAB stores numbers in the smallest type that holds them."""
    path = tmp_path / "x.mat"
    path.write_bytes(_file(order, _element(order, 14, _array(order, values=bytes([1, 2, 3, 4, 5, 6]))), packed))
    read = read_mat(path, ("x",))["x"]
    assert read.tolist() == [[1, 3, 5], [2, 4, 6]]
    assert read.dtype.isnative


@pytest.mark.parametrize(
    ("array", "message"),
    [
        # Codes that are no type of a number make scipy 1.17 read memory that is not its own.
        ({"kind": 8}, "entries of type 8"),
        ({"kind": 53769}, "entries of type 53769"),
        ({"sides": (2, 4)}, "holds 6 entries or bytes, and its shape needs 8"),
        ({"sides": (-2, -3)}, "the shape"),
        ({"sides": (1,) * 9}, "holds 6 entries"),
        ({"flags": 6 | 0x0800}, "complex numbers"),
        ({"flags": 5}, "a sparse matrix"),
        ({"flags": 2}, "a structure"),
        ({"flags": 99}, "class 99"),
        ({"flags": 4, "kind": 9}, "entries of type 9"),
        ({"flags": 1}, "an element of type 2 where a cell should be"),
    ],
)
def test_what_is_no_array_is_refused(tmp_path, array, message):
    path = tmp_path / "x.mat"
    path.write_bytes(_file("<", _element("<", 14, _array("<", **array))))
    with pytest.raises(DataError, match=message):
        read_mat(path, ("x",))


def test_compressed_arrays_are_compared_with_their_checksum(tmp_path):
    path = tmp_path / "x.mat"
    content = bytearray(_file("<", _element("<", 14, _array("<")), packed=True))
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="incorrect data check"):
        read_mat(path, ("x",))


def test_compressed_arrays_that_unpack_to_too_much_are_refused(tmp_path):
    path = tmp_path / "x.mat"
    sides = (1 << 14, 1 << 14)
    head = _array("<", values=b"", sides=sides)[:-8]
    bomb = zlib.compress(struct.pack("<II", 14, 1 << 30) + head + struct.pack("<II", 2, 1 << 28) + bytes(1 << 20))
    path.write_bytes(_header("<") + struct.pack("<II", 15, len(bomb)) + bomb)
    with pytest.raises(DataError, match="would take too much memory"):
        read_mat(path, ("x",))


def test_objects_of_matlab_itself_are_listed_and_refused(tmp_path):
    path = tmp_path / "x.mat"
    flags = _element("<", 6, struct.pack("<II", 17, 0))
    opaque = flags + b"".join(_element("<", 1, text) for text in (b"table", b"MCOS", b"table"))
    path.write_bytes(_file("<", _element("<", 14, opaque) + _element("<", 14, _array("<"))))
    assert mat_variables(path) == {"table": (), "x": (2, 3)}
    assert read_mat(path, ("x",))["x"].shape == (2, 3)
    with pytest.raises(DataError, match="received an object"):
        read_mat(path, ("table",))


@pytest.mark.parametrize("packed", [False, True])
def test_damage_ends_in_an_error_of_ours(tmp_path, packed):
    path = tmp_path / "x.mat"
    cells = np.array([["kind 1"], ["kind 2"]], dtype=object)
    scipy.io.savemat(path, {"features": np.eye(4), "names": cells}, do_compression=packed)
    whole = path.read_bytes()
    n_refused = 0
    for seed in range(300):
        path.write_bytes(mutated(whole, random.Random(seed)))
        try:
            read_mat(path, ("features", "names"))
        except DataError:
            n_refused += 1
    assert n_refused > 100


def _header(order):
    return b"MATLAB 5.0".ljust(124) + struct.pack(f"{order}HH", 0x0100, 0x4D49)


def _file(order, elements, packed=False):
    return _header(order) + (
        struct.pack(f"{order}II", 15, len(zlib.compress(elements))) + zlib.compress(elements) if packed else elements
    )


def _element(order, kind, content):
    return struct.pack(f"{order}II", kind, len(content)) + content + bytes(-len(content) % 8)


def _array(order, *, flags=6, sides=(2, 3), kind=2, values=bytes(6)):
    parts = (
        _element(order, 6, struct.pack(f"{order}II", flags, 0)),
        _element(order, 5, struct.pack(f"{order}{len(sides)}i", *sides)),
        # A name of up to four letters goes into its tag.
        struct.pack(f"{order}I", 1 << 16 | 1) + b"x\0\0\0",
        _element(order, kind, values),
    )
    return b"".join(parts)
