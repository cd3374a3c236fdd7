"""A copy of the store once a day, as long as the station works, into a folder that somebody named.

A day is counted from the newest copy there, so that a station that is switched off at night makes its copy in the
morning. Copies are never deleted.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge_all.errors import EdgeAllError
from edge_all.station.storage.backup import back_up
from edge_all.station.storage.backup_names import backup_name, latest_backup, time_of_backup

__all__ = ["DailyBackup"]

_EVERY = timedelta(days=1)
_LOOK_SECONDS = 60.0
"""Between two looks at the clock; so long, too, after a copy that failed, as while a share is away."""


class DailyBackup:
    """Copies of one station's store in one folder.

    Attributes:
        folder: into which it copies.
        failure: why the last copy was not made; None where it was, or none was tried yet.
    """

    def __init__(self, station: Path, folder: Path) -> None:
        """Nothing is copied yet.

        Args:
            station: folder of the station.
            folder: for the copies; made with its parents.
        """
        self._station = station
        self.folder = folder
        self.failure: str | None = None

    def run(self, stop: threading.Event) -> None:
        """Copy when a day has gone by, until it is told to stop."""
        while not stop.is_set():
            self.copy_if_due(datetime.now(UTC))
            stop.wait(_LOOK_SECONDS)

    def copy_if_due(self, at: datetime) -> bool:
        """Copy the store where the newest copy is a day old, or there is none, or the clock was set back.

        Returns:
            Whether a copy was made. What goes wrong is said by `failure`, for a station works on without one.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            newest = latest_backup(self.folder)
            if newest is not None and abs(at - time_of_backup(newest)) < _EVERY:
                return False
            back_up(self._station, self.folder / backup_name(at))
        except (EdgeAllError, OSError) as error:
            self.failure = str(error)
            return False
        self.failure = None
        return True
