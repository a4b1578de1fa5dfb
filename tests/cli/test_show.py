"""What zslearn show prints on a terminal."""

import pytest

from zslearn.cli.show import _listing

ENTRIES = [
    {"name": "a", "source": "Someone et al.", "line": "one two three four five six seven eight nine ten"},
    {"name": "longer", "source": "Others", "line": "short"},
]


def test_without_a_terminal_every_entry_is_one_line():
    first, second = _listing(ENTRIES).splitlines()
    assert first == "a       Someone et al.  one two three four five six seven eight nine ten"
    assert second == "longer  Others          short"


@pytest.mark.parametrize(("columns", "width"), [(54, 30), (20, 24)])
def test_on_a_terminal_the_last_column_is_wrapped_and_stays_a_column(monkeypatch, columns, width):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    lines = _listing(ENTRIES).splitlines()
    assert max(map(len, lines)) <= 24 + width
    assert [line[:24].strip() for line in lines[1:-1]] == [""] * (len(lines) - 2)
    assert " ".join(line[24:] for line in lines[:-1]) == ENTRIES[0]["line"]
    assert lines[-1] == "longer  Others          short"
