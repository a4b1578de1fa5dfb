import json
import re
import time

import pytest

from zslearn.errors import MissingExtraError, RunFolderError, UnknownNameError
from zslearn.report.figures import MAX_BARS, MAX_CURVES, overview_columns, specifications
from zslearn.report.page import make_report, script_json, write_report
from zslearn.report.study import read_study
from zslearn.report.summary import summed_up

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(1)> {{ 7*7 }} \u2028"
FIGURES = {"methods", "curves", "classes", "confusion", "map", "training", "answers", "errors"}


@pytest.fixture
def library():
    """What the page is made with."""
    pytest.importorskip("vl_convert", reason="the extra report is not installed")
    pytest.importorskip("jinja2", reason="the extra report is not installed")


def content_of(page):
    text = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', page, flags=re.DOTALL).group(1)
    return json.loads(text)


def body_of(page):
    """The page without its scripts and style."""
    return re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)


@pytest.mark.usefixtures("library")
def test_the_page_is_one_file_that_asks_nobody(finished_study):
    page = make_report(finished_study)
    assert len(page.encode()) < 3_000_000
    assert not re.search(r'(src|href)\s*=\s*["\'](?!data:)', body_of(page))
    assert "default-src 'none'" in page
    assert "@import" not in page
    assert set(content_of(page)["figures"]) == FIGURES


@pytest.mark.usefixtures("library")
def test_the_page_shows_what_the_record_holds(finished_study, real_record):
    page = body_of(make_report(finished_study))
    figures = real_record["metrics_corrected"]
    for value in (f"{100 * figures['h']:.1f}", f"{100 * figures['t1']:.1f}", f"{figures['ausuc']:.3f}"):
        assert value in page
    assert real_record["versions"]["torch"] in page
    assert "zslearn benchmark run tiny" in page
    for name in real_record["references"]:
        assert name in page
    assert "Trained with the semantics of unseen classes" in page
    assert "no room" not in page


@pytest.mark.usefixtures("library")
def test_names_from_records_stay_text(study_of, real_record):
    diagnostics = {**real_record["diagnostics"]}
    diagnostics["answers_of_unseen"] = {"n_rows": 1, "as_seen": 1.0, "counts": {NASTY: 1}, "others": 0}
    folder = study_of(
        {"model": NASTY, "data": NASTY, "arm": NASTY, "per_class": {NASTY: 0.5}, "diagnostics": diagnostics},
        {"seed": 1, "status": "failed", "cause": NASTY},
        title=NASTY,
        note=NASTY,
        command=NASTY,
    )
    page = make_report(folder)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "49" not in re.findall(r"<h1>(.*?)</h1>", page)[0]
    content = content_of(page)
    assert content["methods"][0] == f"{NASTY}: {NASTY}"
    assert content["closer"][0]["columns"]["classes"]["class"] == {"of": [NASTY], "at": [0]}
    specification = json.dumps(content["figures"]["methods"]["transform"])
    assert "alert" not in specification


def test_json_in_a_script_cannot_end_it():
    text = script_json({"name": NASTY})
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == {"name": NASTY}


@pytest.mark.usefixtures("library")
def test_holes_are_told_with_their_cause(study_of):
    page = body_of(make_report(study_of({"seed": 0}, {"seed": 1, "status": "failed", "cause": "NaN in step 7"})))
    assert "NaN in step 7" in page
    assert "Of 2 runs 1 failed: see Holes." in page


@pytest.mark.usefixtures("library")
def test_the_budget_of_a_search_is_told_beside_its_method(study_of, real_record):
    search = {"budget": 12, "objective": "mean h over the rehearsal's folds"}
    page = body_of(make_report(study_of({"selection": {**real_record["selection"], "search": search}})))
    assert "searched in 12 trials for mean h over the rehearsal&#39;s folds" in page


@pytest.mark.usefixtures("library")
def test_a_method_without_a_figure_keeps_its_row(study_of):
    failed = {"model": "cada-vae", "status": "failed"}
    folder = study_of({"seed": 0}, {"seed": 1, "status": "not run"}, failed, {**failed, "seed": 1})
    page = body_of(make_report(folder))
    rows = re.findall(r"<tr[^>]*>.*?</tr>", page[page.index('id="results"') :], flags=re.DOTALL)
    (empty,) = (row for row in rows if 'class="empty"' in row)
    assert re.sub(r"<[^>]*>", " ", empty).split() == ["cada-vae", "2", "runs", "failed:", "see", "Holes"]
    (ours,) = (row for row in rows[1:] if '<th scope="row">skd' in row and 'class="model"' in row)
    assert "1 of 2</td>" in ours


