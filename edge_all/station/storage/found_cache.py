"""What was found never changes, so that it is read from disk once and kept as long as there is room."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict

from edge_all.station.storage.found_fields import FoundField, found_field

__all__ = ["FoundCache"]

_MOST_CELLS = 50_000
"""About 50 MB: ten slides of 5,000 cells."""


class FoundCache:
    """The findings that were asked for last; safe to share between threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, FoundField] = OrderedDict()
        self._cells = 0
        self._lock = threading.Lock()

    def get(self, connection: sqlite3.Connection, finding_id: int) -> FoundField:
        """What was found in a field."""
        with self._lock:
            if finding_id in self._kept:
                self._kept.move_to_end(finding_id)
                return self._kept[finding_id]
        found = found_field(connection, finding_id)
        with self._lock:
            if finding_id not in self._kept:
                self._kept[finding_id] = found
                self._cells += len(found.summary.cells)
            while self._cells > _MOST_CELLS and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                self._cells -= len(dropped.summary.cells)
        return found
