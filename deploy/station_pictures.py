"""The pictures of the station's page in docs/: ``python deploy/station_pictures.py docs/images``.

A station of its own judges the demo slides, which edge-all draws itself, and a Chromium (EDGE_ALL_CHROMIUM, or on the
path) with Playwright looks at its page.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

_FIELDS = 11
"""Of the demo slides."""
_SECONDS = 300


def main() -> int:
    """Make them; the exit status."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images")
    chromium = os.environ.get("EDGE_ALL_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        print("No Chromium: install one, or set EDGE_ALL_CHROMIUM.")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "edge_all", "station", "--demo", "--station", folder, "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as station:
            try:
                address = _address(station)
                with sync_playwright() as running:
                    browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                    _take(browser, address, target)
                    browser.close()
            finally:
                station.terminate()
    return 0


def _address(station: subprocess.Popen[str]) -> str:
    """Where its page is."""
    for line in station.stdout or ():
        found = re.search(r"http://\S+", line)
        if found is not None:
            return found[0]
    raise SystemExit("The station did not start.")


def _take(browser: Any, address: str, target: Path) -> None:  # noqa: ANN401 - Playwright's
    page = browser.new_page(viewport={"width": 1366, "height": 768}, color_scheme="light", locale="en-GB")
    page.request.post(f"{address}api/v1/session", data={"name": "Ada Lovelace"})
    end = time.monotonic() + _SECONDS
    while page.request.get(f"{address}api/v1/queue").json()["done"] < _FIELDS:
        if time.monotonic() > end:
            raise SystemExit("The demo slides were not judged in time.")
        time.sleep(1)
    page.goto(address)
    page.wait_for_timeout(500)
    _picture(page, target / "station-slides.jpg")
    page.click("text=demo-leukaemia")
    page.wait_for_selector(".tile:focus")
    page.keyboard.press("n")
    for _ in range(2):
        page.keyboard.press("Shift+ArrowRight")
    page.wait_for_timeout(800)
    _picture(page, target / "station-cells.jpg")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_timeout(800)
    page.keyboard.press("0")
    page.wait_for_timeout(400)
    _picture(page, target / "station-field.jpg")


def _picture(page: Any, path: Path) -> None:  # noqa: ANN401 - Playwright's
    page.screenshot(path=path, type="jpeg", quality=80)
    print(path)


if __name__ == "__main__":
    sys.exit(main())
