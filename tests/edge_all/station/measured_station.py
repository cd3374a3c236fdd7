"""A station of its own and a browser before it, for the scripts that measure."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

__all__ = ["station_and_browser"]


@contextmanager
def station_and_browser(watched: Path, folder: Path) -> Iterator[tuple[str, Browser]]:
    """The address of a station that watches a folder, and a Chromium; both end with the block.

    Args:
        watched: the folder that images arrive in.
        folder: where the station keeps its store and whatever else it would put into a home.
    """
    command = [sys.executable, "-m", "edge_all", "station", str(watched), "--station", str(folder / "station")]
    environment = {**os.environ, "XDG_DATA_HOME": str(folder / "home"), "EDGE_ALL_LANGUAGE": "en"}
    with subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True, env=environment) as station:
        try:
            found = re.search(r"http://\S+", station.stdout.readline() if station.stdout else "")
            if found is None:
                raise SystemExit("The station did not start.")
            with sync_playwright() as running:
                chromium = os.environ.get("EDGE_ALL_CHROMIUM") or shutil.which("chromium")
                browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                yield found[0], browser
                browser.close()
        finally:
            station.terminate()
