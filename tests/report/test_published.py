import csv
from collections import Counter

import pytest

from zslearn.errors import DataError, UnknownNameError
from zslearn.report import published
from zslearn.report.published import (
    FEATURES,
    H_TOLERANCE,
    REMARKS,
    SOURCES,
    published_on,
    published_results,
    same_method,
)

ROWS = published_results()


def test_printed_h_follows_from_u_and_s_exactly_where_no_flag_says_otherwise():
    checked = [row for row in ROWS if row.h is not None and row.h_of_u_and_s is not None]
    assert len(checked) > 250
    differing = {row for row in checked if abs(row.h - row.h_of_u_and_s) > H_TOLERANCE}
    assert differing == {row for row in ROWS if "h-differs" in row.remarks}
    assert {(row.method, row.data) for row in differing} == {
        ("TF-VAEGAN", "FLO"),
        ("AGZSL", "AWA2"),
        ("SDGZSL", "AWA2"),
        ("IZF", "AWA1"),
    }


def test_every_row_is_told_once_and_has_a_figure_in_percent():
    keys = Counter((row.method, row.data, row.semantics, row.features, row.source) for row in ROWS)
    assert max(keys.values()) == 1
    for row in ROWS:
        figures = [value for value in (row.t1, row.u, row.s, row.h) if value is not None]
        assert figures
        assert all(0 <= value <= 100 for value in figures)
        assert row.year == "" or row.year[:4].isdigit()


def test_sources_remarks_and_features_are_all_used():
    assert {row.source for row in ROWS} == set(SOURCES)
    assert {remark for row in ROWS for remark in row.remarks} == set(REMARKS)
    assert {row.features for row in ROWS} == set(FEATURES)


def test_the_facts_are_those_of_the_shared_table(shared_data):
    path = shared_data.parent / "published.csv"
    if not path.is_file():
        pytest.skip(f"the table of published figures is absent: no {path}")
    with path.open(encoding="utf-8", newline="") as file:
        facts = list(csv.DictReader(file))

    def figure(text):
        return float(text) if text else None

    expected = Counter(
        (
            fact["dataset"].split("(")[0],
            fact["source"],
            fact["year"],
            *(figure(fact[name]) for name in ["T1", "U", "S", "H"]),
        )
        for fact in facts
    )
    assert Counter((row.data, row.source, row.year, row.t1, row.u, row.s, row.h) for row in ROWS) == expected
    flagged = sum(bool(fact["flag"]) for fact in facts)
    assert sum("h-differs" in row.remarks for row in ROWS) == flagged


def test_the_two_kinds_of_semantics_of_cub_are_never_shown_together():
    attributes, sentences = published_on("CUB"), published_on("cub-sent")
    assert {row.semantics for row in attributes} == {"attributes", "unstated"}
    assert {row.semantics for row in sentences} == {"sentences", "unstated"}


def test_names_are_found_as_folders_spell_them():
    assert published_on("APY") == published_on("aPY") != ()
    assert published_on("AWA2-v1") == published_on("AWA2")
    assert published_on("glyphs") == ()


def test_methods_are_matched_by_letters_and_digits():
    assert same_method("f-CLSWGAN", "f-clswgan")
    assert same_method("ESZSL", "eszsl")
    assert not same_method("f-VAEGAN", "TF-VAEGAN")


ROW = {
    **{"method": "A", "year": "", "family": "generative", "data": "CUB", "semantics": "attributes"},
    **{"features": "vit", "t1": "1", "u": "", "s": "", "h": "", "source": "S1", "remarks": ""},
}


@pytest.mark.parametrize(
    ("column", "word", "kind"),
    [
        ("source", "S1O", "source"),
        ("features", "resnet11", "kind of features"),
        ("family", "genrative", "family"),
        ("semantics", "attribute", "kind of semantics"),
        ("remarks", "h-differ", "remark"),
    ],
)
def test_an_unknown_word_is_refused_with_the_nearest_known(column, word, kind):
    assert published._result(2, ROW).t1 == 1.0
    with pytest.raises(UnknownNameError, match=f"no {kind} called {word!r}. Did you mean"):
        published._result(2, {**ROW, column: word})


@pytest.mark.parametrize("change", [{"t1": "one"}, {"t1": "101"}, {"u": "nan"}, {"remarks": None}])
def test_a_malformed_row_is_refused_with_its_line(change):
    with pytest.raises(DataError, match="line 2 of published.csv is malformed"):
        published._result(2, {**ROW, **change})
