"""The server's application: its parts, put together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection

from fastapi import FastAPI

from edge_all import __version__
from edge_all.classification.classifier import Classifier
from edge_all.results import INTENDED_USE
from edge_all.station.desk import Station
from edge_all.station.reference_cells import reference_cells_of
from edge_all.station.storage.daily_backup import DailyBackup
from edge_all.station.web.administration_api import administration_router
from edge_all.station.web.event_feed import EventFeed
from edge_all.station.web.exchange_api import exchange_router
from edge_all.station.web.guards import Guards
from edge_all.station.web.page_desk import PageDesk
from edge_all.station.web.page_files import PageFiles, files_address
from edge_all.station.web.page_views import page_router
from edge_all.station.web.picture_shelf import PictureShelf
from edge_all.station.web.problems import add_problem_answers
from edge_all.station.web.reference_learner import ReferenceLearner
from edge_all.station.web.report_api import metrics_router, report_router
from edge_all.station.web.slide_api import slide_router
from edge_all.station.web.station_api import health_router, station_router
from edge_all.station.web.station_threads import StationThreads
from edge_all.station.web.visitors import NameTellers, Visitors

__all__ = ["THIS_MACHINE", "web_application"]

THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
"""Names by which this machine is called on itself."""
_ROUTERS = (
    slide_router,
    report_router,
    exchange_router,
    administration_router,
    station_router,
    health_router,
    metrics_router,
    page_router,
)


def web_application(
    station: Station,
    *,
    hosts: Collection[str] = THIS_MACHINE,
    visitors: Visitors | None = None,
    watched: tuple[str, ...] = (),
    classifier: Classifier | None = None,
    backups: DailyBackup | None = None,
) -> FastAPI:
    """The page and the HTTP API of a station.

    Args:
        station: open; stays open.
        hosts: names by which the server may be called.
        visitors: knows who asks; where None, everybody is taken at their word.
        watched: folders that this process watches.
        classifier: by whose features confirmed cells are found that are like one in question, and whose activation maps
            are shown; None where no model is at hand.
        backups: that are made here every day, whose failure is said.
    """
    threads = StationThreads()
    references = reference_cells_of(station, classifier)

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        app.state.feed = EventFeed(station, threads)
        app.state.learner = ReferenceLearner(references, threads)
        feeding, learning = asyncio.create_task(app.state.feed.run()), asyncio.create_task(app.state.learner.run())
        yield
        learning.cancel()
        app.state.feed.stop()
        await feeding
        threads.close()

    app = FastAPI(
        title="edge-all station",
        version=__version__,
        summary=INTENDED_USE,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # its page is made of scripts from elsewhere
        redoc_url=None,
        lifespan=life,
    )
    app.state.desk = PageDesk(
        station,
        threads,
        PictureShelf(station),
        visitors or NameTellers(),
        watched,
        classifier,
        references,
        backups,
    )
    add_problem_answers(app)
    for router in _ROUTERS:
        app.include_router(router)
    app.mount(files_address(), PageFiles(), name="static")
    app.add_middleware(Guards, hosts=hosts, upload_paths=("/api/v1/images",))
    return app
