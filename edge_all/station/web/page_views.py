"""The pages, rendered on the server: the list of slides, a slide, and who asks."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from fastapi.templating import Jinja2Templates
from jinja2 import StrictUndefined
from pydantic import ValidationError
from starlette.responses import Response

from edge_all.errors import EdgeAllError
from edge_all.rendering.demo_fields import DEMO_NOTICE
from edge_all.results import INTENDED_USE
from edge_all.station.reports.monitoring import monitor
from edge_all.station.review.kinds import CountsAs
from edge_all.station.review.signatures import SignatureMeaning
from edge_all.station.storage.backup_names import BACKUPS_FOLDER, latest_backup, time_of_backup
from edge_all.station.web.accounts import FIRST_ACCOUNT
from edge_all.station.web.administration_api import accounts_of, settings_document
from edge_all.station.web.documents import slide_document, slides_document
from edge_all.station.web.page_desk import OpenDesk, PageDesk, administrator
from edge_all.station.web.page_files import files_address, scripts_of
from edge_all.station.web.page_language import page_language
from edge_all.station.web.problems import problem_status
from edge_all.station.web.slide_api import Code, queue_of
from edge_all.station.web.slide_filter import SlideFilter
from edge_all.wording.command_lines import typed
from edge_all.wording.language import Language

__all__ = ["page_router"]


class _PageRoute(APIRoute):
    """What goes wrong with a page is said on a page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As usual, and an error as a page of its own."""
        usual = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await usual(request)
            except EdgeAllError as error:
                return _page(request, request.app.state.desk, "problem.html", {"error": error}, problem_status(error))

        return handle


page_router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse, route_class=_PageRoute)
_templates = Jinja2Templates(Path(__file__).parent / "templates")
_templates.env.globals.update(intended_use=INTENDED_USE, files=files_address(), scripts_of=scripts_of)
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
    last_seq = await desk.threads.run(desk.station.last_seq)
    overviews = await desk.threads.run(desk.station.slides, person.name)
    readers = sorted({one.state.reader for one in overviews if one.state is not None and one.state.reader})
    said = {
        "slides": slides_document(wanted.of(overviews), page_language(request)).slides,
        "last_seq": last_seq,
        "in_all": len(overviews),
        "wanted": wanted,
        "readers": readers,
        "names": {one.slide.code: one.slide.name for one in overviews},
        "queue": await desk.threads.run(queue_of, desk),
        "watched": desk.watched,
        "notice": DEMO_NOTICE if any(one.slide.synthetic for one in overviews) else None,
        "folder": str(desk.station.database.folder.absolute()),
        "backup_failure": desk.backups.failure if desk.backups else None,
    }
    return _page(request, desk, "slides.html", said)


@page_router.get("/slides/{code}")
async def slide_page(request: Request, desk: OpenDesk, code: Code) -> Response:
    """A slide: its cells, its fields, its signature."""
    person = desk.visitors.person(request)
    if person is None:
        return _to_entrance(request)
    last_seq = await desk.threads.run(desk.station.last_seq)
    review = await desk.review(code, person)
    view = await desk.threads.run(review.view)
    settings = await desk.threads.run(desk.station.settings)
    slide = slide_document(view, page_language(request))
    notice = DEMO_NOTICE if slide.synthetic else None
    said = {
        "slide": slide,
        "notice": notice,
        "last_seq": last_seq,
        "kinds": settings.kinds,
        "meanings": get_args(SignatureMeaning),
        "two_readers": view.two_readers,
    }
    return _page(request, desk, "slide.html", said)


@page_router.get("/weeks")
async def weeks_page(request: Request, desk: OpenDesk) -> Response:
    """What came week by week, how software and readers agreed, and what has changed."""
    if desk.visitors.person(request) is None:
        return _to_entrance(request)
    found = await desk.threads.run(monitor, desk.station)
    return _page(request, desk, "weeks.html", {"weeks": found.weeks[::-1], "notices": found.notices})


@page_router.get("/settings")
async def settings_page(request: Request, desk: OpenDesk) -> Response:
    """How the station is set, and who has an account; for administrators."""
    person = desk.visitors.person(request)
    if person is None:
        return _to_entrance(request)
    administrator(person)
    folder = desk.station.database.folder.absolute()
    places = [folder / BACKUPS_FOLDER, *([desk.backups.folder] if desk.backups else [])]
    backups = [time_of_backup(one) for one in map(latest_backup, places) if one is not None]
    said = {
        "settings": settings_document(await desk.threads.run(desk.station.settings)),
        "labels": get_args(CountsAs),
        "has_accounts": desk.visitors.needs_password,
        "accounts": accounts_of(desk).accounts,
        "folder": str(folder),
        "first_account": [typed(word) for word in (*FIRST_ACCOUNT, str(folder))],
        "backup": max(backups, default=None),
        "backup_failure": desk.backups.failure if desk.backups else None,
    }
    return _page(request, desk, "settings.html", said)


@page_router.get("/who")
async def entrance(request: Request, desk: OpenDesk, then: Annotated[str, Query(max_length=300)] = "/") -> Response:
    """Say who you are."""
    then = then if then.startswith("/") and not then.startswith(("//", "/\\")) else "/"
    return _page(request, desk, "who.html", {"then": then, "needs_password": desk.visitors.needs_password})


def _page(request: Request, desk: PageDesk, template: str, said: dict[str, Any], status: int = 200) -> Response:
    say = page_language(request)
    known = {"person": desk.visitors.person(request), "say": say, "words": _words(say), "minute": partial(_minute, say)}
    return _templates.TemplateResponse(request, template, {**known, **said}, status)


def _words(say: Language) -> dict[str, Any]:
    """What the page's scripts speak by."""
    return {"messages": say.messages(), "mark": say.figure("0.0")[1], "minute": say("%Y-%m-%d %H:%M")}


def _minute(say: Language, at: str | datetime) -> str:
    """A moment (UTC), also one that stands in the store as text."""
    return say.minute(datetime.fromisoformat(at) if isinstance(at, str) else at)


def _to_entrance(request: Request) -> Response:
    url = request.url_for("entrance").include_query_params(then=request.url.path)
    return RedirectResponse(f"{url.path}?{url.query}", status_code=303)
