"""``edge-all audit``: is what a station says it knows what it was told?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_all.cli.options import StationOption
from edge_all.cli.station_folder import station_folder

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    audit = typer.Typer(help="Prove that nothing a station knows was changed.", no_args_is_help=True)
    audit.command("verify")(verify)
    app.add_typer(audit, name="audit", rich_help_panel="Station")


def verify(
    station: StationOption = None,
    store: Annotated[Path | None, typer.Option("--store", help="A backup to look through instead.")] = None,
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="HASH", help="A hash that was noted down and must be in the chain."),
    ] = None,
) -> None:
    """Compute the hash of every event anew, also while the station works, and say where the chain breaks.

    Prints the hash of the last event: noted down elsewhere, it shows later that nothing before it was changed. Ends
    with status 1 where something was.
    """
    from edge_all.station.review.audit import audit_store
    from edge_all.station.storage.database import STORE_FILE

    file = store or station_folder(station) / STORE_FILE
    report = audit_store(file, containing=expect)
    if report.clock_went_back:
        numbers = ", ".join(map(str, report.clock_went_back[:10]))
        typer.echo(f"The clock was set back before {len(report.clock_went_back)} events ({numbers}).")
    if report.problem is not None:
        typer.secho(f"Broken: {report.problem}. The {report.events} events before it are in order.", err=True)
        raise typer.Exit(1)
    typer.echo(f"In order: {report.events} events, the last with hash {report.last_sha256}")
