"""Reports, weeks and figures over HTTP: the same bytes as from the command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from edge_all.station.desk import Station
from edge_all.station.reports.report_files import FORMS, write_reports
from edge_all.station.web.application import web_application
from edge_all.station.web.serving import served

Served = tuple[Station, httpx.Client, str]


@pytest.fixture
def serving(tmp_path: Path, slide_with_image: Callable[..., str]) -> Iterator[Served]:
    with (
        Station(tmp_path / "station") as station,
        served(web_application(station), "127.0.0.1", 0) as address,
        httpx.Client(base_url=address, headers={"Edge-All-Reader": "Ada"}) as client,
    ):
        yield station, client, slide_with_image(station, tmp_path / "images", "Smith, J.", ["ALL", "non-ALL", None])


@pytest.mark.parametrize("form", FORMS)
def test_a_report_comes_as_a_file_in_every_form(serving: Served, form: str, tmp_path: Path) -> None:
    station, client, code = serving
    review = station.review(code, "Ada")
    review.sign("reviewed", "routine", review.mark_seen({one.id: 0 for one in review.view().cells}).view.last_seq)
    answer = client.get(f"/api/v1/slides/{code}/report.{form}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(FORMS[form].media_type)
    assert answer.headers["content-disposition"] == f'attachment; filename="{code}{FORMS[form].ending}"'
    assert b"Smith" not in answer.content
    write_reports(station, code, "Ada", tmp_path / "files")
    written = (tmp_path / "files" / f"{code}{FORMS[form].ending}").read_bytes()
    # Nothing differs but the moment at which each was made.
    assert abs(len(written) - len(answer.content)) < 100
    if form == "json":
        assert {**json.loads(written), "made_at": ""} == {**answer.json(), "made_at": ""}


def test_what_is_not_there_is_said(serving: Served) -> None:
    _, client, code = serving
    assert client.get("/api/v1/slides/0000/report.json").status_code == 404
    assert client.get(f"/api/v1/slides/{code}/report.docx").status_code == 422
    assert httpx.get(client.base_url.join(f"/api/v1/slides/{code}/report.json")).status_code == 401


def test_weeks_and_figures_name_nobody(serving: Served) -> None:
    _, client, code = serving
    (week,) = client.get("/api/v1/monitoring").json()["weeks"]
    assert (week["cells"], week["compared"]) == ({"ALL": 1, "non-ALL": 1}, 0)
    figures = client.get("/metrics", headers={"Edge-All-Reader": ""})
    assert figures.headers["content-type"].startswith("text/plain")
    assert 'edge_all_cells{label="ALL"} 1.0' in figures.text
    assert code not in figures.text
