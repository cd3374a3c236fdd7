"""What is reported of a slide: the same in every form, and as it was signed."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from edge_all.cli.main import build_app
from edge_all.errors import MissingPackageError, OutputError
from edge_all.outputs.pictures import png_bytes
from edge_all.results import INTENDED_USE
from edge_all.station.cell_square import cell_jpeg
from edge_all.station.desk import Station
from edge_all.station.reports.cell_pictures import cells_with_pictures
from edge_all.station.reports.fhir import fhir_bundle
from edge_all.station.reports.metrics import metrics_text
from edge_all.station.reports.report_files import FORMS, write_reports
from edge_all.station.reports.report_tables import cells_csv, cells_geojson
from edge_all.station.reports.report_words import caption
from edge_all.station.reports.slide_html import slide_html
from edge_all.station.reports.slide_pdf import slide_pdf
from edge_all.station.reports.slide_report import report_document, report_of
from edge_all.station.review.settings import StationSettings
from edge_all.wording.language import Language

ENGLISH = Language("en")


@pytest.fixture
def code(station: Station, add_field: Callable[..., int], tmp_path: Path) -> str:
    """A slide with one field whose image is there, and another whose image is gone."""
    content = png_bytes(np.full((1200, 1600, 3), 200, np.uint8))
    (tmp_path / "1.png").write_bytes(content)
    add_field(station, ["ALL", "ALL", "non-ALL", "indeterminate", None], path=str(tmp_path / "1.png"), content=content)
    add_field(station, ["non-ALL"] * 40, path="/images/gone.png")
    return station.slides("Curie")[0].slide.code


def reviewed(station: Station, code: str, reader: str = "Curie") -> None:
    """Decide on some cells, and sign."""
    review = station.review(code, reader)
    cells = review.view().cells
    review.reclassify({cells[0].id: 0}, "lymphocyte")
    review.exclude({cells[2].id: 0})
    review.comment("=odd, müller", cells[1].id)
    review.draw(1, (300.0, 300.0, 20.0), "ALL")
    done = review.mark_seen({cell.id: 0 for cell in cells})
    review.sign("reviewed", "routine", done.view.last_seq)


def test_a_report_says_what_was_signed_and_what_was_changed_by_whom(station: Station, code: str) -> None:
    reviewed(station, code)
    report = report_of(station, code, "anyone")
    document = report_document(report)
    assert document["status"] == "final"
    assert document["result"]["cells"] == {"ALL": 2, "non-ALL": 41, "indeterminate": 1, "rejected": 2}
    assert document["software"]["cells"] == {"ALL": 2, "non-ALL": 41, "indeterminate": 1, "rejected": 1}
    assert [(one["software"], one["kind"], one["by"]) for one in document["changes"]] == [
        ("ALL", "lymphocyte", "Curie"),
        ("non-ALL", "excluded", ""),
        (None, "ALL", "Curie"),
    ]
    (signature,) = document["signatures"]
    assert (signature["name"], signature["meaning"], signature["reason"]) == ("Curie", "reviewed", "routine")
    assert document["models"][0]["sha256"] == "a" * 64
    assert document["intended_use"] == INTENDED_USE
    assert document["chain_sha256"] == station.events_after(0)[-1].sha256
    json.dumps(document, allow_nan=False)


def test_an_added_object_is_a_change_also_where_it_does_not_count(station: Station, code: str) -> None:
    station.review(code, "Curie").draw(1, (300.0, 300.0, 20.0), "smudge")
    (change,) = report_of(station, code, "Curie").changes
    assert (change.software, change.kind, change.by) == (None, "smudge", "Curie")


def test_a_report_is_preliminary_final_amended(station: Station, code: str) -> None:
    assert report_of(station, code, "Curie").status == "preliminary"
    reviewed(station, code)
    assert report_of(station, code, "Hess").status == "final"
    review = station.review(code, "Hess")
    review.amend("another smear")
    assert report_of(station, code, "Hess").status == "preliminary"
    review.sign("reviewed", "second look", review.view().last_seq)
    report = report_of(station, code, "Curie")
    assert report.status == "amended"
    assert [(one.name, one.reason) for one in report.amendments] == [("Hess", "another smear")]
    assert [one.name for one in report.signatures] == ["Hess"]


def test_two_readers_are_reported_with_what_they_differ_in(station: Station, code: str) -> None:
    station.change_settings(StationSettings(second_reader=True), "Administrator")
    reviewed(station, code, "Curie")
    assert report_of(station, code, "Hess").signatures == ()
    second = station.review(code, "Hess")
    second.sign("reviewed", "second", second.mark_seen({one.id: 0 for one in second.view().cells}).view.last_seq)
    document = report_document(report_of(station, code, "anyone"))
    assert [one["name"] for one in document["signatures"]] == ["Curie", "Hess"]
    assert len(document["disagreements"]) == 3


def test_no_form_of_a_report_holds_the_name_or_the_path(station: Station, code: str) -> None:
    reviewed(station, code)
    report = report_of(station, code, "Curie")
    pictures = list(cells_with_pictures(station, report))
    for content in (
        json.dumps(report_document(report)),
        json.dumps(fhir_bundle(report)),
        json.dumps(cells_geojson(station, report)),
        cells_csv(report).decode(),
        slide_html(report, pictures, ENGLISH),
        slide_pdf(report, pictures, ENGLISH).decode("latin-1"),
    ):
        assert "Smith" not in content
        assert "gone.png" not in content


def test_the_fhir_bundle_is_valid_in_every_status(station: Station, code: str) -> None:
    bundle = pytest.importorskip("fhir.resources.R4B.bundle")
    statuses = []
    for step in (lambda: None, lambda: reviewed(station, code), lambda: amended(station, code)):
        step()
        document = fhir_bundle(report_of(station, code, "Curie"))
        read = bundle.Bundle.model_validate(document)
        resources = [entry.resource for entry in read.entry]
        report = next(one for one in resources if one.get_resource_type() == "DiagnosticReport")
        statuses.append(report.status)
        assert {one.status for one in resources if one.get_resource_type() == "Observation"} == {report.status}
        urls = {entry.fullUrl for entry in read.entry}
        assert set(re.findall(r'"reference": "([^"]+)"', json.dumps(document))) <= urls
        assert INTENDED_USE in report.conclusion
    assert statuses == ["preliminary", "final", "amended"]
    assert sum(one.get_resource_type() == "Provenance" for one in resources) == 3


def amended(station: Station, code: str) -> None:
    review = station.review(code, "Hess")
    review.amend("another smear")
    review.sign("reviewed", "second look", review.view().last_seq)


def test_a_wrong_bundle_would_be_found(station: Station, code: str) -> None:
    bundle = pytest.importorskip("fhir.resources.R4B.bundle")
    document = fhir_bundle(report_of(station, code, "Curie"))
    del document["entry"][0]["resource"]["code"]
    with pytest.raises(ValueError, match="code"):
        bundle.Bundle.model_validate(document)


def test_the_table_has_every_cell_and_no_formula(station: Station, code: str) -> None:
    reviewed(station, code)
    formula = station.review(code, "=1+1")
    formula.amend("again")
    formula.reclassify({formula.view().cells[10].id: 0}, "ALL")
    rows = list(csv.DictReader(io.StringIO(cells_csv(report_of(station, code, "Curie")).decode("utf-8-sig"))))
    assert len(rows) == 46
    assert rows[0]["kind"] == "lymphocyte"
    assert rows[1]["comments"] == "Curie: =odd, müller"
    assert rows[10]["decided_by"] == "'=1+1"
    assert not any(value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())


def test_outlines_are_those_in_force(station: Station, code: str) -> None:
    reviewed(station, code)
    document = cells_geojson(station, report_of(station, code, "Curie"))
    assert len(document["features"]) == 46
    drawn = next(one for one in document["features"] if one["id"].startswith("d"))
    ring = np.array(drawn["geometry"]["coordinates"][0][0])
    assert np.hypot(*(ring - 300).T) == pytest.approx(20, abs=0.02)
    assert (ring[0] == ring[-1]).all()
    first = np.array(document["features"][0]["geometry"]["coordinates"][0][0])
    assert first.min(axis=0).tolist() == [40.5, 0.5]


def test_the_page_shows_every_cell_also_without_its_image(station: Station, code: str) -> None:
    reviewed(station, code)
    report = report_of(station, code, "Curie")
    page = slide_html(report, cells_with_pictures(station, report), ENGLISH)
    assert page.count("<figure>") == 46
    assert page.count("data:image/jpeg") == 6
    assert page.count("no image") == 40
    assert page.count(INTENDED_USE) == 2
    assert "=odd, müller" in page
    assert not re.search(r"<script|https?://", page)
    for word in ("Curie", "routine", "lymphocyte", "a" * 64, report.chain_sha256, "made-up 1.0"):
        assert word in page


def test_words_of_people_are_no_markup(station: Station, code: str) -> None:
    review = station.review(code, "<b>Curie</b>")
    review.comment("<script>alert(1)</script>", review.view().cells[0].id)
    review.reclassify({review.view().cells[0].id: 0}, "ALL")
    page = slide_html(report_of(station, code, "<b>Curie</b>"), [], ENGLISH)
    report = report_of(station, code, "<b>Curie</b>")
    page += slide_html(report, cells_with_pictures(station, report), ENGLISH)
    assert "<script" not in page
    assert "<b>Curie" not in page


def test_a_report_speaks_the_language_of_its_reader_and_files_for_programs_none(station: Station, code: str) -> None:
    reviewed(station, code, "Müller")
    report = report_of(station, code, "Curie")
    pictures = list(cells_with_pictures(station, report))
    page = re.sub(r"<style>.*?</style>|<[^>]*>", " ", slide_html(report, pictures, Language("de")), flags=re.DOTALL)
    for words in ("Nur für Forschungszwecke", INTENDED_USE, "Endgültig: unterschrieben", "Prüfkette", "Schwellen"):
        assert words in page, words
    assert not re.search(
        r"\b(?:the|cells?|fields?|signed|by|of|judged|people|reader)\b", page.replace(INTENDED_USE, "")
    )
    assert re.search(r"\d,\d %", page)
    assert slide_pdf(report, pictures, Language("de")) != slide_pdf(report, pictures, ENGLISH)
    for form in ("json", "csv", "geojson", "fhir"):
        assert FORMS[form].content(station, report, Language("de")) == FORMS[form].content(station, report, ENGLISH)


def test_beyond_the_edge_of_a_field_a_cells_picture_is_blank() -> None:
    pixels = np.zeros((60, 60, 3), np.uint8)
    picture = cv2.imdecode(np.frombuffer(cell_jpeg(pixels, (0, 20, 20, 20), 90, 95), np.uint8), cv2.IMREAD_COLOR)
    assert picture[:, :12].min() > 200, "a sixth of the square lies outside"
    assert picture[:, 20:].max() < 40


def test_a_platelet_is_shown_small_beside_a_white_cell() -> None:
    pixels = np.full((200, 200, 3), 255, np.uint8)
    for box in ((90, 90, 20, 20), (60, 60, 80, 80)):
        x, y, width, height = box
        dark = pixels.copy()
        dark[y : y + height, x : x + width] = 0
        share = {}
        for radius in (None, 30.0):
            picture = cv2.imdecode(np.frombuffer(cell_jpeg(dark, box, 96, 95, radius), np.uint8), cv2.IMREAD_GRAYSCALE)
            share[radius] = float(np.sqrt((picture < 128).mean()))
        assert share[None] == pytest.approx(2 / 3, abs=0.03)
        assert share[30.0] == pytest.approx(20 / 90 if width == 20 else 2 / 3, abs=0.03)


def test_a_cell_has_the_name_under_its_picture_that_it_has_in_the_table(station: Station, code: str) -> None:
    report = report_of(station, code, "Curie")
    (*_, row) = (
        row for row in csv.DictReader(cells_csv(report).decode("utf-8-sig").splitlines()) if row["probability"]
    )
    (cell,) = (cell for cell in report.view.cells if cell.id == row["cell"])
    assert caption(cell, ENGLISH).startswith(f"{row['cell']}, field {row['field']}, ")


def test_an_object_left_out_says_its_name_and_why(station: Station, code: str) -> None:
    cells = station.review(code, "Curie").view().cells
    (left_out,) = (cell for cell in cells if cell.counts_as == "left out")
    assert caption(left_out, ENGLISH) == f"{left_out.id}, field 1, too small"
    assert left_out.found is not None
    large = dataclasses.replace(left_out, found=dataclasses.replace(left_out.found, reason="too large"))
    assert caption(large, Language("de")) == f"{left_out.id}, Gesichtsfeld 1, zu groß"
    assert left_out.id in slide_html(report_of(station, code, "Curie"), [(left_out, None)], ENGLISH)


def test_the_pdf_has_one_page_and_then_the_cells(station: Station, code: str) -> None:
    reviewed(station, code, "Łukasz Müller, 李")
    report = report_of(station, code, "Curie")
    content = slide_pdf(report, list(cells_with_pictures(station, report)), ENGLISH)
    assert content.startswith(b"%PDF-")
    # Nine rows of cells take two pages, so that the tables take one.
    assert content.count(b"/Type /Page\n") == 3
    assert slide_pdf(report, list(cells_with_pictures(station, report)), ENGLISH) == content


def test_a_name_of_two_lines_in_the_pdf_is_not_written_over(station: Station, code: str) -> None:
    reviewed(station, code)
    report = report_of(station, code, "Curie")
    content = slide_pdf(report, [], Language("de"))
    (first, *_) = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)
    lines = zlib.decompress(first).decode("latin-1").splitlines()
    (over,) = (float(line.split()[2]) for line in lines if "(überein)" in line)
    (under,) = (float(line.split()[2]) for line in lines if "(Gesehen, nicht entschieden)" in line)
    assert over - under > 8, "in points, from below"


def test_without_the_extra_it_is_said_what_to_install_and_nothing_is_left(
    station: Station, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fpdf", None)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingPackageError, match=r"\.\[station\]"):
        write_reports(station, code, "Curie", tmp_path / "r")
    with pytest.raises(MissingPackageError, match=r"\.\[station\]"):
        metrics_text(station)
    assert not (tmp_path / "r").exists()


def test_the_store_and_the_watching_need_no_extra() -> None:
    extra = ("argon2", "fastapi", "fpdf", "jinja2", "prometheus_client", "pydantic", "starlette", "uvicorn")
    modules = (
        "desk",
        "intake.capturing",
        "intake.run_import",
        "intake.watching",
        "reference_cells",
        "reports.metrics",
        "reports.report_files",
        "review.audit",
    )
    code = "import sys\n" + "".join(f"sys.modules[{name!r}] = None\n" for name in extra)
    code += "".join(f"import edge_all.station.{name}\n" for name in modules)
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command_writes_all_forms_once(station: Station, code: str, tmp_path: Path) -> None:
    reviewed(station, code)
    station.close()
    words = ["store", "report", code, "--station", str(station.database.folder), "-o", str(tmp_path / "r")]
    printed = CliRunner().invoke(build_app(), words).output
    files = {path.name for path in (tmp_path / "r").iterdir()}
    assert files == {f"{code}{ending}" for ending in (".html", ".pdf", ".json", ".csv", ".geojson", ".fhir.json")}
    assert len(printed.splitlines()) == 6
    before = {path: path.read_bytes() for path in (tmp_path / "r").iterdir()}
    with (
        Station(station.database.folder) as again,
        pytest.raises(OutputError, match=re.escape(f"{code}.html already exists")),
    ):
        write_reports(again, code, "Curie", tmp_path / "r")
    assert {path: path.read_bytes() for path in (tmp_path / "r").iterdir()} == before


def test_a_second_slides_report_joins_the_first_ones(
    station: Station, code: str, add_field: Callable[..., int], tmp_path: Path
) -> None:
    add_field(station, ["non-ALL"], slide="second", path="/images/second.jpg")
    (other,) = {one.slide.code for one in station.slides("Curie")} - {code}
    out = tmp_path / "r"
    (tmp_path / "r").mkdir()
    (out / "notes.txt").write_text("the user's")
    written = [*write_reports(station, code, "Curie", out), *write_reports(station, other, "Curie", out)]
    assert {*out.iterdir()} == {*written, out / "notes.txt"}
    assert len(written) == 12
    assert (out / "notes.txt").read_text() == "the user's"
    # One file of an earlier report in the way, and none of the others is written either.
    third = tmp_path / "third"
    third.mkdir()
    (third / f"{code}.csv").write_text("the user's")
    with pytest.raises(OutputError, match=re.escape(f"{code}.csv already exists")):
        write_reports(station, code, "Curie", third)
    assert [path.name for path in third.iterdir()] == [f"{code}.csv"]
