"""The HTTP API of the station itself: who asks, how it is set, what happens, whether it is well."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from edge_all import __version__
from edge_all.results import INTENDED_USE
from edge_all.station.review.kinds import CountsAs
from edge_all.station.web.event_feed import EventFeed
from edge_all.station.web.gestures import Entering
from edge_all.station.web.page_desk import Asking, OpenDesk
from edge_all.station.web.problems import PROBLEMS

__all__ = ["health_router", "station_router"]

station_router = APIRouter(prefix="/api/v1", responses=PROBLEMS)
health_router = APIRouter(responses=PROBLEMS)


class SessionDocument(BaseModel):
    """Who asks."""

    name: str
    role: str


class KindDocument(BaseModel):
    """What a person may call a cell, what it counts as, and by which key."""

    name: str
    counts_as: CountsAs
    key: str


class StationDocument(BaseModel):
    """The station."""

    intended_use: str = INTENDED_USE
    version: str = __version__
    kinds: list[KindDocument]
    second_reader: bool
    last_seq: int


class HealthDocument(BaseModel):
    """Whether the station is well."""

    status: Literal["ok"] = "ok"


@station_router.get("/session")
async def session(person: Asking) -> SessionDocument:
    """Who asks."""
    return SessionDocument(name=person.name, role=person.role)


@station_router.post("/session")
async def enter(desk: OpenDesk, request: Request, response: Response, said: Entering) -> SessionDocument:
    """Say who one is; the answer's cookie says it from then on."""
    address = request.client.host if request.client else ""
    person = await desk.threads.run(desk.visitors.enter, said.name, said.password, address, response)
    return SessionDocument(name=person.name, role=person.role)


@station_router.delete("/session", status_code=204)
async def leave(desk: OpenDesk, request: Request, response: Response) -> None:
    """Let the next one at this machine say who they are."""
    desk.visitors.leave(request, response)


@station_router.get("/station")
async def station(desk: OpenDesk, person: Asking) -> StationDocument:  # noqa: ARG001
    """How the station is set."""

    def read() -> StationDocument:
        settings = desk.station.settings()
        return StationDocument(
            kinds=[KindDocument(**dataclasses.asdict(kind)) for kind in settings.kinds],
            second_reader=settings.second_reader,
            last_seq=desk.station.last_seq(),
        )

    return await desk.threads.run(read)


_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


@station_router.get("/events", response_class=StreamingResponse, responses=_STREAM)
async def events(
    request: Request,
    person: Asking,  # noqa: ARG001
    last_event_id: Annotated[int | None, Header(ge=0, le=2**53)] = None,
    after: Annotated[int | None, Query(ge=0, le=2**53, description="Where the header is not given.")] = None,
) -> StreamingResponse:
    """What happens at the station, as server-sent events: number, time, kind, who, slide."""
    feed: EventFeed = request.app.state.feed
    known = after if last_event_id is None else last_event_id
    return StreamingResponse(feed.lines(known), media_type="text/event-stream")


@health_router.get("/healthz")
async def healthz() -> HealthDocument:
    """The server answers."""
    return HealthDocument()


@health_router.get("/readyz")
async def readyz(desk: OpenDesk) -> HealthDocument:
    """The store answers, too."""
    await desk.threads.run(desk.station.last_seq)
    return HealthDocument()
