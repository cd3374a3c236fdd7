"""The memory that a process took. Imports next to nothing: it runs inside processes whose start is measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path

__all__ = ["peak_memory_mb", "print_peak_memory"]


def peak_memory_mb() -> float | None:
    """The most memory that this process ever held, in megabytes (1e6 bytes); None on Windows, which is not asked.

    On Linux the kernel's own mark of this program: ``getrusage`` there counts what the parent held before it started
    this one.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    if sys.platform == "win32":
        return None
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / 1e6 if sys.platform == "darwin" else largest * 1024 / 1e6


def print_peak_memory() -> None:
    """Print `peak_memory_mb` as a line of JSON; for ``atexit``."""
    sys.stdout.write(f"\n{json.dumps({'peak_memory_mb': peak_memory_mb()})}\n")
