"""The report of a slide in all its forms, as files."""

from __future__ import annotations

from pathlib import Path

from edge_all.errors import OutputError
from edge_all.files.atomic import atomic_folder
from edge_all.outputs.json_text import json_text
from edge_all.station.desk import Station
from edge_all.station.reports.cell_pictures import cells_with_pictures
from edge_all.station.reports.fhir import fhir_bundle
from edge_all.station.reports.report_tables import cells_csv, cells_geojson
from edge_all.station.reports.slide_html import slide_html
from edge_all.station.reports.slide_pdf import slide_pdf
from edge_all.station.reports.slide_report import report_document, report_of

__all__ = ["write_reports"]


def write_reports(station: Station, code: str, reader: str, out: Path) -> tuple[Path, ...]:
    """Write the report of a slide as HTML, PDF, JSON, CSV, GeoJSON and FHIR.

    Args:
        station: its store.
        code: of the slide.
        reader: who asks; a slide that is not signed is reported as it stands for them.
        out: the new folder.

    Returns:
        The files.

    Raises:
        InputNotFoundError: there is no such slide.
        MissingPackageError: fpdf2 is not installed.
        OutputError: the folder is there already, or cannot be written.
    """
    report = report_of(station, code, reader)
    pictures = list(cells_with_pictures(station, report))
    name = report.view.slide.code
    contents = {
        f"{name}.html": slide_html(report, pictures).encode(),
        f"{name}.pdf": slide_pdf(report, pictures),
        f"{name}.json": (json_text(report_document(report), indent=2) + "\n").encode(),
        f"{name}.csv": cells_csv(report),
        f"{name}.geojson": json_text(cells_geojson(station, report)).encode(),
        f"{name}.fhir.json": (json_text(fhir_bundle(report), indent=2) + "\n").encode(),
    }

    def require_free() -> None:
        if out.exists():
            raise OutputError(f"{out} already exists.", "Choose another folder.", settings=("out",))

    with atomic_folder(out, require_free) as stage:
        for file, content in contents.items():
            (stage / file).write_bytes(content)
    return tuple(out / file for file in contents)
