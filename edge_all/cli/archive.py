"""``edge-all archive``: a manifest of slides, over processes or a cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all.cli.options import DeviceOption, ModelOption, PixelSizeOption, ThreadsOption, VariantOption, offers
from edge_all.errors import UsageError
from edge_all.results import INTENDED_USE
from edge_all.wording.plurals import counted

if TYPE_CHECKING:
    from edge_all.slide_archive.reconciliation import Reconciliation
    from edge_all.slide_archive.worker import Outcome

__all__ = ["register"]

_NAMED = 10
"""Slides and rows that are named; of more the number is given, and all stand in the account."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("archive")(archive)


def archive(
    manifest: Annotated[
        str, typer.Argument(help="A folder of slides, or a table of images (.csv, .tsv, .parquet); a path or s3://.")
    ],
    out: Annotated[
        str, typer.Option("--output", "-o", metavar="PATH", help="Folder for the results; a path or s3://.")
    ],
    model: ModelOption = None,
    variant: VariantOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    microns_per_pixel: PixelSizeOption = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that judge slides, or Ray's actors.")] = 1,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Work on this Ray cluster: auto for the one of this node, local for one of its own.",
            autocompletion=offers("auto", "local"),
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            metavar="I/N", help="Judge the I-th of N parts only, for job arrays; run without it once all are through."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge an archive of slides, and account for every image.

    Each slide's results are put in place in one step, so that whatever dies costs a slide; running again goes on with
    what is missing. Writes results, Parquet tables of cells, fields and slides, and reconciliation.json.
    """
    from edge_all.slide_archive.archive_run import Crew, screen_archive, screen_part
    from edge_all.slide_archive.manifest import read_manifest
    from edge_all.slide_archive.worker import Settings

    numbers = None if part is None else _numbers(part)
    wanted = read_manifest(manifest)
    settings = Settings(out, model, variant, device, threads, microns_per_pixel)
    crew = Crew(workers, ray)
    slides = wanted.slides if numbers is None else wanted.part(*numbers)
    try:
        with _slide_progress(len(slides), sum(len(slide.images) for slide in slides), quiet=as_json) as on_slide:
            if numbers is not None:
                failures = screen_part(slides, settings, crew, on_slide=on_slide)
                in_place = f"{len(slides) - failures} of {counted(len(slides), 'slide')} in place"
                typer.echo(f"Part {part}: {in_place}.", err=True)
                raise typer.Exit(1 if failures else 0)
            account = screen_archive(wanted, settings, crew, on_slide=on_slide)
    except KeyboardInterrupt:
        typer.secho(f"Interrupted. Slides whose results are in {out} stay; run again to go on.", err=True)
        raise typer.Exit(130) from None
    if as_json:
        print_json(account.to_json())
    else:
        _print_account(account, out)
    raise typer.Exit(0 if account.all_judged else 1)


def _numbers(part: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)/(\d+)", part)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"{part!r} is no part.", "Give the number of the part and of all parts, for example 3/40.")
    return int(found[1]), int(found[2])


@contextmanager
def _slide_progress(slides: int, images: int, *, quiet: bool) -> Iterator[Callable[[Outcome], None]]:
    """Show slides, rate and time left on standard error; failures are named as they happen, also when ``quiet``."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    from edge_all.cli.terminal import harmless

    console = Console(stderr=True)
    columns = (
        TextColumn("Slides"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("Slides", total=slides, rate=counted(images, "image"))
        fields = 0

        def on_slide(outcome: Outcome) -> None:
            nonlocal fields
            if outcome.state == "judged":
                fields += sum(outcome.fields.values())
            failure = None
            if outcome.error is not None:
                failure = f"failed: {outcome.slide}: {outcome.error}"
            elif outcome.unread:
                failure = f"unread: {outcome.slide}: {counted(outcome.unread, 'image')}"
            if failure is not None:
                console.print(Text(harmless(failure, terminal=False), style="yellow"))
            elapsed = progress.tasks[task].elapsed or 0.0
            rate = f"{fields / elapsed:.1f} fields/s" if elapsed else ""
            progress.update(task, advance=1, rate=rate)

        yield on_slide


def _print_account(account: Reconciliation, out: str) -> None:
    fields = account.fields
    verdicts = ", ".join(f"{number} {verdict}" for verdict, number in sorted(account.verdicts.items())) or "none"
    lines = [
        f"Slides: {account.complete} of {account.slides} complete ({verdicts})",
        f"Images: {account.images} in {account.rows} rows",
        f"Fields: {fields['ok']} judged, {fields['unusable']} unusable, {fields['error']} that could not be judged",
    ]
    lines += _some("row of no use", [f"{bad.row}: {bad.reason}" for bad in account.bad_rows])
    lines += _some("slide without results", [f"{slide}: {why}" for slide, why in account.missing.items()])
    lines += _some("slide with unread images", [f"{slide}: {number}" for slide, number in account.unread.items()])
    lines += _some("image not there exactly once", account.twice)
    if account.accounted:
        lines.append("Every image of the manifest is there exactly once.")
    lines += [f"Account, tables and results: {out}", INTENDED_USE]
    for line in lines:
        typer.echo(line)


def _some(what: str, all_of_them: list[str]) -> list[str]:
    lines = [f"{what[0].upper()}{what[1:]}: {one}" for one in all_of_them[:_NAMED]]
    rest = len(all_of_them) - len(lines)
    return [*lines, f"... and {rest} more, see reconciliation.json"] if rest else lines