@pytest.mark.usefixtures("library")
def test_a_study_without_a_single_result_still_makes_a_page(study_of):
    running = {"seed": 2, "status": "running"}
    page = body_of(make_report(study_of({"status": "failed"}, {"seed": 1, "status": "not run"}, running)))
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    assert [facts[name] for name in ("runs finished", "failed", "not run", "running")] == ["0", "1", "1", "1"]
    assert "There is no finished run." in page
    assert 'id="results"' not in page


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    "change",
    [
        {"curve": None, "reference_curves": None, "diagnostics": None},
        {"curve": {"unseen": [0, "x"], "seen": [1]}, "unseen_classes": None, "per_class": None},
        {"diagnostics": {"answers_of_unseen": {"n_rows": "x", "counts": {"a": 1}}}},
        {"diagnostics": {"generated": {"classes": [None, 3], "nearest_training_row": [1]}}},
        {"diagnostics": {"answers_of_unseen": {"n_rows": 1, "counts": {"a": 1e308}}}},
        {"diagnostics": {"answers_of_unseen": {"n_rows": 1, "counts": {"a": 10**308}}}},
        {"per_class": {"a": 1e308}, "curve": {"unseen": [1e308], "seen": [1]}, "seconds": {"a": 10**308}},
        {"setting": [], "versions": None, "hardware": 3, "seconds": {"a": "b"}, "selection": None},
    ],
)
def test_parts_that_are_missing_or_damaged_are_left_out(study_of, change):
    page = make_report(study_of({**change}))
    assert 'id="results"' in page


@pytest.mark.usefixtures("library")
def test_a_record_may_know_nothing_of_its_data(study_of):
    folder = study_of({})
    (path,) = (folder / "records").iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "data": {}}))
    assert "The run</summary>" in make_report(folder)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("text", ["1e999", "9" * 400, r'"\ud800"'])
def test_a_record_with_what_no_page_can_hold_is_a_hole(study_of, tmp_path, text):
    folder = study_of({"seed": 0}, {"seed": 1})
    path = sorted((folder / "records").iterdir())[0]
    path.write_text(f'{{"odd": {text}, {path.read_text()[1:]}')
    write_report(folder, tmp_path / "report.html")
    assert f"{path.name} cannot be read" in (tmp_path / "report.html").read_text()


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    "sheet",
    [
        *("[]", "{", '{"confusion": {"classes": []}, "map": 3, "training": [7], "images": [{}]}'),
        '{"training": [{"terms": {"a": {"step": [0], "value": [1e999]}}}]}',
        r'{"training": [{"terms": {"\ud800": {"step": [0], "value": [1]}}}]}',
    ],
)
def test_a_damaged_sheet_costs_its_figures_only(study_of, sheet):
    folder = study_of({})
    (path,) = (folder / "sheets").iterdir()
    path.write_text(sheet)
    (view,) = content_of(make_report(folder))["closer"]
    assert view["columns"]["map"].get("x", []) == []
    assert view["columns"]["classes"]["class"]


@pytest.mark.usefixtures("library")
def test_published_figures_stand_apart_and_tell_what_was_not_run(study_of):
    page = body_of(make_report(study_of({"data": "AWA2", "model": "f-clswgan", "h": 0.512, "references": {}})))
    results, published = page.split('id="published"')
    assert "CADA-VAE" not in results
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</th>(.*?)</tr>", published, flags=re.DOTALL)
    ours = {
        name: re.search(r'<td class="number[^"]*">([^<]*)</td><td class="remarks">', row).group(1)
        for name, row in rows
        if "remarks" in row
    }
    assert ours["f-CLSWGAN"] == "51.2"
    assert ours["CADA-VAE"] == "not run"
    assert "the printed H does not follow from the printed U and S" in published


@pytest.mark.usefixtures("library")
def test_every_specification_compiles_without_a_complaint(study_of, finished_study):
    import vl_convert

    marks = [{"as_set": {"sp_weight": 1.0}}, {"field": "sp_weight", "value": 0.0}]
    sweep = study_of(
        *({"arm": f"a{i}", "marks": mark, "h": 0.4 + i / 10} for i, mark in enumerate(marks)), kind="sweep"
    )
    for folder in (finished_study, sweep):
        digest = summed_up(read_study(folder))
        columns = overview_columns(digest)
        for name, specification in specifications(digest).items():
            rows = [
                dict(zip(columns.get(name, {}), row, strict=True))
                for row in zip(*columns.get(name, {}).values(), strict=True)
            ]
            filled = {**specification, "width": 600, "datasets": {"rows": rows}}
            assert "<svg" in vl_convert.vegalite_to_svg(filled), name


