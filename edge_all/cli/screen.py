"""``edge-all screen``: fields to verdicts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all.cli.options import (
    DeviceOption,
    ModelOption,
    PixelSizeOption,
    SegmentationOption,
    ThreadsOption,
    VariantOption,
)
from edge_all.cli.process import lean_process
from edge_all.cli.terminal import harmless

if TYPE_CHECKING:
    from edge_all.outputs.run_summary import RunSummary
    from edge_all.results import FieldSummary

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("screen")(screen)


def screen(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Images, folders of images, or globs.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results; made if need be.")],
    model: ModelOption = None,
    variant: VariantOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    slide: Annotated[
        str | None, typer.Option(help="Take all images as one slide of this name; one slide per folder where left out.")
    ] = None,
    microns_per_pixel: PixelSizeOption = None,
    segmentation: SegmentationOption = "learned",
    activation_maps: Annotated[
        bool,
        typer.Option("--activation-maps", help="Show beside each cell where the network saw what speaks for ALL."),
    ] = False,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write the table of cells as cells.parquet, too (needs pyarrow).")
    ] = False,
    stop_when_settled: Annotated[
        bool,
        typer.Option(
            "--stop-when-settled",
            help="Leave out the remaining images of a slide once its verdict is settled. This takes its fields for "
            "independent samples; a slide photographed from its thin end first can mislead.",
        ),
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted run in the folder.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find ALL cells in microscope fields, and judge each slide.

    A folder of images is one slide. Writes fields.jsonl, cells.csv, cells.xlsx, slides.json, report.html, overlays,
    crops and GeoJSON into the output folder.
    """
    lean_process()
    from edge_all.cli.found import say_what_is_left_out
    from edge_all.cli.progress import field_progress
    from edge_all.inputs import find_images

    sources = find_images(paths, slide=slide)
    say_what_is_left_out(sources)
    from edge_all.api.screener import Screener
    from edge_all.files.run_folder import RunFolder
    from edge_all.runs.screening_run import RunPlan, screen_to_folder, warm_up
    from edge_all.segmentation import checked_segmentation

    warm_up()
    screener = Screener(model, variant, device, threads, checked_segmentation(segmentation))
    try:
        with field_progress(len(sources), quiet=as_json) as on_field:
            summary = screen_to_folder(
                sources,
                screener,
                out,
                RunPlan(microns_per_pixel, stop_when_settled, activation_maps, parquet),
                resume=resume,
                on_field=on_field,
                # Rich takes over the stream while it shows how far things are.
                on_notice=lambda words: typer.echo(harmless(words, terminal=False), err=True),
            )
    except KeyboardInterrupt:
        typer.secho(_interrupted(RunFolder(out, {}).fields), err=True)
        raise typer.Exit(130) from None
    if as_json:
        print_json([slide.to_json() for slide in summary.slides])
    else:
        _say(summary, stop_when_settled)
        typer.echo(f"Report: {RunFolder(out, {}).report}")
    raise typer.Exit(0 if summary.all_judged else 1)


def _say(summary: RunSummary, stop_when_settled: bool) -> None:
    """The verdicts, and what whoever reads them must know."""
    from edge_all.cli.slide_table import print_slides  # with Rich, which a run for programs does without

    print_slides(summary.slides)
    if stop_when_settled:
        typer.echo(f"Images not looked at, their slides being settled: {summary.images_not_looked_at}")
    _say_warnings(summary.fields)
    _say_pixel_sizes(summary.fields)


def _interrupted(fields: Path) -> str:
    """What is left of a run that was interrupted, by its file of fields."""
    if not fields.is_file() or not fields.stat().st_size:
        return "Interrupted before any image was judged."
    return f"Interrupted. What was judged is in {fields.parent}; go on with --resume."


def _say_warnings(fields: Sequence[FieldSummary]) -> None:
    """What is said of fields that were judged, each kind of sentence once, with an example."""
    from edge_all.wording.plurals import counted

    said: dict[str, list[FieldSummary]] = {}
    examples: dict[str, str] = {}
    for field in fields:
        for sentence in field.quality.warnings if field.quality is not None and field.status == "ok" else ():
            kind = re.sub(r"[\d.]+", "", sentence)
            said.setdefault(kind, []).append(field)
            examples.setdefault(kind, sentence)
    for kind, of_fields in said.items():
        typer.echo(f"In {counted(len(of_fields), 'field')}, for example {of_fields[0].image}: {examples[kind]}")


def _say_pixel_sizes(fields: Sequence[FieldSummary]) -> None:
    """Which sizes of a pixel were taken from the files."""
    from edge_all.wording.plurals import counted

    taken = Counter(
        f"{field.microns_per_pixel:.4g} \u00b5m ({field.microns_per_pixel_from})"
        for field in fields
        if field.microns_per_pixel_from not in (None, "given")
    )
    if taken:
        sizes = ", ".join(f"{size} in {counted(number, 'field')}" for size, number in taken.items())
        typer.echo(f"Size of a pixel taken from the files: {sizes}")
