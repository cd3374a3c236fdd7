"""``edge-all demo``: synthetic sample fields, screened like real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all.cli.options import DeviceOption, ModelOption, ThreadsOption, VariantOption
from edge_all.cli.process import lean_process

__all__ = ["register"]

FIELDS_FOLDER = "fields"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)


def demo(
    out: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the fields and the results; made if need be.")
    ] = Path("edge-all-demo"),
    model: ModelOption = None,
    variant: VariantOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Render sample fields, screen them, and say where the report is.

    The fields are synthetic: they show how the program works, and are no evidence of how accurate it is.
    """
    lean_process()
    from edge_all.cli.progress import field_progress
    from edge_all.cli.slide_table import print_slides
    from edge_all.files.run_folder import RunFolder
    from edge_all.rendering.demo_fields import DEMO_NOTICE, demo_files, write_demo_fields
    from edge_all.runs.earlier_run import refuse_run_of_other_images
    from edge_all.runs.screening_run import RunPlan, screen_to_folder

    refuse_run_of_other_images(out, demo_files(out / FIELDS_FOLDER))
    typer.echo(DEMO_NOTICE, err=as_json)
    paths = write_demo_fields(out / FIELDS_FOLDER)
    from edge_all.api.screener import Screener
    from edge_all.inputs import find_images

    screener = Screener(model, variant, device, threads)
    with field_progress(len(paths), quiet=as_json) as on_field:
        # Run again in the same folder, it takes the results that are there.
        summary = screen_to_folder(
            find_images(paths), screener, out, RunPlan(notice=DEMO_NOTICE), resume=True, on_field=on_field
        )
    if as_json:
        print_json([slide.to_json() for slide in summary.slides])
        return
    print_slides(summary.slides)
    typer.echo(f"Report: {RunFolder(out, {}).report}")
