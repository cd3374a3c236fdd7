"""The HTTP API of what leaves a station: reports of slides, the weeks of the station, figures for Prometheus."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from edge_all.results import INTENDED_USE
from edge_all.station.reports.metrics import metrics_text
from edge_all.station.reports.monitoring import Week, monitor
from edge_all.station.reports.report_files import FORMS
from edge_all.station.reports.slide_report import report_of
from edge_all.station.web.page_desk import Asking, OpenDesk
from edge_all.station.web.page_language import Saying, page_language
from edge_all.station.web.problems import PROBLEMS
from edge_all.station.web.slide_api import Code

__all__ = ["metrics_router", "report_router"]

report_router = APIRouter(prefix="/api/v1", responses=PROBLEMS)
metrics_router = APIRouter(responses=PROBLEMS)
_FILES: dict[int | str, dict[str, Any]] = {200: {"content": {form.media_type: {} for form in FORMS.values()}}}
_FIGURES: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}}}


class WeekDocument(BaseModel):
    """What came in one week; see `edge_all.station.reports.monitoring.Week`."""

    begins: str
    fields: dict[str, int]
    cells: dict[str, int]
    unlike: int
    metrics: dict[str, float]
    signed: int
    compared: int
    same: int
    kappa: float | None
    settled: int
    seen_only: int


class MonitoringDocument(BaseModel):
    """The weeks of the station, and what has changed in the last one."""

    intended_use: str = INTENDED_USE
    weeks: list[WeekDocument]
    notices: list[str]


@report_router.get("/slides/{code}/report.{form}", response_class=Response, responses=_FILES)
async def slide_report(
    request: Request,
    desk: OpenDesk,
    person: Asking,
    code: Code,
    form: Literal["html", "pdf", "json", "csv", "geojson", "fhir"],
) -> Response:
    """The report of a slide as a file: as it was signed, or preliminary, as it stands for who asks."""
    say = page_language(request)

    def make() -> tuple[str, bytes]:
        report = report_of(desk.station, code, person.name)
        return report.view.slide.code, FORMS[form].content(desk.station, report, say)

    name, content = await desk.threads.run(make)
    headers = {"Content-Disposition": f'attachment; filename="{name}{FORMS[form].ending}"'}
    return Response(content, media_type=FORMS[form].media_type, headers=headers)


@report_router.get("/monitoring")
async def monitoring(desk: OpenDesk, person: Asking, say: Saying) -> MonitoringDocument:  # noqa: ARG001
    """Counts, stain and agreement week by week, and what has changed."""
    found = await desk.threads.run(monitor, desk.station)
    return MonitoringDocument(
        weeks=[_week(one) for one in found.weeks], notices=[say.sentences(one) for one in found.notices]
    )


@metrics_router.get("/metrics", response_class=Response, responses=_FIGURES)
async def metrics(desk: OpenDesk) -> Response:
    """Figures for Prometheus. They name no slide and nobody, so that whoever reaches the server may ask."""
    content = await desk.threads.run(metrics_text, desk.station)
    return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")


def _week(one: Week) -> WeekDocument:
    agreement = one.agreement
    return WeekDocument(
        begins=one.begins.isoformat(),
        fields=dict(one.fields),
        cells=dict(one.cells),
        unlike=one.unlike,
        metrics=dict(one.metrics),
        signed=one.signed,
        compared=0 if agreement is None else agreement.compared,
        same=0 if agreement is None else agreement.same,
        kappa=None if agreement is None else agreement.kappa,
        settled=one.settled,
        seen_only=one.seen_only,
    )
