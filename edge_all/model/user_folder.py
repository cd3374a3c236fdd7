"""The folder in which a user's own models and trusted keys lie, by the custom of the operating system."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["user_folder"]


def user_folder() -> Path:
    """It need not exist; a user without a home, such as a service, has one in which nothing is and nothing can be."""
    try:
        return _data_folder() / "edge-all"
    except RuntimeError:
        return Path(os.devnull) / "edge-all"


def _data_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
