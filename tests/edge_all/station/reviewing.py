"""Reviews ten slides in a Chromium, by keys alone, and says how long the page took::

    python tests/edge_all/station/reviewing.py

The slides are those of the demonstration, rendered from other seeds and judged by the embedded model. Whoever reviews
looks at nothing here: every key is pressed as soon as the page shows what the one before has done, so that the time is
the page's alone, to which a person's looking comes.
"""

# ruff: noqa: T201 - what it says is for a terminal
from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from measured_station import station_and_browser
from playwright.sync_api import Error

from edge_all.outputs.pictures import jpeg_bytes
from edge_all.rendering.demo_fields import DemoField, demo_slides
from edge_all.station.desk import Station

if TYPE_CHECKING:
    from playwright.sync_api import Page

SLIDES = 10
_SECONDS = 40


def render(folder: Path) -> int:
    """Ten slides; how many fields they have."""
    kinds, fields = demo_slides(), 0
    for number in range(SLIDES):
        kind = kinds[number % len(kinds)]
        slide = folder / f"{number}-{kind.name}"
        slide.mkdir(parents=True)
        for one in kind.fields:
            again = DemoField(one.name, one.seed + 1000 * (number // len(kinds) + 1), one.spec)
            (slide / f"{one.name}.jpg").write_bytes(jpeg_bytes(again.render().pixels, 95))
            fields += 1
    return fields


class Reviewer:
    """Presses keys, and counts them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.keys = 0

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.keys += 1

    def until(self, expression: str) -> None:
        end = time.monotonic() + _SECONDS
        while not self._holds(expression):
            if time.monotonic() > end:
                raise SystemExit(f"It never came: {expression}")
            self.page.wait_for_timeout(5)

    def _holds(self, expression: str) -> bool:
        try:
            return bool(self.page.evaluate(expression))
        except Error:  # the page has just gone to another
            return False

    def unseen(self) -> bool:
        """Whether there are cells that must be looked at and have not been."""
        return "still to be" in self.page.inner_text("#review-state")

    def review_first(self) -> None:
        """The first slide of the list: look at every cell that has to be, call the first of them something, sign."""
        self.until("document.activeElement.closest('.list tbody') !== null")
        self.press("Enter")
        self.until("document.querySelector('[data-fields]') && document.activeElement.closest('.tile, body')")
        self.press("l" if self.unseen() else ".")
        while self.unseen():
            cell = self.page.evaluate("document.activeElement.dataset.cell")
            self.press(".")
            self.until(f"document.activeElement.dataset.cell !== {cell!r}")
        self.press("Control+Enter")
        self.until("document.querySelector('#sign-dialog').open")
        self.press("Enter")
        self.until("document.getElementById('review-state').textContent.startsWith('Signed by')")
        self.press("Escape")


def review(page: Page, address: str, slides: int) -> tuple[float, int]:
    """Seconds and keys for so many slides."""
    page.goto(address)
    reviewer = Reviewer(page)
    reviewer.until("document.activeElement.id === 'name'")
    started = time.monotonic()
    for letter in "Ada":
        reviewer.press(letter)
    reviewer.press("Enter")
    for _ in range(slides):
        reviewer.review_first()
    reviewer.until("document.activeElement.closest('.list tbody') !== null")
    return time.monotonic() - started, reviewer.keys


def main() -> int:
    """Review, and say the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fields = render(folder / "images")
        with station_and_browser(folder / "images", folder) as (address, browser):
            page = browser.new_page(viewport={"width": 1366, "height": 768}, locale="en-GB")
            asked = {"Edge-All-Reader": "nobody"}
            while page.request.get(f"{address}api/v1/queue", headers=asked).json()["done"] < fields:
                time.sleep(1)
            seconds, keys = review(page, address, SLIDES)
        with Station(folder / "station") as opened:
            slides = opened.slides("Ada")
            views = [opened.review(one.slide.code, "Ada").view() for one in slides]
    looked = sum(cell.must_be_seen for view in views for cell in view.cells)
    assert all(one.state is not None and one.state.locked for one in slides)
    print(f"{SLIDES} slides of {fields} fields and {sum(len(view.cells) for view in views)} objects signed,")
    print(f"{looked} cells looked at: {keys} keys, {seconds:.1f} s")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