def test_a_sweep_puts_the_arm_as_set_on_the_line_of_every_field(study_of):
    marks = [{"as_set": {"sp_weight": 1.0, "kd_weight": 2.0}}, {"field": "sp_weight", "value": 0.0}]
    folder = study_of(
        *({"arm": f"a{i}", "marks": mark, "h": 0.5 + i / 10} for i, mark in enumerate(marks)), kind="sweep"
    )
    columns = overview_columns(summed_up(read_study(folder)))["sweep"]
    points = set(zip(columns["field"], columns["value"], columns["mean"], strict=True))
    assert points == {("sp_weight", 1.0, 50.0), ("kd_weight", 2.0, 50.0), ("sp_weight", 0.0, 60.0)}


@pytest.mark.usefixtures("library")
def test_what_figures_have_no_room_for_is_told(study_of):
    runs = [
        {"data": data, "model": f"model {n}", "h": 0.2 + n / 1000, "references": {}}
        for data in ("first", "second")
        for n in range(MAX_BARS // 2 + 10)
    ]
    folder = study_of(*runs, sheets=False)
    curves, bars = (overview_columns(summed_up(read_study(folder)))[name] for name in ("curves", "methods"))
    told = {group: set() for group in ("first, official split", "second, official split")}
    for group, method in zip(curves["group"], curves["method"], strict=True):
        told[group].add(method)
    best = {f"model {n}" for n in range(MAX_BARS // 2 + 10 - MAX_CURVES, MAX_BARS // 2 + 10)}
    assert list(told.values()) == [best, best]
    assert len(set(zip(bars["group"], bars["method"], strict=True))) == MAX_BARS
    page = make_report(folder)
    legends = dict(re.findall(r'id="figure-(methods|curves)"></div>\s*<p class="legend">(.*?)</p>', page))
    assert legends["methods"].endswith("have them: 20 of the methods on second, official split.")
    each = [f"{MAX_BARS // 2 + 10 - MAX_CURVES} of the methods on {group}" for group in told]
    assert legends["curves"].endswith(f"have them: {'; '.join(each)}.")


def corrected_points(folder):
    """Where the corrected point of each method stands, as unseen accuracy in percent."""
    columns = overview_columns(summed_up(read_study(folder)))["curves"]
    rows = zip(columns["method"], columns["point"], columns["unseen"], strict=True)
    return {method: unseen for method, point, unseen in rows if point == "corrected"}


def test_the_curve_of_a_closed_form_is_that_of_its_own_middle_run(study_of, real_record):
    told = real_record["references"]["eszsl"]
    figures = [dict.fromkeys(("t1", "u", "s", "h", "ausuc"), share) for share in (0.1, 0.9, 0.5)]
    runs = [
        {"seed": seed, "h": h, "references": {"eszsl": {**told, "corrected": figures[seed]}}}
        for seed, h in enumerate((0.4, 0.5, 0.6))
    ]
    assert corrected_points(study_of(*runs)) == {"skd": 50.0, "eszsl": 50.0}
    unlike = [{**run, "h": h} for run, h in zip(runs, (0.6, 0.7, 0.4), strict=True)]
    assert corrected_points(study_of(*unlike)) == {"skd": 60.0, "eszsl": 50.0}


def test_no_curve_of_a_closed_form_comes_from_a_control(study_of, real_record):
    control = {"arm": "random semantics", "marks": {"control": "random semantics"}}
    lost = {"seed": 1, "h": 0.9, **control}
    points = corrected_points(study_of({"seed": 0, "arm": "base"}, lost, {**lost, "seed": 2}, kind="ablation"))
    told = real_record["references"]["eszsl"]["corrected"]["u"]
    assert points["eszsl"] == round(100 * told, 1)
    assert points["skd: random semantics"] == 90.0


def test_other_formats_need_no_extra(finished_study, tmp_path):
    for name, sign in (("md", "# A tiny experiment"), ("latex", r"\toprule"), ("csv", "data,split,seed")):
        write_report(finished_study, tmp_path / name, name)
        assert sign in (tmp_path / name).read_text()


def test_what_cannot_be_reported_on_is_refused_before_anything_is_written(tmp_path, finished_study):
    with pytest.raises(RunFolderError, match="nothing to report on"):
        write_report(tmp_path, tmp_path / "report.html")
    with pytest.raises(UnknownNameError, match="Did you mean html"):
        make_report(finished_study, "htm")
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_the_error_names_it(finished_study, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"zslearn\[report\]"):
        make_report(finished_study)


@pytest.mark.slow
@pytest.mark.usefixtures("library")
def test_a_thousand_records_make_a_small_page_quickly(study_of):
    runs = [
        {"data": f"data {d}", "model": f"model {m}", "seed": seed, "h": 0.3 + 0.02 * m + 0.001 * seed}
        for d in range(4)
        for m in range(25)
        for seed in range(10)
    ]
    folder = study_of(*runs)
    start = time.process_time()
    page = make_report(folder)
    assert time.process_time() - start < 10
    assert len(page.encode()) < 3_000_000
    assert page.count("data-method=") >= 100
    assert "All 1000 runs" in page
