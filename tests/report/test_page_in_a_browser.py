"""The page in a real browser: nothing is fetched, every figure is drawn, filters and hover work."""

from __future__ import annotations

import json

import pytest

from browsers import Opened

pytestmark = pytest.mark.browser
WIDE, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 800}
CLOSER = ("classes", "map", "confusion", "answers", "errors", "training")


@pytest.fixture
def opened(browser):
    """Opens a report from disk and waits until everything is drawn."""
    contexts = []

    def opens(path, viewport=WIDE, scheme="light"):
        context = browser.new_context(viewport=viewport, color_scheme=scheme, offline=True)
        contexts.append(context)
        seen = Opened(context.new_page())
        seen.page.goto(path.as_uri())
        seen.page.wait_for_selector("html[data-drawn]", state="attached", timeout=60_000)
        return seen

    yield opens
    for context in contexts:
        context.close()


@pytest.fixture
def report(study_of, tmp_path):
    from zslearn.report.page import write_report

    runs = [
        {"data": data, "model": model, "seed": seed, "h": h + 0.01 * seed}
        for data in ("AWA2", "other")
        for model, h in (("skd", 0.6), ("f-clswgan", 0.5))
        for seed in range(2)
    ]
    folder = study_of(*runs, {"model": "cada-vae", "data": "AWA2", "status": "failed", "cause": "NaN"})
    write_report(folder, tmp_path / "report.html")
    return tmp_path / "report.html"


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The report of the experiment ``quick``, of three of its models and with even fewer updates."""
    from zslearn.cli import main
    from zslearn.experiments.catalog import packaged_text

    folder = tmp_path_factory.mktemp("quick")
    text = packaged_text("quick").replace("models: [all]", "models: [skd, gfzsl, eszsl]").replace(" 60", " 3")
    assert "n_updates: 3\n" in text
    (folder / "quick.yaml").write_text(text)
    assert main(["benchmark", "run", str(folder / "quick.yaml"), "--out", str(folder / "run"), "--quiet"]) == 0
    return folder / "run" / "report.html"


def bars_of(page, figure):
    return page.locator(f"#figure-{figure} svg.marks .mark-symbol path").count()


def test_everything_is_drawn_without_a_request_or_a_complaint(opened, report):
    seen = opened(report)
    assert seen.complaints == []
    assert [url for url in seen.requests if not url.startswith("data:")] == [report.as_uri()]
    for name in ("methods", "curves", *CLOSER):
        box = seen.page.locator(f"#figure-{name} svg.marks")
        assert box.count() == 1, name
        assert seen.page.locator(f"#figure-{name} svg.marks path").count() > 3, name
        size = box.bounding_box()
        assert size["width"] > 200, name
        assert size["height"] > 100, name
    assert report.stat().st_size < 3_000_000


def test_the_report_of_quick_draws_everything_for_every_method(opened, quick):
    seen = opened(quick)
    assert quick.stat().st_size < 3_000_000
    assert bars_of(seen.page, "methods") == 3 + 3
    drawn = {}
    for option in seen.page.locator("#closer-choice option").all_text_contents():
        seen.page.select_option("#closer-choice", label=option)
        seen.page.wait_for_function(
            "method => document.getElementById('closer-run').innerText.startsWith(method)", arg=option.split(" · ")[0]
        )
        seen.page.wait_for_timeout(700)
        shown = {name for name in CLOSER if seen.page.locator(f"#figure-{name}:visible svg.marks path").count() > 3}
        strips = seen.page.locator("#images img:visible")
        assert strips.evaluate_all("images => images.every(image => image.complete && image.naturalWidth > 0)")
        drawn[option.split(" · ")[0]] = (shown, strips.count())
    # Eight unseen letters, each with its mean, its generated and its real samples; a closed form generates nothing.
    assert drawn["skd"] == ({*CLOSER}, 24)
    assert drawn["gfzsl"] == ({*CLOSER} - {"training"}, 24)
    assert drawn["eszsl"] == ({"classes", "confusion", "answers"}, 0)
    assert seen.complaints == []


def test_filters_hide_rows_in_tables_and_figures(opened, report):
    page = opened(report).page
    rows = page.locator("tr[data-method]:visible")
    before = rows.count()
    drawn = bars_of(page, "methods")
    page.uncheck("input[name=method][value='f-clswgan']")
    page.wait_for_function("document.querySelectorAll('tr[data-method=\"f-clswgan\"]:not([hidden])').length === 0")
    assert rows.count() < before
    page.wait_for_timeout(200)
    assert bars_of(page, "methods") == drawn - 2
    page.uncheck("input[name=group] >> nth=1")
    page.wait_for_timeout(200)
    assert page.locator("div.group:visible").count() == 1
    page.click("#filter-reset")
    page.wait_for_timeout(200)
    assert rows.count() == before
    assert bars_of(page, "methods") == drawn
    page.fill("#filter-text", "skd")
    page.wait_for_timeout(200)
    assert set(
        page.locator("#results tr[data-method]:visible").evaluate_all("rows => rows.map(r => r.dataset.method)")
    ) == {"skd"}


def test_uncorrected_figures_take_the_place_of_corrected_ones(opened, report):
    page = opened(report).page
    assert page.locator("td .corrected:visible").count() > 0
    page.check("#show-plain")
    assert page.locator("td .corrected:visible").count() == 0
    assert page.locator("td .plain:visible").count() > 0


def test_hovering_tells_the_numbers(opened, report):
    page = opened(report).page
    point = page.locator("#figure-methods svg.marks .mark-symbol path").first
    point.scroll_into_view_if_needed()
    point.hover(force=True)
    told = page.locator("#vg-tooltip-element.visible")
    told.wait_for(timeout=5_000)
    assert "method" in told.inner_text()
    assert "interval from" in told.inner_text()


def test_another_figure_and_another_method_can_be_chosen(opened, report):
    seen = opened(report)
    page = seen.page
    before = page.locator("#figure-methods svg.marks").inner_html()
    page.select_option("#panel-methods select", "s")
    page.wait_for_timeout(300)
    assert page.locator("#figure-methods svg.marks").inner_html() != before
    told = page.inner_text("#closer-run")
    page.select_option("#closer-choice", "1")
    page.wait_for_function("told => document.getElementById('closer-run').innerText !== told", arg=told)
    page.wait_for_timeout(500)
    assert all(page.locator(f"#figure-{name} svg.marks").count() == 1 for name in CLOSER)
    assert seen.complaints == []


def test_of_methods_chosen_in_haste_the_last_one_is_shown(opened, study_of, tmp_path):
    from zslearn.report.page import write_report

    folder = study_of({"model": "skd", "h": 0.6}, {"model": "eszsl", "h": 0.5, "diagnostics": {}})
    bare = next(job["key"] for job in json.loads((folder / "experiment.json").read_text())["jobs"][1:])
    (folder / "sheets" / f"{bare}.json").unlink()
    write_report(folder, tmp_path / "report.html")
    seen = opened(tmp_path / "report.html")
    overlapping = seen.page.evaluate("""async () => {
        const [embed, choice, drawing] = [window.vegaEmbed, document.getElementById("closer-choice"), new Set()];
        let overlapping = 0;
        window.vegaEmbed = async (box, ...rest) => {
            overlapping += drawing.has(box);
            drawing.add(box);
            const result = await embed(box, ...rest);
            drawing.delete(box);
            return result;
        };
        for (const value of ["0", "1", "0", "1"]) {
            choice.value = value;
            choice.dispatchEvent(new Event("change"));
        }
        await new Promise((resolve) => setTimeout(resolve, 3000));
        return overlapping;
    }""")
    assert seen.page.inner_text("#closer-run").startswith("eszsl")
    assert [name for name in CLOSER if seen.page.locator(f"#figure-{name}:visible").count()] == ["classes"]
    assert overlapping == 0
    assert seen.complaints == []


def test_a_sweep_follows_setting_and_data_and_survives_without_rows(opened, study_of, tmp_path):
    from zslearn.report.page import write_report

    arms = {"as set": {"as_set": {"sp_weight": 1.0, "sr_weight": 0.5}}}
    arms |= {f"sp {value}": {"field": "sp_weight", "value": value} for value in (0.0, 0.1, 10.0)}
    arms |= {f"sr {value}": {"field": "sr_weight", "value": value} for value in (0.0, 5.0)}
    runs = [{"arm": arm, "marks": marks, "h": 0.4 + 0.05 * n} for n, (arm, marks) in enumerate(arms.items())]
    write_report(study_of(*runs, kind="sweep"), tmp_path / "sweep.html")
    seen = opened(tmp_path / "sweep.html")
    points = seen.page.locator("#figure-sweep svg.marks .mark-symbol.role-mark path")
    assert points.count() == 4
    # The axis names the values that were tried.
    labels = seen.page.locator("#figure-sweep svg.marks .role-axis-label").first.locator("text")
    assert labels.all_text_contents() == ["0", "0.1", "1", "10"]
    seen.page.select_option("#panel-sweep select[data-signal=field]", "sr_weight")
    seen.page.wait_for_timeout(300)
    assert points.count() == 3
    seen.page.uncheck("input[name=group]")
    seen.page.wait_for_timeout(300)
    assert seen.page.locator("#figure-sweep:visible").count() == 0
    seen.page.click("#filter-reset")
    seen.page.wait_for_timeout(300)
    assert points.count() == 3
    assert seen.complaints == []


def test_names_of_classes_and_methods_cannot_run(opened, study_of, tmp_path):
    from zslearn.report.page import write_report

    nasty = "<img src=x onerror=\"document.title='run'\"></script><script>document.title='run'</script>"
    folder = study_of({"model": nasty, "data": nasty, "per_class": {nasty: 0.5}}, title="quiet")
    write_report(folder, tmp_path / "nasty.html")
    seen = opened(tmp_path / "nasty.html")
    point = seen.page.locator("#figure-methods svg.marks .mark-symbol path").first
    point.scroll_into_view_if_needed()
    point.hover(force=True)
    seen.page.wait_for_timeout(300)
    assert seen.page.title().startswith("quiet")
    assert seen.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(opened, report, scheme):
    seen = opened(report, PHONE, scheme)
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    bright = sum(map(int, ground[4:-1].split(","))) > 380
    assert bright == (scheme == "light")


def test_it_prints_with_its_figures(opened, report, tmp_path):
    page = opened(report).page
    page.pdf(path=str(tmp_path / "page.pdf"), format="A4")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    page.emulate_media(media="print")
    assert page.locator("#filters:visible").count() == 0
    assert page.locator("#figure-curves svg.marks:visible").count() == 1
