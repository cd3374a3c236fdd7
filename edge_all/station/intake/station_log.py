"""What a station does, a line of JSON each, for whoever looks after it. No name and no path stands in it."""

from __future__ import annotations

import json
import logging
import logging.handlers
from pathlib import Path
from typing import Any

from edge_all.errors import StoreError
from edge_all.station.storage.chain import now

__all__ = ["LOG_FILE", "StationLog"]

LOG_FILE = "station.jsonl"
_LARGEST = 10_000_000
"""Bytes of one file; a station that judges a field every five seconds writes so much in a week."""
_KEPT = 5


class _QuietFile(logging.handlers.RotatingFileHandler):
    """A full disk must not stop the station, nor fill the terminal."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class's name
        """Go on without the line."""


class StationLog:
    """A file of JSON lines that is put aside when it grows large; safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        """Go on with the log in a station's folder.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            self._handler = _QuietFile(folder / LOG_FILE, maxBytes=_LARGEST, backupCount=_KEPT, encoding="utf-8")
        except OSError as error:
            raise StoreError(
                f"The log in {folder} cannot be written ({error.strerror or error}).", "Check the folder's permissions."
            ) from error
        self._handler.setFormatter(logging.Formatter("%(message)s"))

    def write(self, event: str, **values: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Add a line: when, what, and more."""
        text = json.dumps({"at": now(), "event": event, **values})
        self._handler.handle(logging.LogRecord("edge_all", logging.INFO, "", 0, text, None, None))

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._handler.close()
