"""The page in a real browser: nothing leaves this machine, sliders draw, classes are added and recognised."""

from __future__ import annotations

from urllib.parse import urlsplit

import numpy as np
import pytest

from browsers import Opened
from letters import NEW
from toy import toy_dataset as make_toy_dataset
from zslearn import GenerativeZSL
from zslearn.app.samples import RealSamples
from zslearn.app.session import N_PICTURES, N_REAL, Session

pytestmark = pytest.mark.browser
WIDE, PHONE = {"width": 1366, "height": 900}, {"width": 390, "height": 844}


class OpenedApp(Opened):
    def after(self, act):
        """Acts, and waits until the page has drawn what follows."""
        before = self.page.get_attribute("html", "data-drawn")
        act()
        self.page.wait_for_selector(f"html:not([data-drawn='{before}'])", state="attached")
        self.settled()

    def settled(self):
        """Waits until nothing is asked any more."""
        self.page.wait_for_selector("#see[aria-busy=false]")

    def holding(self, questions):
        """Holds questions back; what it returns lets the last of them go, and waits for the answer."""
        held = []
        self.page.route(questions, lambda route: held.append(route))

        def let_go():
            while not held:
                self.page.wait_for_timeout(10)
            with self.page.expect_event("requestfinished"):
                held.pop().continue_()

        return let_go

    def text(self, where):
        return self.page.locator(where).inner_text()

    def mean(self):
        return self.page.get_attribute("#mean", "src")


@pytest.fixture
def opened(browser, served):
    """Opens the page of a session and waits until it can be used."""
    contexts = []

    def opens(session, viewport=WIDE, scheme="light"):
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        contexts.append(context)
        seen = OpenedApp(context.new_page())
        seen.page.goto(served(session).url)
        seen.page.wait_for_selector("html[data-ready]", state="attached", timeout=30_000)
        return seen

    yield opens
    for context in contexts:
        context.close()


def move(page, name, value):
    """Moves a slider as a hand would, to a value."""
    page.locator(f'.slider[data-name="{name}"] input').evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }", value
    )


def upload(seen, *files, done="#results .result"):
    seen.page.set_input_files("#files", [{"name": n, "mimeType": "", "buffer": c} for n, c in files])
    seen.page.wait_for_selector(done)


def test_no_request_leaves_the_loopback_and_nothing_is_complained_of(opened, session, png, new_images):
    seen = opened(session)
    seen.after(lambda: seen.page.click("#again"))
    upload(seen, ("one.png", png(new_images[0].reshape(16, 16))))
    assert {urlsplit(url).hostname for url in seen.requests if not url.startswith("data:")} == {"127.0.0.1"}
    assert seen.complaints == []
    # The policy holds even for a page that was made to try.
    blocked = "fetch('http://localhost:9/').then(() => 'sent', () => 'blocked')"
    assert seen.page.evaluate(blocked) == "blocked"
    assert any("Content Security Policy" in complaint for complaint in seen.complaints)


def test_it_opens_with_a_class_that_was_never_seen(opened, session):
    seen = opened(session)
    assert seen.text("#shown") == "A: never seen in training"
    assert seen.page.locator("#drawn img").count() == N_PICTURES
    assert seen.page.locator("#real img").count() == N_REAL
    assert seen.page.locator(".chip").count() == 35
    assert seen.page.locator("#sliders .slider").count() == 34
    natural = seen.page.locator("#mean").evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert natural == 16


def test_a_slider_changes_the_picture(opened, session):
    seen = opened(session)
    before = seen.mean()
    seen.after(lambda: move(seen.page, "holes", 1.0))
    assert seen.mean() != before
    assert seen.text("#shown") == "Something new, started from A"
    assert seen.page.locator("#real-box:visible").count() == 0
    assert seen.page.locator("#nearest img").count() > 0
    seen.after(lambda: seen.page.click("#reset"))
    assert seen.mean() == before


def test_the_last_of_many_movements_is_what_stands_there(opened, session):
    seen = opened(session)
    for value in np.linspace(0, 1, 30).tolist():
        move(seen.page, "width", value)
    seen.settled()
    last = seen.mean()
    seen.after(lambda: move(seen.page, "width", 1.0))
    assert seen.mean() == last


