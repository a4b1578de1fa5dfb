import io
import json

import numpy as np
import pytest

from zslearn.data.blocks import feature_blocks, text_blocks
from zslearn.data.own import read_feature_matrix
from zslearn.errors import DataError, MissingExtraError

ROWS = np.random.default_rng(0).normal(size=(23, 5)).astype(np.float32)


def write(path, rows=ROWS):
    if path.suffix == ".npy":
        np.save(path, rows)
    elif path.suffix == ".npz":
        np.savez(path, features=rows)
    elif path.suffix == ".csv":
        lines = [",".join(map(repr, row)) for row in rows.astype(float).tolist()]
        path.write_text("\n".join(["a,b,c,d,e", *lines]) + "\n", encoding="utf-8-sig")
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows.astype(float).tolist()))
    else:
        arrow = pytest.importorskip("pyarrow", reason="needs the extra data")
        parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra data")
        parquet.write_table(arrow.table({f"x{i}": column for i, column in enumerate(rows.T)}), path)
    return path


@pytest.mark.parametrize("ending", [".npy", ".npz", ".csv", ".jsonl", ".parquet"])
def test_every_kind_gives_the_same_rows_in_blocks(tmp_path, ending):
    blocks = list(feature_blocks(write(tmp_path / f"x{ending}"), 10))
    assert [len(block) for block in blocks] == [10, 10, 3]
    np.testing.assert_array_equal(np.concatenate(blocks), ROWS)
    assert all(block.dtype == np.float32 for block in blocks)


@pytest.mark.parametrize("ending", [".npy", ".csv", ".jsonl", ".parquet"])
def test_a_number_that_is_not_finite_is_found_where_it_is(tmp_path, ending):
    rows = ROWS.copy()
    rows[17, 3] = np.inf if ending == ".parquet" else np.nan
    place = {".csv": "line 19", ".jsonl": "line 18"}.get(ending, "row 17")
    blocks = feature_blocks(write(tmp_path / f"x{ending}", rows), 10)
    assert len(next(blocks)) == 10
    with pytest.raises(DataError, match=f"(nan|inf) in {place}, column 3"):
        next(blocks)


def test_columns_first_and_half_precision_are_read_too(tmp_path):
    np.save(tmp_path / "f.npy", np.asfortranarray(ROWS))
    np.testing.assert_array_equal(np.concatenate(list(feature_blocks(tmp_path / "f.npy", 4))), ROWS)
    np.save(tmp_path / "h.npy", ROWS.astype(np.float16))
    halves = np.concatenate(list(feature_blocks(tmp_path / "h.npy", 4)))
    np.testing.assert_array_equal(halves, ROWS.astype(np.float16))


def read(text, n_rows=100):
    return [block.tolist() for block in text_blocks(io.StringIO(text), n_rows, name="here")]


def test_text_is_values_or_json_with_or_without_a_heading():
    expected = [[[1.0, 2.0], [3.0, 4.5]]]
    assert read("1,2\n3,4.5\n") == expected
    assert read("width,height\n1,2\n\n3,4.5") == expected
    assert read("[1, 2]\n[3, 4.5]\n") == expected
    assert read('\n{"features": [1, 2], "id": 7}\n{"features": [3, 4.5]}') == expected
    assert read("") == []
    assert read("a,b\n") == []


@pytest.mark.parametrize("first", [0, 1])
def test_columns_that_are_counted_are_a_heading_to_all_readers(tmp_path, first):
    """A data frame without names writes 0,1,2,... above its rows."""
    path = tmp_path / "features.csv"
    lines = [",".join(map(str, range(first, first + 3))), "0.5,1,2", "0,1,2"]
    path.write_text("\n".join(lines))
    expected = [[0.5, 1.0, 2.0], [0.0, 1.0, 2.0]]
    assert np.concatenate(list(feature_blocks(path, 10))).tolist() == expected
    assert read_feature_matrix(path).tolist() == expected


