"""Are weaknesses known of what is installed here? ``python deploy/known_weaknesses.py``, with ``pip-audit`` installed.

Fails for what a station gets: edge-all's own requirements and theirs. Of the tools beside them it only says so; where
no service can be reached, it says that nothing was looked up.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires
from typing import Any


def main() -> int:
    """Look it up; the exit status."""
    command = [sys.executable, "-m", "pip_audit", "--skip-editable", "--progress-spinner", "off", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(f"Nothing was looked up: {(done.stderr.strip().splitlines() or ['pip-audit said nothing'])[-1]}")
        return 0
    looked_up = [one for one in found if "vulns" in one]
    print(f"Looked up: {len(looked_up)} of {len(found)} packages.")
    station = runtime_packages()
    status = 0
    for one in looked_up:
        for weakness in one["vulns"]:
            on_stations = one["name"].lower() in station
            status |= on_stations
            where = "a station has it" if on_stations else "no station has it"
            fixed = ", ".join(weakness["fix_versions"]) or "nowhere yet"
            print(f"{one['name']} {one['version']} ({where}): {weakness['id']}, put right in {fixed}")
    return status


def runtime_packages() -> set[str]:
    """Normalised names of edge-all's requirements and of theirs, ONNX Runtime included."""
    found: set[str] = set()
    waiting = ["edge-all", "onnxruntime"]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        try:
            needed = requires(name) or []
        except PackageNotFoundError:
            continue
        waiting += [re.split(r"[^\w.-]", one, maxsplit=1)[0] for one in needed if "extra ==" not in one]
    return found


if __name__ == "__main__":
    sys.exit(main())
