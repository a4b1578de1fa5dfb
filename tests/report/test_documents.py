import csv
import io
import re

import pytest

from zslearn.report.documents import csv_text, latex_text, markdown_text, to_csv, to_latex, to_markdown
from zslearn.report.study import read_study
from zslearn.report.summary import summed_up

NASTY = r"=cmd|' /C'\input{x}$&%_#^~<script>*[a](b)`"


@pytest.fixture
def digest(study_of):
    runs = [
        {"seed": seed, "model": model, "data": "AWA2", "h": h + 0.01 * seed, "references": {}}
        for seed in range(7)
        for model, h in (("skd", 0.6), ("f-clswgan", 0.5))
    ]
    return summed_up(read_study(study_of(*runs, {"seed": 9, "status": "failed", "cause": NASTY})))


def test_markdown_tells_results_published_figures_and_holes_apart(digest):
    text = to_markdown(digest)
    results, published = text.split("### Published figures on AWA2")
    assert "| skd | 7 | **63.0** ± 2.2 |" in results
    assert "| f-clswgan | 7 | 53.0 ± 2.2 |" in results
    assert "| f-CLSWGAN | 2018 | ResNet-101 | attributes |" in published
    assert "| S1 | 53.0 |" in published
    assert "| not run |" in published
    assert "AGZSL" not in results
    assert re.search(r"\| toy skd seed 9 \| failed \|", text)


def test_h_that_was_not_measured_here_is_no_figure(study_of, real_record):
    unmeasured = {**real_record["metrics_corrected"], "s": None, "h": None, "ausuc": None}
    run = {"model": "f-clswgan", "data": "AWA2", "references": {}, "metrics_corrected": unmeasured}
    digest = summed_up(read_study(study_of(run)))
    lines = [*to_markdown(digest).splitlines(), *to_latex(digest).splitlines()]
    here = [line.removesuffix(" |").split()[-1] for line in lines if line.startswith("| f-CLSWGAN |")]
    here += [line.removesuffix(r" \\").split()[-1] for line in lines if line.startswith("  f-CLSWGAN &")]
    assert here == ["-"] * len(here)
    assert len(here) >= 2


def test_latex_is_bold_where_a_paired_test_allows_it(digest):
    text = to_latex(digest)
    assert r"skd & 7 & \textbf{63.0} $\pm$ 2.2 & " in text
    assert r"f-clswgan & 7 & 53.0 $\pm$ 2.2 & " in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 2
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 1
    assert text.count(r"\begin{longtable}") == text.count(r"\end{longtable}") == 1
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", text).group(1)
    for line in text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines():
        assert line.count("&") == len(columns) - 1
        assert line.endswith(r"\\")


def test_latex_without_a_significant_difference_has_nothing_bold(study_of):
    runs = [{"seed": seed, "model": model, "h": 0.5} for seed in range(3) for model in ("skd", "cada-vae")]
    text = to_latex(summed_up(read_study(study_of(*runs))))
    assert "textbf" not in text
    assert "no row is better than every other in a paired test" in text


def test_tables_say_which_runs_are_missing(study_of):
    failed = {"status": "failed", "references": {}}
    runs = [{"h": 0.5, "references": {}}, {**failed, "seed": 1}, {**failed, "model": "lone_wolf"}]
    digest = summed_up(read_study(study_of(*runs)))
    assert r"skd & 1 of 2 & 50.0 & " in to_latex(digest)
    assert r"No run has finished of lone\_wolf." in to_latex(digest)
    assert "| skd | 1 of 2 | 50.0 |" in to_markdown(digest)
    assert r"No run has finished of lone\_wolf." in to_markdown(digest)


def test_stand_in_features_are_named_in_the_caption_and_not_in_a_comment_alone(study_of, digest):
    facts = {"source": "stand-in features, seed 0"}
    text = to_latex(summed_up(read_study(study_of({"data_facts": facts}))))
    captions = re.findall(r"\\caption\{(.*)\}", text)
    assert captions[0].endswith("Stand-in features: the figures mean nothing.")
    assert "tand-in" not in to_latex(digest)


