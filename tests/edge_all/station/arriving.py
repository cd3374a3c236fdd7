"""Measures how long a field takes from its complete file to its cells on the page of its slide::

    python tests/edge_all/station/arriving.py

A station judges with the embedded model, a Chromium shows the slide, and rendered fields of the size of ALL-IDB1's are
copied into the watched folder one after the other, each when the cells of the one before are there.
"""

# ruff: noqa: T201 - what it says is for a terminal
from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from measured_station import station_and_browser

from edge_all.rendering.demo_fields import write_demo_fields

if TYPE_CHECKING:
    from playwright.sync_api import Page

_SECONDS = 60


def until(page: Page, expression: str) -> None:
    end = time.monotonic() + _SECONDS
    while not page.evaluate(expression):
        if time.monotonic() > end:
            raise SystemExit(f"It never came: {expression}")
        page.wait_for_timeout(20)


def measure(page: Page, address: str, fields: list[Path], slide: Path) -> list[float]:
    """Seconds until the page shows each field, the first of which makes the slide and is not measured."""
    page.request.post(f"{address}api/v1/session", data={"name": "Ada"})
    page.goto(address)
    shutil.copy(fields[0], slide)
    until(page, "document.querySelector('.list tbody a') !== null")
    page.click(".list tbody a")
    seconds = []
    until(page, "document.querySelector('.tile') !== null")
    for number, field in enumerate(fields[1:], start=2):
        shutil.copy(field, slide)
        complete = time.monotonic()
        until(page, f"document.querySelector('[data-fields]').dataset.fields === '{number}'")
        seconds.append(time.monotonic() - complete)
        time.sleep(0.37)  # in no step with the looks at the folder
    return seconds


def main() -> int:
    """Measure, and say the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fields = [field for field in write_demo_fields(folder / "fields") if "out-of-focus" not in field.name]
        slide = folder / "watched" / "slide"
        slide.mkdir(parents=True)
        with station_and_browser(slide.parent, folder) as (address, browser):
            seconds = measure(browser.new_page(), address, fields, slide)
    print(f"{len(seconds)} fields: median {statistics.median(seconds):.2f} s, most {max(seconds):.2f} s")
    print(" ".join(f"{one:.2f}" for one in seconds), f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
