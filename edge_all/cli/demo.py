"""``edge-all demo``: synthetic sample fields, screened like real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]

FIELDS_FOLDER = "fields"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the fields and the results; made if need be.")
    ] = Path("edge-all-demo"),
) -> None:
    """Render sample fields, screen them, and say where the report is.

    The fields are synthetic: they show how the program works, and are no evidence of how accurate it is.
    """
    from edge_all.rendering.demo import DEMO_NOTICE, write_demo_fields

    typer.echo(DEMO_NOTICE)
    paths = write_demo_fields(out / FIELDS_FOLDER)
    typer.echo(f"Fields: {len(paths)} in {out / FIELDS_FOLDER}")