def test_csv_has_a_line_for_every_run_and_hole(digest):
    rows = list(csv.DictReader(io.StringIO(to_csv(digest))))
    assert len(rows) == 15
    assert [row["status"] for row in rows].count("finished") == 14
    first = next(row for row in rows if row["method"] == "skd" and row["seed"] == "3")
    assert float(first["h"]) == pytest.approx(0.63)
    assert rows[-1]["cause"].startswith("'=cmd")
    named = [rows[-1][name] for name in ("data", "split", "seed", "method", "h", "status")]
    assert named == ["toy", "official", "9", "skd", "", "failed"]


def test_csv_tells_figures_that_are_no_results_from_those_that_are(study_of):
    ceiling = {"arm": "real samples", "setting": {"samples": "labelled unseen test samples"}, "references": {}}
    made_up = {"seed": 1, "data_facts": {"source": "stand-in features, seed 0"}}
    folder = study_of({"references": {}}, ceiling, made_up, {"seed": 2, "split": "=1", "status": "failed"})
    rows = list(csv.DictReader(io.StringIO(to_csv(summed_up(read_study(folder))))))
    told = {(row["method"], row["seed"]): (row["uses_test_data"], row["stand_in"]) for row in rows}
    assert told["skd", "0"] == ("false", "false")
    assert told["skd: real samples", "0"] == ("true", "false")
    assert {told["skd", "1"], told["eszsl", "1"]} == {("false", "true")}
    assert told["skd", "2"] == ("", "")
    assert rows[-1]["split"] == "'=1"


def test_figures_that_are_best_on_test_have_a_column_of_that_name_where_they_were_sought(study_of, digest):
    sought = {"h": 0.7, "best_h": 0.8}
    runs = [{"h": 0.5, "references": {}, "test_selected": sought}, {"h": 0.4, "model": "cada-vae", "references": {}}]
    chosen = summed_up(read_study(study_of(*runs)))
    markdown, latex = to_markdown(chosen), to_latex(chosen)
    assert "| method | runs | T1 | U | S | H | AUSUC | H, test-selected |" in markdown
    assert "| skd | 1 | 50.0 | 50.0 | 50.0 | 50.0 | 0.500 | 70.0 |" in markdown
    assert "| cada-vae | 1 | 40.0 | 40.0 | 40.0 | 40.0 | 0.400 | - |" in markdown
    assert r"Method & Runs & T1 & U & S & H & AUSUC & H, test-selected \\" in latex
    assert r"\begin{tabular}{lrrrrrrr}" in latex
    assert r"skd & 1 & 50.0 & 50.0 & 50.0 & 50.0 & 0.500 & 70.0 \\" in latex
    told = {row["method"]: row["h_test_selected"] for row in csv.DictReader(io.StringIO(to_csv(chosen)))}
    assert told == {"skd": "0.700000", "cada-vae": ""}
    assert "test-selected" not in to_markdown(digest) + to_latex(digest)


def test_names_cannot_become_commands(study_of):
    digest = summed_up(read_study(study_of({"model": NASTY, "data": NASTY, "seed": 1}, title=NASTY)))
    latex, markdown, table = to_latex(digest), to_markdown(digest), to_csv(digest)
    assert r"\input" not in latex
    assert r"\textbackslash{}input\{x\}\$\&\%\_\#" in latex
    assert "<script>" not in markdown
    assert r"\|" in markdown
    assert all(not cell.startswith("=") for row in csv.reader(io.StringIO(table)) for cell in row)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a & b", r"a \& b"), ("\\", r"\textbackslash{}"), ("ü_1", r"ü\_1"), ("two\nlines", "two lines")],
)
def test_latex_text(text, expected):
    assert latex_text(text) == expected


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_no_cell_begins_like_a_formula(text):
    assert csv_text(text) == f"'{text}"


def test_markdown_cells_stay_in_their_row():
    assert markdown_text("a|b\nc") == r"a\|b c"
    assert markdown_text("<b>&") == "&lt;b&gt;&amp;"
