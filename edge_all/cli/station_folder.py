"""Where a station keeps what it knows."""

from __future__ import annotations

from pathlib import Path

__all__ = ["station_folder"]


def station_folder(given: Path | None) -> Path:
    """The folder that was named; the user's own where none was."""
    from edge_all.model.user_folder import user_folder

    return user_folder() / "station" if given is None else given