def test_a_new_class_is_added_and_its_samples_are_recognised(opened, session, saved, new_class, new_images, png):
    estimator = GenerativeZSL.load(saved)
    estimator.add_classes({NEW: np.array(list(new_class["attributes"].values()))})
    right = new_images[estimator.predict(new_images) == NEW][0]
    seen = opened(session)
    seen.after(lambda: seen.page.click(".chip[data-name='G'] button"))
    for name, value in new_class["attributes"].items():
        move(seen.page, name, value)
    seen.settled()
    assert "Add your class in step 2" in seen.text("#try-hint")
    seen.page.fill("#new-name", NEW)
    seen.after(lambda: seen.page.click("#adding button"))
    assert seen.text("#shown") == f"{NEW}: added by you, without a sample"
    upload(seen, ("letter.png", png(right.reshape(16, 16))))
    assert seen.text(".verdict") == f"letter.png: recognised as {NEW}"
    assert "right" in seen.page.get_attribute(".verdict", "class")
    seen.page.click(f".chip[data-name='{NEW}'] .away")
    seen.page.wait_for_selector(f".chip[data-name='{NEW}']", state="detached")


def test_a_slider_that_moves_before_a_class_has_come_moves_that_of_the_class_before(opened, session):
    seen = opened(session)
    sliders = "rows => rows.map((row) => [row.dataset.name, row.querySelector('input').valueAsNumber])"
    answer = seen.holding("**/look")
    seen.page.click(".chip[data-name='G'] button")
    move(seen.page, "holes", 1.0)
    with seen.page.expect_request("**/imagine") as asked:
        seen.after(answer)
    assert seen.text("#shown") == "Something new, started from A"
    stand = dict(seen.page.locator("#sliders .slider").evaluate_all(sliders))
    assert asked.value.post_data_json["description"]["attributes"] == pytest.approx(stand, abs=1e-5)
    seen.page.click(".chip[data-name='G'] button")
    seen.after(answer)
    assert seen.text("#shown").startswith("G: ")


def test_what_is_shown_is_drawn_again_and_added_whatever_tab_is_open(opened, session):
    seen = opened(session)
    seen.after(lambda: move(seen.page, "holes", 1.0))
    shown = seen.mean()
    seen.page.click(".ways button[data-way=blend]")
    seen.page.fill("#new-name", "A with a hole")
    seen.after(lambda: seen.page.click("#adding button"))
    assert seen.mean() == shown
    seen.page.click(".ways button[data-way=attributes]")
    seen.after(lambda: move(seen.page, "holes", 0.5))
    seen.page.click(".ways button[data-way=blend]")
    with seen.page.expect_request("**/imagine") as asked:
        seen.after(lambda: seen.page.click("#again"))
    assert asked.value.post_data_json["description"]["attributes"]["holes"] == 0.5


def test_bad_names_and_uploads_give_a_line_and_the_app_goes_on(opened, session, png):
    seen = opened(session)
    seen.page.fill("#new-name", "a")
    seen.page.click("#adding button")
    seen.page.wait_for_selector("#see-line:not(:empty)")
    assert "'a' differs from the class 'A' by case or blanks only" in seen.text("#see-line")
    for name, content, line in (
        ("notes.txt", b"hello", "notes.txt cannot be read as an image"),
        (
            "rows.csv",
            b"3,1,2\n",
            "the rows of rows.csv do not fit the model (expected 256 numbers in a row; received 3)",
        ),
        ("blank.png", png(np.zeros((16, 16)) + 0.0)[:40], "blank.png cannot be read as an image"),
    ):
        upload(seen, (name, content), done=f"#try-line:has-text('{name}')")
        assert line in seen.text("#try-line")
    upload(seen, ("good.png", png(np.eye(16))))
    assert seen.text("#try-line") == ""
    seen.after(lambda: move(seen.page, "holes", 0.2))
    assert seen.text("#describe-line") == ""


def test_results_are_those_of_the_latest_try_and_of_the_class_that_it_was_for(opened, session, png):
    seen = opened(session)
    answer = seen.holding("**/recognise?name=slow*")

    def try_slowly():
        upload(seen, ("slow.png", png(np.eye(16))), done="#results[aria-busy=true]")

    try_slowly()
    seen.after(lambda: move(seen.page, "holes", 1.0))
    answer()
    seen.page.wait_for_selector("#results[aria-busy=false] .result")
    assert seen.text(".verdict").startswith("slow.png: not A: taken for ")
    try_slowly()
    upload(seen, ("quick.png", png(np.eye(16))), done=".verdict:has-text('quick.png')")
    answer()
    seen.after(lambda: move(seen.page, "holes", 0.5))
    assert seen.text(".verdict").startswith("quick.png: taken for ")
    try_slowly()
    seen.after(lambda: seen.page.click(".chip[data-name='G'] button"))
    answer()
    seen.after(lambda: move(seen.page, "holes", 0.5))
    assert seen.page.locator("#results[aria-busy=false]").inner_text() == ""


