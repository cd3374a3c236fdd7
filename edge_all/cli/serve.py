"""``edge-all serve``: the page and the HTTP API of a station."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_all.cli.options import HostNamesOption, HostOption, PortOption
from edge_all.cli.process import stop_on_signals
from edge_all.cli.station_folder import station_folder
from edge_all.cli.station_page import DEFAULT_HOST, DEFAULT_PORT, page_of

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("serve", rich_help_panel="Station")(serve)


def serve(
    store: Annotated[
        Path | None, typer.Argument(metavar="STATION", help="Folder of the station; the user's own where left out.")
    ] = None,
    host: HostOption = DEFAULT_HOST,
    port: PortOption = DEFAULT_PORT,
    host_names: HostNamesOption = None,
) -> None:
    """Show what a station knows, and let people decide, in a browser; nothing is judged meanwhile.

    `edge-all station` does that and judges what arrives, too.
    """
    from edge_all.station.desk import Station

    stop = stop_on_signals()
    with Station(station_folder(store)) as station, page_of(station, host, port, host_names or ()):
        stop.wait()
