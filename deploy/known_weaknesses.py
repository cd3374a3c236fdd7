"""Are weaknesses known of what is installed here? ``python deploy/known_weaknesses.py``, with ``pip-audit`` installed.

Fails for what a station gets: edge-all's own requirements and theirs. Of the tools beside them it only says so. What no
service could be asked about is NOT CHECKED, and said to be: silence would read as "nothing is known".
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
        print(f"NOT CHECKED: {(done.stderr.strip().splitlines() or ['pip-audit said nothing'])[-1]}")
        return 0
    return tell(found, runtime_packages())


def tell(found: list[dict[str, Any]], station: set[str]) -> int:
    """Say what is known of each package, and of which nothing could be asked.

    Args:
        found: ``dependencies`` as ``pip-audit`` writes them; one that it could not ask about has no ``vulns``.
        station: normalised names of what a station gets.

    Returns:
        The exit status: 1 where a station gets something weak.
    """
    looked_up = [one for one in found if "vulns" in one]
    not_asked = sorted({normalised(one["name"]) for one in found if "vulns" not in one} & station)
    if not looked_up:
        print("NOT CHECKED: no service answered for any package. Run this where there is a network.")
        return 0
    print(f"Looked up: {len(looked_up)} of {len(found)} packages.")
    if not_asked:
        print(f"NOT CHECKED, though a station has it: {', '.join(not_asked)}")
    status = 0
    for one in looked_up:
        for weakness in one["vulns"]:
            on_stations = normalised(one["name"]) in station
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
        name = normalised(waiting.pop())
        if name in found:
            continue
        found.add(name)
        try:
            needed = requires(name) or []
        except PackageNotFoundError:
            continue
        waiting += [re.split(r"[^\w.-]", one, maxsplit=1)[0] for one in needed if "extra ==" not in one]
    return found


def normalised(name: str) -> str:
    """The name of a distribution as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
