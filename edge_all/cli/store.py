"""``edge-all store``: copies of what a station knows, and putting one back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_all.cli.options import StationOption
from edge_all.cli.station_folder import station_folder

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    store = typer.Typer(help="Back up what a station knows, and put a backup back.", no_args_is_help=True)
    store.command("backup")(backup)
    store.command("restore")(restore)
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
