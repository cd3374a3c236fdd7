"""``edge-all dicom``: fields out of DICOM, results into DICOM."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_all.results import INTENDED_USE

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb and its verbs."""
    group = typer.Typer(name="dicom", help="Make fields of DICOM images, and DICOM of results.")
    group.command("fields")(fields)
    group.command("results")(results)
    app.add_typer(group, no_args_is_help=True)


def fields(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="DICOM images, or folders of them.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="A new folder for the fields.")],
) -> None:
    """Make fields of VL microscopic and photographic images; nothing that identifies a patient is carried along.

    Each series becomes a folder, which is a slide for edge-all screen. Exit status 1 where a file could not be read.
    """
    from edge_all.dicom.dicom_fields import read_dicom_fields

    read = read_dicom_fields(files, out)
    for failure in read.failures:
        typer.secho(str(failure), fg=typer.colors.YELLOW, err=True)
    typer.echo(f"Fields: {len(read.fields)} in {out}. Screen them: edge-all screen '{out / '*'}' -o RESULTS")
    raise typer.Exit(0 if read.fields and not read.failures else 1 if read.fields else 2)


def results(
    run: Annotated[Path, typer.Argument(help="Folder with the results of edge-all screen.")],
    of_fields: Annotated[Path, typer.Option("--fields", help="The folder of fields that were screened.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="A new folder for the DICOM files.")],
) -> None:
    """Write a structured report and a segmentation for each field that was judged."""
    from edge_all.dicom.dicom_results import write_dicom_results

    written = write_dicom_results(run, of_fields, out)
    typer.echo(f"DICOM files: {len(written)} in {out}")
    typer.echo(INTENDED_USE)
