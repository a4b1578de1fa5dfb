"""How long does the app take: from the command to the page, from a slider to the picture, from a name to a class?

    python benchmarks/app.py RUN [RUN ...]

Each run is served by `zslearn app` in a process of its own and looked at in headless Chromium, which is started before.
Sliders are moved by the arrow keys; a reaction ends with the frame after the page has drawn. Processor seconds of the
start are told besides, since other work on the machine makes the clock's figures longer, and not these.
"""

from __future__ import annotations

import argparse
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
    arguments = parser.parse_args()
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    print(f"{os.cpu_count()} processors; load averages at the beginning {busy}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
        for run in arguments.runs:
            print(run)
            for name, figure in measured(run, browser.new_page()):
                print(f"  {name}: {figure}")
        browser.close()


def measured(run: Path, page: Page) -> list[tuple[str, str]]:
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
        figures = [
            ("command to address", f"{listening:.1f} s"),
            ("command to a page that can be used", f"{ready:.1f} s{_processor_seconds(process.pid)}"),
        ]
        slider = page.locator(".slider input:visible").first
        if slider.evaluate("slider => slider.closest('#shares') !== null"):
            after_drawing(page, lambda: page.select_option("#blend-add", index=1))
        reactions = [moved(page, slider, "ArrowLeft") for _ in range(N_MOVES)]
        figures.append((f"slider to picture, {N_MOVES} moves", spread(reactions)))
        page.fill("#new-name", "something new")
        start = time.perf_counter()
        after_drawing(page, lambda: page.click("#adding button"))
        figures.append(("name to new class", f"{time.perf_counter() - start:.2f} s"))
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


def spread(milliseconds: list[float]) -> str:
    """Return the median and the largest."""
    return f"median {statistics.median(milliseconds):.0f} ms, largest {max(milliseconds):.0f} ms"


def _processor_seconds(pid: int) -> str:
    """Return what the process has computed so far, where the system tells."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    user, system = int(fields[11]), int(fields[12])
    return f" ({(user + system) / os.sysconf('SC_CLK_TCK'):.1f} s of processor time)"


if __name__ == "__main__":
    main()
