"""The report of a slide in all its forms: as bytes for a server, as files for a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edge_all.errors import OutputError
from edge_all.files.atomic import write_atomically
from edge_all.outputs.json_text import json_text
from edge_all.station.desk import Station
from edge_all.station.reports.cell_pictures import cells_with_pictures
from edge_all.station.reports.fhir import fhir_bundle
from edge_all.station.reports.report_tables import cells_csv, cells_geojson
from edge_all.station.reports.slide_html import slide_html
from edge_all.station.reports.slide_pdf import slide_pdf
from edge_all.station.reports.slide_report import SlideReport, report_document, report_of
from edge_all.wording.language import Language, language_of_environment

__all__ = ["FORMS", "ReportForm", "write_reports"]


@dataclass(frozen=True, slots=True)
class ReportForm:
    """One form of a report.

    Attributes:
        ending: of its file, behind the slide's code.
        media_type: as HTTP calls it.
        content: makes it, in the language of who reads it where people do; may raise MissingPackageError.
    """

    ending: str
    media_type: str
    content: Callable[[Station, SlideReport, Language], bytes]


FORMS: dict[str, ReportForm] = {
    "html": ReportForm(
        ".html",
        "text/html",
        lambda station, report, say: slide_html(report, cells_with_pictures(station, report), say).encode(),
    ),
    "pdf": ReportForm(
        ".pdf",
        "application/pdf",
        lambda station, report, say: slide_pdf(report, cells_with_pictures(station, report), say),
    ),
    "json": ReportForm(
        ".json", "application/json", lambda _, report, __: json_text(report_document(report), indent=2).encode() + b"\n"
    ),
    "csv": ReportForm(".csv", "text/csv", lambda _, report, __: cells_csv(report)),
    "geojson": ReportForm(
        ".geojson",
        "application/geo+json",
        lambda station, report, _: json_text(cells_geojson(station, report)).encode(),
    ),
    "fhir": ReportForm(
        ".fhir.json",
        "application/fhir+json",
        lambda _, report, __: json_text(fhir_bundle(report), indent=2).encode() + b"\n",
    ),
}
"""By the name under which they are asked for."""


def write_reports(station: Station, code: str, reader: str, out: Path) -> tuple[Path, ...]:
    """Write the report of a slide in every form.

    Args:
        station: its store.
        code: of the slide.
        reader: who asks; a slide that is not signed is reported as it stands for them.
        out: the folder; where it is there already, these files join what lies in it.

    Returns:
        The files.

    Raises:
        InputNotFoundError: there is no such slide.
        MissingPackageError: fpdf2 is not installed.
        OutputError: one of the files is there already, or cannot be written.
    """
    report = report_of(station, code, reader)
    files = {out / f"{report.view.slide.code}{form.ending}": form for form in FORMS.values()}
    _require_free(files)
    say = language_of_environment()
    contents = {file: form.content(station, report, say) for file, form in files.items()}
    _require_free(files)  # something may have appeared there while they were made
    for file, content in contents.items():
        write_atomically(file, content)
    return tuple(files)


def _require_free(files: Iterable[Path]) -> None:
    for file in files:
        if file.exists():
            raise OutputError(f"{file} already exists.", "Move it away, or choose another folder.", settings=("out",))
