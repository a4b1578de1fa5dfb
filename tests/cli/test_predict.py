"""Predictions of files, streams and photographs, as a user asks for them."""

import csv
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from zslearn import GenerativeZSL, load_data
from zslearn.cli.rows import FORMATS, write_rows


@pytest.fixture(scope="module")
def features():
    return load_data("glyphs", split=1).test().features[:40]


@pytest.fixture
def rows(features, tmp_path):
    np.save(tmp_path / "rows.npy", features)
    return tmp_path / "rows.npy"


@pytest.fixture(scope="module")
def estimator(finished):
    return GenerativeZSL.load(finished[0])


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_every_kind_of_file_gives_the_same_answers(command, finished, rows, features, tmp_path):
    lines = [",".join(map(repr, row)) for row in features.astype(float).tolist()]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    np.savez(tmp_path / "rows.npz", features=features)
    expected = command("predict", finished[0], rows).out
    assert command("predict", finished[0], tmp_path / "rows.csv").out == expected
    assert command("predict", finished[0], tmp_path / "rows.npz").out == expected


def test_blocks_do_not_change_labels(command, finished, rows):
    whole = table(command("predict", finished[0], rows).out)
    in_blocks = table(command("predict", finished[0], rows, "--batch", 7).out)
    assert [line["label"] for line in in_blocks] == [line["label"] for line in whole]
    assert [line["row"] for line in in_blocks] == [str(row) for row in range(40)]


def test_several_answers_come_by_rank(command, finished, rows, features, estimator):
    answers = table(command("predict", finished[0], rows, "--top", 3).out)
    assert list(answers[0]) == ["row", "rank", "label", "score", "seen"]
    assert [line["rank"] for line in answers] == ["1", "2", "3"] * 40
    shares = estimator.predict_proba(features)
    best = np.argsort(-shares, axis=1, kind="stable")[:, :3]
    assert [line["label"] for line in answers] == estimator.classes_[best].ravel().tolist()
    np.testing.assert_allclose(
        [float(line["score"]) for line in answers], np.take_along_axis(shares, best, axis=1).ravel(), atol=1e-6
    )
    few = table(command("predict", finished[0], rows, "--candidates", "unseen", "--top", 99).out)
    assert len(few) == 40 * len(estimator.unseen_classes_)


def test_several_files_are_named(command, finished, rows, features, tmp_path):
    np.save(tmp_path / "two.npy", features[:2])
    answers = table(command("predict", finished[0], tmp_path / "two.npy", rows).out)
    assert [(line["file"], line["row"]) for line in answers[:3]] == [
        (str(tmp_path / "two.npy"), "0"),
        (str(tmp_path / "two.npy"), "1"),
        (str(rows), "0"),
    ]
    assert len(answers) == 42


def test_formats_say_the_same(command, finished, rows, tmp_path):
    answers = json.loads(command("predict", finished[0], rows, "--json").out)
    lines = command("predict", finished[0], rows, "--format", "jsonl").out.splitlines()
    assert [json.loads(line) for line in lines] == answers
    for name in ("a.json", "a.jsonl"):
        assert command("predict", finished[0], rows, "-o", tmp_path / name).out == ""
    assert json.loads((tmp_path / "a.json").read_text()) == answers
    assert (tmp_path / "a.jsonl").read_text().splitlines() == lines
    assert isinstance(answers[0]["seen"], bool)


def test_parquet_is_written(command, finished, rows, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra data")
    answer = command("predict", finished[0], rows, "--batch", 16, "-o", tmp_path / "a.parquet")
    assert answer.code == 0, answer.err
    answers = json.loads(command("predict", finished[0], rows, "--batch", 16, "--json").out)
    assert parquet.read_table(tmp_path / "a.parquet").to_pylist() == answers


@pytest.mark.parametrize("kind", FORMATS)
def test_names_that_are_not_unicode_are_written_all_the_same(tmp_path, kind):
    name = os.fsdecode(b"caf\xe9.npy")
    if kind == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra data")
    path = tmp_path / f"a.{kind}"
    write_rows([[{"file": name, "label": "Γ"}]], ["file", "label"], kind, path)
    if kind == "parquet":
        assert parquet.read_table(path).to_pylist() == [{"file": "caf\\udce9.npy", "label": "Γ"}]
    else:
        written = path.read_text(encoding="utf-8")
        assert "caf\\udce9.npy" in written
        assert "Γ" in written


def test_no_row_gives_no_answer(command, finished, features, tmp_path):
    np.save(tmp_path / "none.npy", features[:0])
    assert command("predict", finished[0], tmp_path / "none.npy").out == "row,label,score,seen\n"
    assert json.loads(command("predict", finished[0], tmp_path / "none.npy", "--json").out) == []


def test_a_stream_is_answered_while_it_lasts(finished, features):
    words = [sys.executable, "-m", "zslearn", "predict", str(finished[0]), "-", "--format", "jsonl", "--batch", "1"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for row, sample in enumerate(features[:3].astype(float).tolist()):
        process.stdin.write(json.dumps(sample) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["row"] == row
    process.stdin.close()
    assert process.stdout.read() == ""
    assert process.wait(60) == 0
    process.stdout.close()


def test_a_bad_line_ends_the_stream_and_spoils_no_file(command, finished, tmp_path, monkeypatch):
    stream = io.BytesIO(b"\n".join([b",".join([b"0.5"] * 256)] * 3 + [b"0.5,0.5"]))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
    answer = command("predict", finished[0], "-", "--batch", "2", "-o", tmp_path / "a.csv")
    assert answer.code == 2
    assert "line 4 of standard input is not a row of features (expected 256 numbers" in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(finished, tmp_path):
    program = (
        "import resource, sys; from zslearn.cli import main; code = main(sys.argv[1:]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(code)"
    )
    peaks = []
    for n_rows in (10_000, 300_000):
        with (tmp_path / "rows.npy").open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (n_rows, 256)}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + 4 * 256 * n_rows)
        words = ["predict", str(finished[0]), str(tmp_path / "rows.npy"), "-o", str(tmp_path / "a.csv")]
        done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
        peaks.append(int(done.stderr))
        assert (tmp_path / "a.csv").read_text().count("\n") == n_rows + 1
    kilobytes_of_rows = 300_000 * 256 * 4 // 1024
    assert peaks[1] - peaks[0] < kilobytes_of_rows / 5


def test_what_cannot_be_predicted_is_refused(command, finished, rows, tmp_path):
    cases = [
        ([tmp_path / "none.npy"], "there is no file"),
        ([tmp_path], "of an unknown kind"),
        ([rows, "--top", 0], "--top is too small (expected at least 1; received 0)"),
        ([rows, "--batch", -1], "--batch is too small"),
        ([rows, "-o", tmp_path / "a.xlsx"], "the ending of"),
        ([rows, "--format", "parquet"], "parquet cannot be printed. Name a file with -o"),
        (["photo.jpg"], "photo.jpg is a photograph, and this model does not know what turns photographs"),
    ]
    for words, message in cases:
        answer = command("predict", finished[0], *words)
        assert answer.code == 2, words
        assert message in answer.err
        assert "Traceback" not in answer.err
        assert answer.err.count("\n") == 1
    assert not (tmp_path / "a.xlsx").exists()
