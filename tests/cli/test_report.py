import shutil

import pytest


def test_a_page_is_written_into_the_folder(command, finished, tmp_path):
    pytest.importorskip("vl_convert", reason="the extra report is not installed")
    folder = shutil.copytree(finished[0], tmp_path / "run")
    answer = command("report", folder)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.strip() == str(folder / "report.html")
    page = (folder / "report.html").read_text()
    assert "zslearn run --data glyphs" in page
    assert "data:image/png;base64," in page


@pytest.mark.parametrize("form", ["md", "latex", "csv"])
def test_tables_are_printed_or_written(command, finished, tmp_path, form, record):
    folder, _ = finished
    printed = command("report", folder, "--format", form)
    assert printed.code == 0
    assert "kernel-ridge-cosine" in printed.out
    answer = command("report", folder, "--format", form, "-o", tmp_path / "t")
    assert answer.out.strip() == str(tmp_path / "t")
    assert (tmp_path / "t").read_text() == printed.out


def test_bad_input_is_one_line(command, tmp_path, finished):
    for words, message in (
        ([tmp_path], "there is nothing to report on in"),
        ([tmp_path / "absent"], "no folder of that name"),
        ([finished[0], "--format", "htm"], "choose from"),
    ):
        answer = command("report", *words)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.startswith("error: ")
        assert answer.err.count("\n") == 1
        assert message in answer.err
    answer = command("report", finished[0], "--format", "csv", "-o", tmp_path / "no" / "file.csv")
    assert answer.code == 1
    assert answer.err.count("\n") == 1
