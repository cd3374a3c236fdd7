"""``edge-all capture``: fields out of a camera's stream."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_all.cli.process import lean_process, stop_on_signals

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("capture", rich_help_panel="Station")(capture)


def capture(
    source: Annotated[str, typer.Argument(help="Number of the camera, from 0; or a video file.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder of the slide, within one that is watched.")],
) -> None:
    """Take a picture each time that the stage has come to rest at another place, until Ctrl-C.

    Move the slide on, stop, and the field is taken; nothing has to be pressed.
    """
    lean_process()
    from edge_all.station.intake.capturing import capture_fields
    from edge_all.wording.plurals import counted

    stop = stop_on_signals()
    taken = 0
    for path in capture_fields(source, out, stop):
        taken += 1
        typer.echo(path)
    typer.echo(counted(taken, "field"))
