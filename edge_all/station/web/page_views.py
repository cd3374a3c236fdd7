"""The pages, rendered on the server: the list of slides, a slide, and who asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from jinja2 import StrictUndefined
from pydantic import ValidationError
from starlette.responses import Response

from edge_all import __version__
from edge_all.results import INTENDED_USE
from edge_all.station.reports.monitoring import monitor
from edge_all.station.web.documents import slide_document, slides_document
from edge_all.station.web.page_desk import OpenDesk, PageDesk
from edge_all.station.web.slide_api import Code, queue_of
from edge_all.station.web.slide_filter import SlideFilter
from edge_all.wording.percentages import percent, percent_range

__all__ = ["STATIC_FOLDER", "page_router"]

_HERE = Path(__file__).parent
STATIC_FOLDER = _HERE / "static"
page_router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_templates = Jinja2Templates(_HERE / "templates")
_templates.env.globals.update(intended_use=INTENDED_USE, version=__version__, percent=percent)
_templates.env.filters["percent_range"] = lambda interval: percent_range(*interval)
_templates.env.filters["minute"] = lambda at: f"{at[:10]} {at[11:16]}"
_templates.env.undefined = StrictUndefined


@page_router.get("/")
async def slides_page(request: Request, desk: OpenDesk) -> Response:
    """The list of slides; on an empty station what to do next."""
    person = desk.visitors.person(request)
    if person is None:
        return _to_entrance(request)
    try:
        wanted = SlideFilter.model_validate(dict(request.query_params))
    except ValidationError:
        wanted = SlideFilter()
    overviews = await desk.threads.run(desk.station.slides, person.name)
    readers = sorted({one.state.reader for one in overviews if one.state is not None and one.state.reader})
    said = {
        "slides": slides_document(wanted.of(overviews)).slides,
        "in_all": len(overviews),
        "wanted": wanted,
        "readers": readers,
        "queue": await desk.threads.run(queue_of, desk),
        "watched": desk.watched,
        "folder": str(desk.station.database.folder),
    }
    return _page(request, desk, "slides.html", said)


@page_router.get("/slides/{code}")
async def slide_page(request: Request, desk: OpenDesk, code: Code) -> Response:
    """A slide: its cells, its fields, its signature."""
    person = desk.visitors.person(request)
    if person is None:
        return _to_entrance(request)
    review = await desk.review(code, person)
    slide = slide_document(await desk.threads.run(review.view))
    settings = await desk.threads.run(desk.station.settings)
    said = {"slide": slide, "kinds": settings.kinds, "second_reader": settings.second_reader}
    return _page(request, desk, "slide.html", said)


@page_router.get("/weeks")
async def weeks_page(request: Request, desk: OpenDesk) -> Response:
    """What came week by week, how software and readers agreed, and what has changed."""
    if desk.visitors.person(request) is None:
        return _to_entrance(request)
    found = await desk.threads.run(monitor, desk.station)
    return _page(request, desk, "weeks.html", {"weeks": found.weeks[::-1], "notices": found.notices})


@page_router.get("/who")
async def entrance(request: Request, desk: OpenDesk, then: Annotated[str, Query(max_length=300)] = "/") -> Response:
    """Say who you are."""
    then = then if then.startswith("/") and not then.startswith(("//", "/\\")) else "/"
    return _page(request, desk, "who.html", {"then": then, "needs_password": desk.visitors.needs_password})


def _page(request: Request, desk: PageDesk, template: str, said: dict[str, Any]) -> Response:
    return _templates.TemplateResponse(request, template, {"person": desk.visitors.person(request), **said})


def _to_entrance(request: Request) -> Response:
    url = request.url_for("entrance").include_query_params(then=request.url.path)
    return RedirectResponse(f"{url.path}?{url.query}", status_code=303)
