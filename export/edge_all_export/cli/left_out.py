"""Images that could not be used, on the screen: each reason once."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from edge_all_export.datasets.samples import SkippedImage

__all__ = ["print_left_out"]

NAMED = 3
"""Images that are named for each reason; a folder of another kind of picture would fill the screen."""


def print_left_out(skipped: Iterable[SkippedImage]) -> None:
    """Say on standard error which images were left out and why, the first of each reason by name."""
    by_reason: dict[str, list[SkippedImage]] = {}
    for one in skipped:
        # Reasons begin with the name of the image where it could not be read.
        by_reason.setdefault(one.reason.replace(str(one.image), "the image"), []).append(one)
    for images in by_reason.values():
        for one in images[:NAMED]:
            typer.secho(f"Left out {one.image}: {one.reason}", err=True)
        if len(images) > NAMED:
            typer.secho(f"... and {len(images) - NAMED} more for the same reason.", err=True)