def test_few_whole_numbers_and_decimals_in_the_first_line_are_a_sample():
    for first in ("0,1", "0.0,1.0,2.0", "0,1,3", "1,2,3.5"):
        assert read(f"{first}\n") == [[list(map(float, first.split(",")))]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3\n", "line 2 of here is not a row of features .expected 2 numbers, as in the first row; received 1"),
        ("a,b\n1,2\n\n3,x\n", "line 4 of here .* received 'x' in column 1"),
        ("1,2\n3,\n", "line 2 of here .* received '' in column 1"),
        ("[1, 2]\n[1, 2\n", "line 2 of here .* no JSON"),
        ("[1, 2]\n7\n", "line 2 of here .*received 7"),
        ('{"x": 1}\n', "line 1 of here .*features"),
        ('[1, "two"]\n', "line 1 of here .*received 'two' in column 1"),
        ("[[1], [2]]\n", "line 1 of here"),
        ("1,1e999\n", "inf in line 1, column 1"),
        (f"{'9' * 140_000},1\n", "line 1 of here .*comma-separated numbers; received field larger than field limit"),
        (f"\n1,2\n{'9' * 140_000},1\n", "line 3 of here .*received field larger than field limit"),
    ],
)
def test_a_bad_line_is_named(text, message):
    with pytest.raises(DataError, match=message):
        read(text)


def test_a_line_that_ends_like_no_line_is_named():
    with pytest.raises(DataError, match="line 1 of here .*received new-line character seen"):
        list(text_blocks(["1,2\r3,4\r"], 2, name="here"))


def test_a_bad_line_does_not_spoil_the_blocks_before_it():
    blocks = text_blocks(io.StringIO("1,2\n3,4\n5,x\n"), 2, name="here")
    assert next(blocks).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(DataError, match="line 3"):
        next(blocks)


def test_files_that_hold_no_features_are_refused(tmp_path):
    for name in ("none.npy", "none.csv", "none.parquet", "none.txt"):
        with pytest.raises((DataError, MissingExtraError), match=r"there is no file|unknown kind"):
            next(feature_blocks(tmp_path / name, 4))
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe1,2")
    with pytest.raises(DataError, match="b.csv is not a text"):
        next(feature_blocks(tmp_path / "b.csv", 4))
    np.save(tmp_path / "line.npy", np.zeros(4))
    with pytest.raises(DataError, match="line.npy have the wrong dimensions"):
        next(feature_blocks(tmp_path / "line.npy", 4))
    np.save(tmp_path / "number.npy", 3.0)
    np.savez(tmp_path / "number.npz", features=3.0)
    for name in ("number.npy", "number.npz"):
        with pytest.raises(DataError, match=r"wrong dimensions .*shape \(\)"):
            next(feature_blocks(tmp_path / name, 4))


def test_damaged_parquet_is_refused(tmp_path):
    pytest.importorskip("pyarrow", reason="needs the extra data")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(DataError, match="x.parquet cannot be read"):
        next(feature_blocks(tmp_path / "x.parquet", 4))


def test_nothing_in_a_categorical_column_is_no_number(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="needs the extra data")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra data")
    column = arrow.array([1.0, None, 2.0]).dictionary_encode()
    parquet.write_table(arrow.table({"x": column}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="nan in row 1, column 0"):
        next(feature_blocks(tmp_path / "x.parquet", 4))


def test_parquet_that_unpacks_to_too_much_is_refused(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="needs the extra data")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra data")
    zeros = arrow.table({"x": np.zeros(10_000_000)})
    options = {"row_group_size": len(zeros), "compression": "zstd", "use_dictionary": False}
    parquet.write_table(zeros, tmp_path / "x.parquet", **options)
    with pytest.raises(DataError, match="would take too much memory"):
        next(feature_blocks(tmp_path / "x.parquet", 4))


def test_numbers_beyond_any_float_are_refused():
    with pytest.raises(DataError, match="line 1 of here is not a row of features .*received 999"):
        read(f"[1.5, {'9' * 400}]")
