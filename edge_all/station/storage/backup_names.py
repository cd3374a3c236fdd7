"""What backups are called: by their time, so that the newest is known without opening any."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["BACKUPS_FOLDER", "backup_name", "latest_backup", "time_of_backup"]

BACKUPS_FOLDER = "backups"
"""In a station's folder, for those that were given no other place."""
_NAME = "%Y%m%dT%H%M%S.%fZ.sqlite3"


def backup_name(at: datetime) -> str:
    """The name of a backup that is made at a time (UTC)."""
    return at.strftime(_NAME)


def time_of_backup(file: Path) -> datetime:
    """When a backup was made, by its name.

    Raises:
        ValueError: it has a name of its own.
    """
    return datetime.strptime(file.name, _NAME).replace(tzinfo=UTC)


def latest_backup(folder: Path) -> Path | None:
    """The newest backup in a folder that is named by its time; None where there is none."""
    named = []
    for file in folder.glob("*.sqlite3"):
        with contextlib.suppress(ValueError):
            named.append((time_of_backup(file), file))
    return max(named)[1] if named else None
