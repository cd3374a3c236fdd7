"""What a run of ``screen`` writes: the one list of its output formats.

A new format is a file beside this one with a function that writes it, and a line here: in `FIELD_FORMATS` if it is
about one field and written as soon as that is judged, in `RUN_FORMATS` if it is about all fields together. What its
files are called, `edge_all.files.run_folder.RunFolder` knows. ``fields.jsonl`` is none: a run keeps its place by it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeAlias

from edge_all.files.run_folder import RunFolder
from edge_all.outputs.activation_maps import save_activation_maps
from edge_all.outputs.cell_table import cell_rows
from edge_all.outputs.csv_table import write_csv
from edge_all.outputs.geojson import write_geojson
from edge_all.outputs.jsonl import each_record
from edge_all.outputs.overlay import save_overlay
from edge_all.outputs.parquet import write_parquet
from edge_all.outputs.rejected_sheet import save_rejected_sheet
from edge_all.outputs.report.galleries import Pictures
from edge_all.outputs.report.html_report import write_report
from edge_all.outputs.report.tile_outlines import TileOutline, tile_outlines
from edge_all.outputs.run_summary import RunSummary
from edge_all.outputs.slides_json import write_slides
from edge_all.outputs.spreadsheet import write_spreadsheet
from edge_all.outputs.thumbnails import save_thumbnails
from edge_all.results import RgbImage
from edge_all.screening.field_screening import ScreenedField

__all__ = ["FIELD_FORMATS", "RUN_FORMATS", "FieldWriter", "RunWriter", "write_field", "write_run"]

FieldWriter: TypeAlias = Callable[[RunFolder, ScreenedField, RgbImage, float], None]
"""Writes about one field that could be read: the folder, the field, its picture (see `ScreenedField`), and the factor
by which the model's crops are cut. Called on a background thread, for one field at a time."""
RunWriter: TypeAlias = Callable[[RunFolder, RunSummary], None]
"""Writes about all fields together, once at the end of a run."""


def _write_report(folder: RunFolder, run: RunSummary) -> None:
    cells = [(field.image, cell.id) for field in run.fields for cell in field.candidates]
    maps = {cell: path for cell in cells if (path := folder.activation_map(*cell)).exists()} if folder.has_maps else {}

    def outlines(wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], TileOutline]:
        # A run keeps no outlines in memory.
        if run.card is None or not folder.fields.exists():
            return {}
        return tile_outlines(each_record(folder.fields), run.card.preprocessing.factor, wanted)

    judged = [field.image for field in run.fields if field.status != "error"]
    pictures = Pictures(
        overlays={image: folder.overlay(image) for image in judged},
        thumbnails={cell: folder.crop(*cell) for cell in cells},
        rejected={image: folder.rejected(image) for image in judged},
        activations=maps if maps or run.with_maps else None,
    )
    write_report(folder.report, run, pictures, outlines=outlines)


FIELD_FORMATS: tuple[FieldWriter, ...] = (
    lambda folder, field, picture, _: save_overlay(folder.overlay(field.result.image), picture, field.result),
    lambda folder, field, _, factor: save_thumbnails(folder, field.result, field.squares, factor),
    lambda folder, field, _, factor: save_activation_maps(
        folder, field.result, field.squares, field.activations, factor
    ),
    lambda folder, field, picture, _: save_rejected_sheet(folder.rejected(field.result.image), picture, field.result),
    lambda folder, field, *_: write_geojson(folder.geojson(field.result.image), field.result),
)
RUN_FORMATS: tuple[RunWriter, ...] = (
    lambda folder, run: write_csv(folder.cells, cell_rows(folder, run.fields)),
    lambda folder, run: write_spreadsheet(folder.spreadsheet, cell_rows(folder, run.fields)),
    lambda folder, run: write_parquet(folder.parquet, cell_rows(folder, run.fields)) if run.with_parquet else None,
    lambda folder, run: write_slides(folder.slides, run.slides, run.fields, run.passed_over, run.notice),
    _write_report,
)


def write_field(folder: RunFolder, field: ScreenedField, factor: float) -> None:
    """Write all that is about one field; nothing, where it could not be read.

    Args:
        folder: of the run.
        field: the judged field.
        factor: by which the model's crops are cut.

    Raises:
        OutputError: a file cannot be written.
    """
    if field.picture is not None:
        for write in FIELD_FORMATS:
            write(folder, field, field.picture, factor)


def write_run(folder: RunFolder, run: RunSummary) -> None:
    """Write all that is about the fields together.

    Raises:
        OutputError: a file cannot be written.
    """
    for write in RUN_FORMATS:
        write(folder, run)
