"""Commands that people are told to type."""

from __future__ import annotations

import os
import shlex
import subprocess

__all__ = ["typed"]


def typed(*words: str) -> str:
    """A command as it is typed into the shell of this system; a path with a blank in it stays one word."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
