"""Slides that edge-all drew itself are said to be synthetic on every page and in every report, and teach no model."""

from __future__ import annotations

import csv
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from edge_all.errors import InputNotFoundError
from edge_all.preprocessing import PreprocessingSpec
from edge_all.rendering.demo_fields import DEMO_NOTICE
from edge_all.results import FieldResult
from edge_all.station.desk import Station
from edge_all.station.intake import run_import
from edge_all.station.reports.labelled_cells import write_labelled_cells
from edge_all.station.reports.report_files import FORMS
from edge_all.station.review.settings import StationSettings
from edge_all.station.storage import database
from edge_all.station.storage.found_fields import ImageFile, JudgingModel, record_finding
from edge_all.station.storage.slide_records import DEMO_FOLDER, find_or_add_slide
from edge_all.station.web.application import web_application
from edge_all.station.web.serving import served
from edge_all.wording.language import LANGUAGE_SETTING

GERMAN = "Diese Gesichtsfelder sind künstlich"


@pytest.fixture
def slides(station: Station, a_field: Callable[..., FieldResult], judging: JudgingModel) -> tuple[str, str]:
    """Codes of a synthetic slide and of another one, each signed."""
    for number, synthetic in enumerate((True, False)):
        with station.database.write() as connection:
            slide = find_or_add_slide(connection, f"/{number}", "one", synthetic=synthetic)
            file = ImageFile(slide.id, f"/{number}/1.jpg", 0, str(number))
            record_finding(connection, file, a_field(["ALL", "non-ALL"]), judging)
        review = station.review(slide.code, "Ada")
        review.sign("reviewed", "routine", review.mark_seen({one.id: 0 for one in review.view().cells}).view.last_seq)
    drawn, real = sorted(station.slides("Ada"), key=lambda one: one.slide.id)
    return drawn.slide.code, real.slide.code


@pytest.fixture
def client(station: Station) -> Iterator[httpx.Client]:
    with (
        served(web_application(station), "127.0.0.1", 0) as address,
        httpx.Client(base_url=address, headers={"Edge-All-Reader": "Ada"}, timeout=60) as opened,
    ):
        yield opened


def words_of(content: bytes) -> str:
    """What a report says; of a PDF what stands on its pages."""
    if not content.startswith(b"%PDF"):
        return content.decode("utf-8")
    pages = [zlib.decompress(one) for one in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)]
    return "\n".join(page.decode("latin-1") for page in pages)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_report_says_it(slides: tuple[str, str], client: httpx.Client, form: str) -> None:
    drawn, real = (words_of(client.get(f"/api/v1/slides/{code}/report.{form}").content) for code in slides)
    assert "ynthetic" not in real.replace('"synthetic": false', "").replace("comments,synthetic", "")
    if form == "csv":
        (row, *_) = csv.DictReader(io.StringIO(drawn))
        assert row["synthetic"] == "True"
    else:
        assert "These fields are synthetic" in drawn
    if form == "pdf":
        assert drawn.count("These fields are synthetic") == 2, "on each page"
    if form == "fhir":
        bundle = json.loads(drawn)
        assert bundle["meta"]["security"][0]["code"] == "HTEST"
        (report,) = (
            one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "DiagnosticReport"
        )
        assert report["conclusion"].startswith(DEMO_NOTICE)
        pytest.importorskip("fhir.resources.R4B.bundle").Bundle.model_validate(bundle)


@pytest.mark.parametrize("form", ["html", "pdf"])
def test_what_people_read_says_it_in_their_language(
    slides: tuple[str, str], client: httpx.Client, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LANGUAGE_SETTING, "de")
    assert GERMAN in words_of(client.get(f"/api/v1/slides/{slides[0]}/report.{form}").content)
    assert GERMAN in client.get(f"/slides/{slides[0]}").text


def test_every_page_of_the_slide_and_the_list_say_it(slides: tuple[str, str], client: httpx.Client) -> None:
    drawn, real = slides
    assert DEMO_NOTICE in client.get(f"/slides/{drawn}").text
    assert DEMO_NOTICE not in client.get(f"/slides/{real}").text
    page = client.get("/").text
    assert DEMO_NOTICE in page
    assert page.count('class="synthetic"') == 1
    assert "rendered itself" in client.get("/weeks").text
    assert {one["code"]: one["synthetic"] for one in client.get("/api/v1/slides").json()["slides"]} == {
        drawn: True,
        real: False,
    }
    # Who asks for the real ones alone is told nothing of the others.
    assert DEMO_NOTICE in client.get("/?search=nothing").text


def test_it_is_said_after_the_name_is_forgotten_too(station: Station, slides: tuple[str, str]) -> None:
    station.change_settings(StationSettings(forget_names_after_days=1), "Administrator")
    station.forget_old_names(datetime.now(UTC) + timedelta(days=9))
    names = {one.slide.code: (one.slide.name, one.slide.synthetic) for one in station.slides("Ada")}
    assert names == {slides[0]: (None, True), slides[1]: (None, False)}


@pytest.mark.usefixtures("slides")
def test_synthetic_cells_teach_no_model(station: Station, tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="those of the demonstration"):
        write_labelled_cells(station, tmp_path / "cells.npz", PreprocessingSpec(96, 1.5))
    assert not (tmp_path / "cells.npz").exists()


@pytest.mark.parametrize(("notice", "synthetic"), [(DEMO_NOTICE, True), (None, False), ("Something else.", False)])
def test_an_imported_run_of_the_demonstration_is_known_by_its_notice(
    tmp_path: Path, notice: str | None, synthetic: bool
) -> None:
    (tmp_path / "slides.json").write_text(json.dumps({"notice": notice}))
    assert run_import._is_demonstration(tmp_path) is synthetic
    (tmp_path / "slides.json").write_bytes(b"[")
    assert not run_import._is_demonstration(tmp_path)


def test_a_store_of_before_knows_its_demonstration_by_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = database._migrations()
    with monkeypatch.context() as patched:
        patched.setattr(database, "_migrations", lambda: every[:2])
        with Station(tmp_path / "old") as old, old.database.write() as connection:
            for source in (f"/home/ada/{DEMO_FOLDER}", rf"C:\\ada\\{DEMO_FOLDER}", f"/{DEMO_FOLDER}/real", "posted"):
                connection.execute(
                    "INSERT INTO slides (code, name, source, created_at) VALUES (?, 'one', ?, '')", (source[:9], source)
                )
    with Station(tmp_path / "old") as new, new.database.read() as connection:
        found = [row[0] for row in connection.execute("SELECT synthetic FROM slides ORDER BY id")]
    assert found == [1, 1, 0, 0]
