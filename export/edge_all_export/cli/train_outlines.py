"""``edge-all train-outlines``: the reference sets to a network that finds the outlines of cells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_all_calibration.cli.paths import existing

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("train-outlines", rich_help_panel="Training side")(train_outlines)


def train_outlines(
    data: Annotated[
        Path, typer.Option("--data", callback=existing, help="Folder of the reference sets.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the run; new, unless resuming.", show_default=False)
    ],
    leave_out: Annotated[
        str | None,
        typer.Option("--leave-out", help="Laboratory whose cells take no part, so that it can judge the network."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the windows.")] = 10,
    windows: Annotated[int, typer.Option(min=64, help="Windows that are composed.")] = 12288,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the killed run in the folder.")] = False,
) -> None:
    """Train the network that says where a cell ends and the next, or a red cell, begins.

    It learns from cells whose outline is known, and from clumps composed of them. Writes the network as outline.onnx,
    its card, the log and a checkpoint.
    """
    from rich.console import Console

    from edge_all_export.cli.backend import quiet_backend

    console = Console(stderr=True)
    with console.status("Loading Keras"), quiet_backend():
        from edge_all_export.outlines.outline_training import OutlineEpoch, OutlineRecipe
        from edge_all_export.outlines.outline_training import train_outlines as train

    def report(epoch: OutlineEpoch) -> None:
        left_out = f", left-out laboratory {epoch.left_out:.3f}" if leave_out is not None else ""
        typer.echo(
            f"Epoch {epoch.epoch}: loss {epoch.loss:.3f}, overlap on held-out images {epoch.held_out:.3f}{left_out}",
            err=True,
        )

    recipe = OutlineRecipe(left_out=leave_out, epochs=epochs, windows=windows, seed=seed)
    with console.status("Training") as status:
        written = train(data, out, recipe, resume=resume, report=report, say=status.update)
    typer.echo(f"Network of outlines: {written}")
