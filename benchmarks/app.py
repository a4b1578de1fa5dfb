"""How long does the app take: from the command to the page, from a slider to the picture, from a name to a class?

    python benchmarks/app.py RUN [RUN ...] [--out app.json]

Each run is served by `zslearn app` in a process of its own and looked at in headless Chromium, which is started before.
Sliders are moved by the arrow keys; a reaction ends with the frame after the page has drawn. Processor seconds of the
start are told besides, since other work on the machine makes the clock's figures longer, and not these.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

N_MOVES = 30
WAIT_FOR_DRAWING = """
() => new Promise((done) => {
  let start;
  document.addEventListener("input", () => { start = performance.now(); }, { capture: true, once: true });
  const seen = new MutationObserver(() => {
    seen.disconnect();
    document.getElementById("mean").decode().catch(() => {}).then(() =>
      requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start))));
  });
  seen.observe(document.documentElement, { attributes: true, attributeFilter: ["data-drawn"] });
})
"""


def main() -> None:
    """Measure every run and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser (default: that of the path)")
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    arguments = parser.parse_args()
    figures: dict[str, dict[str, float]] = {"machine": {"processors": os.cpu_count() or 1, "load": os.getloadavg()[0]}}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
        for run in arguments.runs:
            figures[run.name] = measured(run, browser.new_page())
        browser.close()
    for title, measurements in figures.items():
        print(title, *(f"  {name}: {figure:.3g}" for name, figure in measurements.items()), sep="\n")
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measured(run: Path, page: Page) -> dict[str, float]:
    """Serve a run, use its page, and return what took how long."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "zslearn", "app", str(run), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process, closing(page):
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        listening = time.perf_counter() - start
        page.goto(url)
        page.wait_for_selector("html[data-ready]", state="attached")
        ready = time.perf_counter() - start
        figures = {
            "seconds from the command to its address": listening,
            "seconds from the command to a page that can be used": ready,
            "processor seconds of that": _processor_seconds(process.pid),
        }
        slider = page.locator(".slider input:visible").first
        if slider.evaluate("slider => slider.closest('#shares') !== null"):
            page.select_option("#blend-with", index=1)
            after_drawing(page, lambda: page.click("#blend-add"))
        # Away from the nearer end, where a key would move nothing.
        is_low = slider.evaluate("slider => 2 * slider.value < Number(slider.min) + Number(slider.max)")
        reactions = [moved(page, slider, "ArrowRight" if is_low else "ArrowLeft") for _ in range(N_MOVES)]
        figures["milliseconds from slider to picture, median"] = statistics.median(reactions)
        figures["milliseconds from slider to picture, largest"] = max(reactions)
        page.fill("#new-name", "something new")
        start = time.perf_counter()
        after_drawing(page, lambda: page.click("#adding button"))
        figures["seconds from name to new class"] = time.perf_counter() - start
        process.terminate()
    return figures


def after_drawing(page: Page, act: Callable[[], Any]) -> None:
    """Act, and wait until the page has drawn what follows."""
    before = page.get_attribute("html", "data-drawn")
    act()
    page.wait_for_selector(f"html:not([data-drawn='{before}'])", state="attached")
    page.wait_for_selector("#see[aria-busy=false]")


def moved(page: Page, slider: Any, key: str) -> float:
    """Move a slider by a key and return the milliseconds from its event to the frame with the new picture."""
    slider.focus()
    page.evaluate(f"window.reaction = ({WAIT_FOR_DRAWING})(), undefined")
    slider.press(key)
    milliseconds: float = page.evaluate("window.reaction")
    return milliseconds


def _processor_seconds(pid: int) -> float:
    """Return what the process has computed so far; NaN where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
