"""Paths that a user names are looked for before the work, which takes minutes; by the verbs of both sides."""

from __future__ import annotations

from pathlib import Path

__all__ = ["existing"]


def existing(given: Path | list[Path] | None) -> Path | list[Path] | None:
    """Callback of an option or argument: what was named is there.

    Args:
        given: one path or several; None where the option was left out.

    Raises:
        InputNotFoundError: there is nothing of such a name.
    """
    from edge_all.errors import InputNotFoundError

    for path in [given] if isinstance(given, Path) else given or ():
        if not path.exists():
            raise InputNotFoundError(f"{path} does not exist.", "Check the spelling of the path.")
    return given