def test_what_is_drawn_on_the_pad_is_recognised(opened, session):
    seen = opened(session)
    box = seen.page.locator("#pad").bounding_box()
    middle, top = box["x"] + box["width"] / 2, box["y"] + 15
    seen.page.mouse.move(middle, top)
    seen.page.mouse.down()
    seen.page.mouse.move(middle, top + 90, steps=8)
    seen.page.mouse.up()
    seen.page.wait_for_selector(".result")
    assert seen.text(".verdict").startswith("your drawing: not A: taken for ")
    assert seen.page.locator(".tried > img").count() == 1


def test_a_blend_shows_nearest_samples_where_features_are_no_images(opened):
    dataset = make_toy_dataset()
    names = tuple(f"<img src=x onerror=\"document.title='run'\"> {i}" for i in range(len(dataset.class_names)))
    named = type(dataset)(**{**vars(dataset), "class_names": names})
    estimator = GenerativeZSL(model="gfzsl", rehearse=False).fit_view(named.training())
    seen = opened(Session(estimator, samples=RealSamples(named)))
    assert seen.page.locator("#pictures:visible").count() == 0
    assert seen.page.locator("#nearest .bar").count() > 0
    seen.page.click(".ways button[data-way=blend]")
    seen.page.select_option("#blend-with", index=3)
    seen.after(lambda: seen.page.click("#blend-add"))
    assert seen.page.locator("#shares .slider").count() == 2
    seen.after(lambda: seen.page.locator("#shares input >> nth=1").fill("0.2"))
    seen.after(lambda: seen.page.click("#shares .slider >> nth=1 >> button"))
    seen.page.click("#shares .slider button")
    seen.page.wait_for_selector("#describe-line:not(:empty)")
    assert "the blend is empty" in seen.text("#describe-line")
    assert "zslearn app" in seen.page.title()
    assert [line for line in seen.complaints if "400" not in line] == []


def test_classes_are_chosen_blended_and_dropped_by_keys_and_by_what_is_read_out(opened, session):
    seen = opened(session)
    seen.page.get_by_role("button", name="G", exact=True).focus()
    seen.after(lambda: seen.page.keyboard.press("Enter"))
    assert seen.page.evaluate("document.activeElement.parentElement.dataset.name") == "G"
    assert seen.page.get_by_role("button", pressed=True).all_inner_texts() == ["G"]
    seen.page.fill("#new-name", "holes")
    seen.after(lambda: seen.page.keyboard.press("Enter"))
    ids = seen.page.locator("[id]").evaluate_all("parts => parts.map((part) => part.id)")
    assert len(set(ids)) == len(ids)
    seen.page.click(".ways button[data-way=blend]")
    seen.page.focus("#blend-with")
    for _ in range(3):
        seen.page.keyboard.press("ArrowDown")
    assert seen.page.locator("#shares .slider").count() == 1
    seen.page.focus("#blend-add")
    seen.after(lambda: seen.page.keyboard.press("Enter"))
    assert seen.page.locator("#shares .slider").count() == 2
    assert seen.page.get_by_role("button", pressed=True).count() == 0
    seen.after(seen.page.get_by_role("button", name="Leave out holes", exact=True).click)
    seen.page.get_by_role("button", name="Drop holes", exact=True).click()
    seen.page.wait_for_selector(".chip[data-name='holes']", state="detached")


def test_a_file_that_is_far_too_large_gives_a_line_and_is_not_sent(opened, session, monkeypatch):
    monkeypatch.setenv("ZSLEARN_MAX_BYTES", "512K")
    seen = opened(session)
    upload(seen, ("rows.npy", bytes(3 << 20)), done="#try-line:has-text('rows.npy')")
    assert seen.text("#try-line") == (
        "rows.npy is too large (expected at most 0.5 MiB; received 3 MiB). Give a part of it."
    )
    assert not any("recognise" in url for url in seen.requests)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(opened, session, scheme):
    seen = opened(session, PHONE, scheme)
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    bright = sum(map(int, ground[4:-1].split(","))) > 380
    assert bright == (scheme == "light")
    assert seen.page.locator("#preview img").first.is_visible()


def test_it_says_so_when_the_app_has_ended(opened, session, served):
    seen = opened(session)
    seen.page.route("**/imagine", lambda route: route.abort())
    move(seen.page, "holes", 1.0)
    seen.page.wait_for_selector("#describe-line:not(:empty)")
    assert seen.text("#describe-line") == "the app does not answer. Has it ended?"
