"""The folder of what can be computed again, by the custom of the operating system."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["CACHE_VARIABLE", "cache_folder"]

CACHE_VARIABLE = "EDGE_ALL_CACHE"
"""The environment variable that names another cache folder."""


def cache_folder() -> Path | None:
    """It need not exist, and may be removed at any time; None where the user has no such place."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named)
    try:
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "edge-all" / "cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "edge-all"
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-all"
    except RuntimeError:  # a service account without a home
        return None
