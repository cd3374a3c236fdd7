"""``edge-all store``: copies of what a station knows, what goes into it from a run, and what a model learns from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_all.cli.json_output import print_json
from edge_all.cli.options import ModelOption, StationOption
from edge_all.cli.station_folder import station_folder

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    store = typer.Typer(
        help="Back up and restore what a station knows, take runs into it, and cells out of it.", no_args_is_help=True
    )
    store.command("backup")(backup)
    store.command("restore")(restore)
    store.command("import")(import_run)
    store.command("export-cells")(export_cells)
    store.command("report")(report)
    store.command("settings")(settings)
    store.command("forget")(forget)
    app.add_typer(store, name="store", rich_help_panel="Station")


def backup(
    out: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The new file; one in the station's folder, named by time, where left out."
        ),
    ] = None,
    station: StationOption = None,
) -> None:
    """Copy the store, also while the station works, and look the copy through."""
    from edge_all.station.storage.backup import back_up

    made = back_up(station_folder(station), out)
    typer.echo(f"Backup: {made.file}")
    typer.echo(f"{made.chain.events} events, the last with hash {made.chain.last_sha256}")


def restore(
    backup: Annotated[Path, typer.Argument(help="A file that `edge-all store backup` wrote.")],
    station: StationOption = None,
) -> None:
    """Put a backup in the place of the store of a station that is not running.

    The backup is looked through first; what is there now is kept beside it.
    """
    from edge_all.station.storage.backup import restore as put_back

    aside = put_back(station_folder(station), backup)
    typer.echo("Restored." if aside is None else f"Restored. What was there before: {aside}")


def import_run(
    run: Annotated[Path, typer.Argument(help="Output folder of `edge-all screen`.")], station: StationOption = None
) -> None:
    """Take a finished run into a station that is not running, as if it had judged the images itself."""
    from edge_all.station.desk import Station
    from edge_all.station.intake.run_import import import_run as take_in

    with Station(station_folder(station)) as opened:
        done = take_in(opened.database, run)
    typer.echo(f"{done.fields} fields are new, {done.known} were known. Slides: {', '.join(done.slides)}")


def export_cells(
    out: Annotated[Path, typer.Option("--output", "-o", help="The new cell set (npz).")],
    station: StationOption = None,
    model: ModelOption = None,
    laboratory: Annotated[str, typer.Option("--laboratory", help="Name of the laboratory that they are from.")] = "",
) -> None:
    """Write the confirmed cells of signed slides as labelled cells, for `edge-all adapt` and training.

    They are cut as the model that is named sees them. Groups are slides.
    """
    from edge_all.model.store import find_package
    from edge_all.station.desk import Station
    from edge_all.station.reports.labelled_cells import write_labelled_cells

    spec = find_package(model).card.preprocessing
    with Station(station_folder(station)) as opened:
        written = write_labelled_cells(opened, out, spec, laboratory)
    typer.echo(f"{written.all_cells} ALL and {written.non_all_cells} non-ALL cells of {written.slides} slides: {out}")
    for reason, number in written.left_out.items():
        typer.echo(f"Left out: {number} ({reason})")


def report(
    slide: Annotated[str, typer.Argument(help="Code of the slide.")],
    out: Annotated[
        Path, typer.Option("--output", "-o", help="The folder; other slides' reports may lie there already.")
    ],
    station: StationOption = None,
    reader: Annotated[
        str, typer.Option("--reader", help="As whom an unsigned slide is reported, where two read it.")
    ] = "edge-all",
) -> None:
    """Write the report of a slide as HTML, PDF, JSON, CSV, GeoJSON and FHIR; preliminary where it is not signed."""
    from edge_all.station.desk import Station
    from edge_all.station.reports.report_files import write_reports

    with Station(station_folder(station)) as opened:
        for file in write_reports(opened, slide, reader, out):
            typer.echo(file)


def settings(
    station: StationOption = None,
    actor: Annotated[str, typer.Option("--by", help="Who decides; stands in the audit chain.")] = "administrator",
    readers: Annotated[
        int | None,
        typer.Option(
            "--readers", min=1, max=2, help="How many people read each slide that is not signed yet, each blinded."
        ),
    ] = None,
    forget_names_after: Annotated[
        int | None,
        typer.Option(
            "--forget-names-after",
            metavar="DAYS",
            min=0,
            help="Days after signing; 0: never, as it is until set.",
        ),
    ] = None,
    kinds: Annotated[
        Path | None, typer.Option("--kinds", help="JSON file with the kinds of cells: name, counts_as, key of each.")
    ] = None,
) -> None:
    """Say how a station is set, and set it; what was decided under earlier settings stays as it was decided.

    Without options it only says. What it prints of the kinds can be changed and given back to --kinds.
    """
    from edge_all.station.desk import Station
    from edge_all.station.review.settings import changed_settings, read_kinds

    with Station(station_folder(station)) as opened:
        before = opened.settings()
        after = changed_settings(
            before,
            kinds=None if kinds is None else read_kinds(kinds),
            second_reader=None if readers is None else readers == 2,
            forget_names_after_days=forget_names_after,
        )
        if after != before:
            opened.change_settings(after, actor)
    print_json(after.to_json())


def forget(station: StationOption = None) -> None:
    """Forget what slides were called and where their images lie, where the laboratory's settings say so.

    Their cells, decisions and signatures stay, under the slide's code. The images themselves are not touched.
    """
    from datetime import UTC, datetime

    from edge_all.station.desk import Station

    with Station(station_folder(station)) as opened:
        forgotten = opened.forget_old_names(datetime.now(UTC))
        if opened.settings().forget_names_after_days is None:
            typer.echo("Nobody has set a policy: edge-all store settings --forget-names-after DAYS")
    typer.echo(f"Forgotten: {len(forgotten)} {' '.join(forgotten)}".rstrip())
