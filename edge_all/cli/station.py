"""``edge-all station``: what arrives is judged, kept and shown, all in one process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_all.cli.options import (
    DeviceOption,
    HostNamesOption,
    HostOption,
    ModelOption,
    PortOption,
    StationOption,
    ThreadsOption,
    VariantOption,
)
from edge_all.cli.process import lean_process, stop_on_signals
from edge_all.cli.station_folder import station_folder
from edge_all.cli.station_page import DEFAULT_HOST, DEFAULT_PORT, page_of, require_page
from edge_all.cli.watch import SlideNamesOption, say_field
from edge_all.errors import OutputError

if TYPE_CHECKING:
    from edge_all.station.desk import Station

__all__ = ["register"]

_DEMO_STATION = "demo-station"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("station", rich_help_panel="Station")(station)


def station(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[FOLDER...]", help="Into which the camera writes.")
    ] = None,
    store: StationOption = None,
    backups: Annotated[
        Path | None,
        typer.Option(
            "--back-up-to",
            metavar="FOLDER",
            help="Copy what the station knows there once a day, and look each copy through.",
        ),
    ] = None,
    slide_names: SlideNamesOption = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Feed rendered slides to a station of their own, to see how it works.")
    ] = False,
    host: HostOption = DEFAULT_HOST,
    port: PortOption = DEFAULT_PORT,
    host_names: HostNamesOption = None,
    model: ModelOption = None,
    variant: VariantOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
) -> None:
    """Judge the images that arrive in folders, and show them in a browser, where people decide and sign; until Ctrl-C.

    It is `edge-all watch` and `edge-all serve` in one.
    """
    lean_process()
    from edge_all.api.screener import Screener
    from edge_all.station.desk import Station
    from edge_all.station.intake.judging import judge_of
    from edge_all.station.intake.slide_names import SlideNames
    from edge_all.station.intake.watching import Intake
    from edge_all.station.storage.daily_backup import DailyBackup
    from edge_all.station.storage.slide_records import DEMO_FOLDER

    require_page()
    place = _demo_station() if demo and store is None else station_folder(store)
    watched = [*(folders or ()), *([place / DEMO_FOLDER] if demo else [])]
    daily = None if backups is None else DailyBackup(place, backups)
    stop = stop_on_signals()
    screener = Screener(model, variant, device, threads)
    with _demonstration(place) if demo else Station(place) as opened:
        # Before the page: an address is said only where there will be one.
        intake = Intake(opened.database, watched, judge_of(screener), SlideNames(slide_names), say_field)
        with (
            page_of(opened, host, port, host_names or (), tuple(watched), screener.classifier, daily),
            _while_it_works(lambda: daily.run(stop) if daily else None, stop),
            _while_it_works(lambda: _feed(watched[-1]) if demo else None),
        ):
            intake.run(stop)


def _demo_station() -> Path:
    from edge_all.model.user_folder import user_folder

    return user_folder() / _DEMO_STATION


@contextmanager
def _demonstration(place: Path) -> Iterator[Station]:
    """A station with a folder for the sample slides; where it lies is said only once it is open."""
    from edge_all.station.desk import Station
    from edge_all.station.storage.database import STORE_FILE
    from edge_all.station.storage.slide_records import DEMO_FOLDER

    goes_on = (place / STORE_FILE).is_file()
    with Station(place) as opened:
        (place / DEMO_FOLDER).mkdir(exist_ok=True)
        _say_where_it_lies(place, goes_on=goes_on)
        yield opened


def _say_where_it_lies(place: Path, *, goes_on: bool) -> None:
    if goes_on:
        typer.echo("The demonstration goes on where it was left. To begin anew, end it and delete that folder:")
    else:
        typer.echo("The demonstration is kept, with what you decide in it, in this folder, which you may delete:")
    typer.echo(place)


def _feed(folder: Path) -> None:
    """Render the sample slides into a folder."""
    from edge_all.rendering.demo_fields import DEMO_NOTICE, demo_files, write_demo_fields

    typer.echo(DEMO_NOTICE)
    if all(file.is_file() for file in demo_files(folder)):
        return  # of an earlier start
    try:
        write_demo_fields(folder)
    except OutputError as error:  # as of another version, which drew them differently: those that are there stay
        typer.echo(error, err=True)


@contextmanager
def _while_it_works(work: Callable[[], None], stop: threading.Event | None = None) -> Iterator[None]:
    """Do something beside the block, tell it to stop where it has to be told, and wait for its end."""
    thread = threading.Thread(target=work, name="edge-all-beside")
    thread.start()
    try:
        yield
    finally:
        if stop is not None:
            stop.set()
        thread.join()
