"""What a command says of the files that it was pointed at and does not look at."""

from __future__ import annotations

import typer

from edge_all.inputs import FoundImages, described

__all__ = ["say_what_is_left_out"]


def say_what_is_left_out(found: FoundImages) -> None:
    """Name the folders without images, and the pictures in formats that are not read, on standard error."""
    from edge_all.imaging.foreign import EXPORT_REMEDY

    for folder in found.empty_folders:
        typer.echo(f"Passed over: the folder {folder} holds no images.", err=True)
    others = found.in_other_formats
    if others:
        typer.echo(f"Passed over, in formats that are not read: {described(others)}. {EXPORT_REMEDY}", err=True)
