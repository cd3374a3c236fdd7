"""``edge-all segment``: fields to label images and crops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all.cli.options import PixelSizeOption, SegmentationOption
from edge_all.cli.process import lean_process

if TYPE_CHECKING:
    from edge_all.results import FieldSummary

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("segment")(segment)


def segment(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Images, folders of images, or globs.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results; made if need be.")],
    microns_per_pixel: PixelSizeOption = None,
    segmentation: SegmentationOption = "learned",
    as_json: JsonOption = False,
) -> None:
    """Find the white cells, and write them as label images and crops; nothing is classified.

    Writes STEM.cells.png and STEM.nuclei.png (16 bit, 0 = ground, the same number = the same cell) and crops/.
    """
    lean_process()
    from edge_all.cli.found import say_what_is_left_out
    from edge_all.inputs import find_images

    sources = find_images(paths)
    say_what_is_left_out(sources)
    from edge_all.files.run_folder import FIELDS_FILE
    from edge_all.runs.segmentation_run import segment_to_folder
    from edge_all.segmentation import checked_segmentation

    way = checked_segmentation(segmentation)

    # Without outlines: those of a thousand fields do not fit into memory.
    fields = [
        field.summary()
        for field in segment_to_folder(sources, out, microns_per_pixel=microns_per_pixel, segmentation=way)
    ]
    if as_json:
        print_json([_record(field) for field in fields])
    else:
        _print_table(fields)
        typer.echo(f"Label images, crops and {FIELDS_FILE}: {out}")
    raise typer.Exit(0 if all(field.status == "ok" for field in fields) else 1)


def _record(field: FieldSummary) -> dict[str, Any]:
    """What was found in an image, in numbers; each cell stands in ``fields.jsonl``."""
    candidates = len(field.candidates)
    return {
        "image": field.image,
        "slide": field.slide,
        "status": field.status,
        "error": field.error,
        "candidates": candidates,
        "rejected": len(field.cells) - candidates,
        "microns_per_pixel": field.microns_per_pixel,
        "microns_per_pixel_from": field.microns_per_pixel_from,
        "warnings": _warnings(field),
    }


def _print_table(fields: Sequence[FieldSummary]) -> None:
    from edge_all.cli.tables import ReadableTable
    from edge_all.results import INTENDED_USE

    table = ReadableTable("image", "candidates", "rejected", "note", fold=("image", "note"), caption=INTENDED_USE)
    for field in fields:
        candidates = len(field.candidates)
        table.add_row(field.image, str(candidates), str(len(field.cells) - candidates), _note(field))
    table.print()


def _warnings(field: FieldSummary) -> list[str]:
    """What is said of the image, first what a screening would refuse it for; its cells are found all the same."""
    return [] if field.quality is None else [*field.quality.reasons, *field.quality.warnings]


def _note(field: FieldSummary) -> str:
    """What went wrong, what the reader should know, and which size of a pixel was taken from the file."""
    if field.error is not None:
        return field.error
    notes = _warnings(field)
    if field.microns_per_pixel_from not in (None, "given"):
        notes.append(f"{field.microns_per_pixel:.4g} \u00b5m a pixel ({field.microns_per_pixel_from})")
    return " ".join(notes)
