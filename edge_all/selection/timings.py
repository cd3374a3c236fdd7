"""Measured times of networks on this machine, kept between starts.

A small JSON file in the user's cache folder. It is a convenience: when it is missing, damaged, about another machine or
cannot be written, the times are measured again and the choice is the same.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from edge_all.errors import OutputError
from edge_all.files.atomic import clear_old_parts, write_atomically
from edge_all.files.cache_folder import cache_folder

__all__ = ["read_timings", "timings_can_be_kept", "timings_file", "write_timings"]

SCHEMA = 1
MOST_TIMINGS = 64
"""Models come and go; the oldest times are dropped."""


def timings_file() -> Path | None:
    """Where the times are kept, by the custom of the operating system; None where the user has no such place."""
    folder = cache_folder()
    return None if folder is None else folder / "timings.json"


def timings_can_be_kept() -> bool:
    """Whether `write_timings` would find a place, as far as that shows without writing anything."""
    file = timings_file()
    if file is None:
        return False
    try:
        there = next(place for place in file.absolute().parents if place.exists())
        # No room at all is also what folders have that are no disk, such as /proc, where root may seem to write.
        return there.is_dir() and os.access(there, os.W_OK | os.X_OK) and shutil.disk_usage(there).free > 0
    except OSError:
        return False


def read_timings(machine: Mapping[str, str]) -> dict[str, float]:
    """Milliseconds a cell by what was measured; empty where nothing is known of this machine.

    Args:
        machine: from `edge_all.selection.machine.machine_key`.
    """
    file = timings_file()
    try:
        record = json.loads(file.read_text(encoding="utf-8")) if file is not None else None
        if not isinstance(record, dict) or record["schema"] != SCHEMA or record["machine"] != dict(machine):
            return {}
        timings = {str(name): float(value) for name, value in record["ms_per_cell"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {name: value for name, value in timings.items() if math.isfinite(value) and value > 0}


def write_timings(machine: Mapping[str, str], timings: Mapping[str, float]) -> bool:
    """Keep times, in place of all that the file holds.

    Args:
        machine: as for `read_timings`.
        timings: milliseconds a cell, the latest last.

    Returns:
        Whether they are on disk; where not, nothing is lost but the time to measure them again.
    """
    file = timings_file()
    if file is None:
        return False
    kept = dict(list(timings.items())[-MOST_TIMINGS:])
    text = json.dumps({"schema": SCHEMA, "machine": dict(machine), "ms_per_cell": kept}, indent=1)
    try:
        clear_old_parts(file.parent)
        write_atomically(file, text.encode(), durable=False)
    except OutputError:
        return False
    return True
