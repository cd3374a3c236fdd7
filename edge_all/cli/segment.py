"""``edge-all segment``: fields to label images and crops."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.process import lean_process

if TYPE_CHECKING:
    from edge_all.results import FieldResult

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("segment")(segment)


def segment(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Images, folders of images, or globs.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results; made if need be.")],
    microns_per_pixel: Annotated[
        float | None, typer.Option(min=0.01, max=10.0, help="Physical size of a pixel, where it is known.")
    ] = None,
) -> None:
    """Find the white cells, and write them as label images and crops; nothing is classified.

    Writes STEM.cells.png and STEM.nuclei.png (16 bit, 0 = ground, the same number = the same cell) and crops/.
    """
    lean_process()
    from edge_all.cli.found import say_what_is_left_out
    from edge_all.inputs import find_images

    sources = find_images(paths)
    say_what_is_left_out(sources)
    from rich.console import Console
    from rich.text import Text

    from edge_all.cli.tables import readable_table
    from edge_all.files.run_folder import FIELDS_FILE
    from edge_all.runs.segmentation_run import segment_to_folder

    table = readable_table("image", "candidates", "rejected", "note", fold=("image", "note"))
    failed = False
    for field in segment_to_folder(sources, out, microns_per_pixel=microns_per_pixel):
        failed |= field.status != "ok"
        candidates = len(field.candidates)
        table.add_row(Text(field.image), str(candidates), str(len(field.cells) - candidates), Text(_note(field)))
    Console().print(table)
    typer.echo(f"Label images, crops and {FIELDS_FILE}: {out}")
    raise typer.Exit(1 if failed else 0)


def _note(field: FieldResult) -> str:
    """What went wrong, or which size of a pixel was taken from the file."""
    if field.error is not None or field.microns_per_pixel_from in (None, "given"):
        return field.error or ""
    return f"{field.microns_per_pixel:.4g} \u00b5m a pixel ({field.microns_per_pixel_from})"
