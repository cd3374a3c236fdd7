"""``edge-all station``: what arrives is judged, kept and shown, all in one process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

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

__all__ = ["register"]

_DEMO_STATION = "demo-station"
_DEMO_IMAGES = "demo-images"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("station", rich_help_panel="Station")(station)


def station(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[FOLDER...]", help="Into which the camera writes.")
    ] = None,
    store: StationOption = None,
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

    place = _demo_station() if demo and store is None else station_folder(store)
    watched = list(folders or ())
    if demo:
        watched.append(place / _DEMO_IMAGES)
        watched[-1].mkdir(parents=True, exist_ok=True)
    stop = stop_on_signals()
    require_page()
    screener = Screener(model, variant, device, threads)
    with (
        Station(place) as opened,
        page_of(opened, host, port, host_names or (), tuple(watched), screener.classifier),
    ):
        judge = judge_of(screener)
        intake = Intake(opened.database, watched, judge, SlideNames(slide_names), say_field)
        with _fed(watched[-1]) if demo else _unfed():
            intake.run(stop)


def _demo_station() -> Path:
    from edge_all.model.user_folder import user_folder

    return user_folder() / _DEMO_STATION


@contextmanager
def _fed(folder: Path) -> Iterator[None]:
    """Render the sample slides into a folder meanwhile."""
    from edge_all.rendering.demo_fields import DEMO_NOTICE, write_demo_fields

    typer.echo(DEMO_NOTICE)
    rendering = threading.Thread(target=write_demo_fields, args=(folder,), name="edge-all-demo")
    rendering.start()
    try:
        yield
    finally:
        rendering.join()


@contextmanager
def _unfed() -> Iterator[None]:
    yield
