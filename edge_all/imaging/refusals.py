"""How images are refused: what is wrong with which file, and what to do about it."""

from __future__ import annotations

from typing import NoReturn

from edge_all.errors import CorruptImageError, UnsupportedImageError

__all__ = ["COPY_AGAIN", "fail_corrupt", "fail_unsupported"]

COPY_AGAIN = "Copy the file from the microscope again; if it is damaged there too, take the image again."
"""The remedy for a damaged file."""
_SAVE_AGAIN = "Open it in the camera's software and save it again as PNG, or as TIFF with 8 bits a channel."


def fail_corrupt(name: str, finding: str) -> NoReturn:
    """Refuse a damaged file.

    Args:
        name: of the file.
        finding: what is wrong, as goes on after the name.

    Raises:
        CorruptImageError: always.
    """
    raise CorruptImageError(f"{name} {finding}.", COPY_AGAIN)


def fail_unsupported(name: str, finding: str) -> NoReturn:
    """Refuse a whole image in a form that cannot be read faithfully; as `fail_corrupt`.

    Raises:
        UnsupportedImageError: always.
    """
    raise UnsupportedImageError(f"{name} {finding}, which is not supported.", _SAVE_AGAIN)
