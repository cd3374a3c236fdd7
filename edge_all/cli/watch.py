"""``edge-all watch``: judge the images that arrive in folders."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.options import DeviceOption, ModelOption, StationOption, ThreadsOption, VariantOption
from edge_all.cli.process import lean_process, stop_on_signals
from edge_all.cli.station_folder import station_folder
from edge_all.wording.plurals import counted

if TYPE_CHECKING:
    from edge_all.results import FieldResult

__all__ = ["SlideNamesOption", "register", "say_field"]

SlideNamesOption = Annotated[
    str | None,
    typer.Option(
        "--slide-names",
        metavar="PATTERN",
        help="Where in a file name its slide stands, such as 'SLIDE_*.jpg'; each folder is a slide without.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("watch", rich_help_panel="Station")(watch)


def watch(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Into which the camera writes.")],
    station: StationOption = None,
    slide_names: SlideNamesOption = None,
    model: ModelOption = None,
    variant: VariantOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
) -> None:
    """Judge the images that arrive in folders, and those below them, until Ctrl-C.

    An image is taken when it is complete, is judged once, and again when another picture takes its name. What was found
    stands in the station's store, and what happened in its log (station.jsonl).
    """
    lean_process()
    from edge_all.api.screener import Screener
    from edge_all.station.desk import Station
    from edge_all.station.intake.judging import judge_of
    from edge_all.station.intake.slide_names import SlideNames
    from edge_all.station.intake.watching import Intake

    stop = stop_on_signals()
    with Station(station_folder(station)) as opened:
        judge = judge_of(Screener(model, variant, device, threads))
        watched = ", ".join(map(str, folders))
        typer.echo(f"Watching {watched} (Ctrl-C ends it). What is found is kept in {opened.database.folder}")
        Intake(opened.database, folders, judge, SlideNames(slide_names), say_field).run(stop)


_IN_ORDER = ("ALL", "indeterminate", "non-ALL", "rejected")
"""The kinds of cells as each line names them, whatever came first in a field."""


def say_field(result: FieldResult) -> None:
    """Print a line for a field that is on disk.

    On a terminal its slide and its file lead the line. A service's journal keeps no names, which the store may forget.
    """
    from edge_all.files.naming import image_file_name

    where = f"{result.slide}, {image_file_name(result.image)}: " if sys.stdout.isatty() else ""
    if result.status == "ok":
        counts = Counter("rejected" if cell.kind == "rejected" else cell.label for cell in result.cells)
        kinds = [f"{counts[kind]} {kind}" for kind in _IN_ORDER if counts[kind]]
        typer.echo(where + ", ".join([counted(len(result.candidates), "cell"), *kinds]))
    else:
        reasons = result.quality.reasons if result.quality is not None else ()
        typer.echo(f"{where}{result.status.capitalize()}: {result.error or ' '.join(reasons)}")
