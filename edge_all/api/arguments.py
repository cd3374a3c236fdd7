"""What a program says beside the images that it hands over, refused in words where it cannot be."""

from __future__ import annotations

import math
import os

from edge_all.errors import UsageError

__all__ = ["LARGEST_PIXEL", "SMALLEST_PIXEL", "require_pixel_size", "require_screener_arguments"]

SMALLEST_PIXEL, LARGEST_PIXEL = 0.01, 10.0
"""Micrometres: no optics resolve the one, and in the other a cell is two pixels wide."""


def require_pixel_size(microns: object) -> None:
    """Refuse a size of a pixel that none has.

    Raises:
        UsageError: it is neither None nor a number from `SMALLEST_PIXEL` to `LARGEST_PIXEL`.
    """
    if microns is None:
        return
    try:
        size = float(microns)  # type: ignore[arg-type]  # whatever a program hands over
    except (TypeError, ValueError):
        size = math.nan
    if not SMALLEST_PIXEL <= size <= LARGEST_PIXEL:
        raise UsageError(
            f"A pixel of {microns!r} micrometres was given.",
            f"Give a number from {SMALLEST_PIXEL:g} to {LARGEST_PIXEL:g}, or leave it out.",
        )


def require_screener_arguments(model: object, device: object, threads: object) -> None:
    """Refuse what is of another kind than a model, a device or a number of threads.

    Raises:
        UsageError: with what it is.
    """
    expected = (
        ("model", model, str | os.PathLike | None, "the name of an installed model, or a folder"),
        ("device", device, str, "the name of a device, such as 'auto' or 'cpu'"),
        ("threads", threads, int | None, "a whole number"),
    )
    for name, value, kinds, words in expected:
        if not isinstance(value, kinds):
            raise UsageError(f"{name} is a {type(value).__name__}.", f"Give {words}, or leave it out.")
