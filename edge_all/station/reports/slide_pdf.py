"""A slide's report as PDF: one page, then the cells. fpdf2 writes it; extra ``station``."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from edge_all.errors import MissingPackageError
from edge_all.station.reports.report_words import (
    Section,
    caption,
    intended_use_words,
    notice_words,
    sections,
    status_words,
    title_words,
)
from edge_all.station.reports.slide_report import SlideReport
from edge_all.station.review.cells import ReviewedCell
from edge_all.wording.extras import install_words
from edge_all.wording.language import Language

if TYPE_CHECKING:
    from fpdf import FPDF

__all__ = ["slide_pdf"]

_MARGIN = 14.0
_LINE = 4.4
_NAMES_WIDTH = 48.0
_SIDE = 24.0
"""Millimetres; the width of A4 without its margins takes seven cells."""
_GAP = 2.0
_CAPTION_LINE = 2.6
_CAPTION_LINES = 3
_CAPTION_LETTERS = 57
"""So many of the smallest type fit into three lines."""
_ACROSS = 7
_HEIGHT = 297.0


def slide_pdf(report: SlideReport, cells: Iterable[tuple[ReviewedCell, bytes | None]], say: Language) -> bytes:
    """The report on A4.

    Args:
        report: of the slide.
        cells: with their pictures, those that count as the same together.
        say: the language of who reads it.

    Raises:
        MissingPackageError: fpdf2 is not installed.
    """
    try:
        from fpdf import FPDF
    except ImportError as error:
        raise MissingPackageError(
            "A report as PDF needs fpdf2, which is not installed.", f"Run, {install_words('station')}."
        ) from error

    title, notice = title_words(report, say), notice_words(report, say)

    class Page(FPDF):  # type: ignore[misc, unused-ignore]
        def header(self) -> None:
            self.set_font("helvetica", "B", 9)
            for words in (intended_use_words(say), notice):
                if words is not None:
                    self.multi_cell(0, 4.5, _latin(words), new_x="LMARGIN", new_y="NEXT", align="L")
            self.ln(2)

        def footer(self) -> None:
            self.set_y(-12)
            self.set_font("helvetica", "", 8)
            place = say("Page {page} of {pages}", page=self.page_no(), pages="{nb}")
            self.cell(0, 5, _latin(f"{title}. {status_words(report, say)}. {place}"))

    pdf = Page(format="A4")
    pdf.set_creation_date(datetime.fromisoformat(report.made_at))
    pdf.set_title(_latin(title))
    pdf.set_margins(_MARGIN, _MARGIN)
    pdf.set_auto_page_break(auto=True, margin=_MARGIN)
    pdf.add_page()
    pdf.set_font("helvetica", "B", 15)
    pdf.cell(0, 8, _latin(title), new_x="LMARGIN", new_y="NEXT")
    for section in sections(report, say):
        _table(pdf, section)
    pdf.add_page()
    for label, group in groupby(cells, key=lambda one: one[0].counts_as):
        _gallery(pdf, say(label), list(group), say)
    return bytes(pdf.output())


def _table(pdf: FPDF, section: Section) -> None:
    pdf.ln(2)
    pdf.set_font("helvetica", "B", 10)
    pdf.cell(0, 5.5, _latin(section.title), new_x="LMARGIN", new_y="NEXT")
    for name, value in section.rows:
        top = pdf.get_y()
        pdf.set_font("helvetica", "", 8.5)
        pdf.multi_cell(_NAMES_WIDTH, _LINE, _latin(name), new_x="RIGHT", new_y="NEXT", align="L")
        below, page = pdf.get_y(), pdf.page
        pdf.set_xy(_MARGIN + _NAMES_WIDTH, top)
        pdf.multi_cell(0, _LINE, _latin(value), new_x="LMARGIN", new_y="NEXT", align="L")
        if pdf.page == page:  # a name of two lines may stand beside a value of one
            pdf.set_y(max(below, pdf.get_y()))


def _gallery(pdf: FPDF, label: str, cells: list[tuple[ReviewedCell, bytes | None]], say: Language) -> None:
    row_height = _SIDE + _CAPTION_LINES * _CAPTION_LINE + _GAP
    if pdf.get_y() + 8 + row_height > _HEIGHT - _MARGIN:
        pdf.add_page()
    pdf.set_font("helvetica", "B", 10)
    pdf.cell(0, 6, _latin(f"{label} ({len(cells)})"), new_x="LMARGIN", new_y="NEXT")
    top = pdf.get_y()
    for number, (cell, picture) in enumerate(cells):
        column = number % _ACROSS
        if number and column == 0:
            top += row_height
        if top + row_height > _HEIGHT - _MARGIN:
            pdf.add_page()
            top = pdf.get_y()
        left = _MARGIN + column * (_SIDE + _GAP)
        if picture is None:
            pdf.rect(left, top, _SIDE, _SIDE)
        else:
            pdf.image(io.BytesIO(picture), left, top, _SIDE, _SIDE)
        pdf.set_xy(left, top + _SIDE)
        pdf.set_font("helvetica", "", 6)
        words = caption(cell, say) if picture is not None else f"{say('no image')}: {caption(cell, say)}"
        with pdf.local_context():
            pdf.multi_cell(_SIDE, _CAPTION_LINE, _latin(words)[:_CAPTION_LETTERS], align="L")
    pdf.set_xy(_MARGIN, top + row_height)


def _latin(words: str) -> str:
    """Words in the letters that the fonts of every PDF reader have; of others what is left without their accents."""
    plain = "".join(one if _is_latin(one) else unicodedata.normalize("NFKD", one) for one in words)
    return plain.encode("latin-1", "ignore" if _is_latin(plain) else "replace").decode("latin-1")


def _is_latin(words: str) -> bool:
    return all(ord(one) < 256 for one in words)
