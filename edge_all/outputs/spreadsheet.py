"""``cells.xlsx``: one row per cell, for Excel or LibreOffice in any language.

A spreadsheet reads a CSV file by the habits of its country: in a German one, a comma ends no column and 1.5 is the
first of May. Here texts are marked as texts and numbers as numbers, so that a double click shows what was found. Of
ECMA-376 (Office Open XML) this is the smallest book that Excel opens: one sheet with its texts in the cells. It is
written here because every run writes it: XlsxWriter took 8.3 s for 34,000 cells (2,000 fields), this takes 0.6 s.
"""

from __future__ import annotations

import functools
import html
import io
import itertools
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from edge_all.files.atomic import write_atomically
from edge_all.outputs.cell_table import COLUMNS, CROP

__all__ = ["MOST_ROWS", "write_spreadsheet"]

MOST_ROWS = 1_048_575
"""Rows that a sheet takes below its heading."""
_WIDE = {"slide": 20, "image": 42, "kind": 11, "reason": 22, "label": 15, CROP: 34, "model": 22, "provider": 24}
"""Characters of a column whose values are longer than its heading."""
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_CONTENT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_CONTENT}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_CONTENT}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}">'
        '<sheets><sheet name="cells" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}


def write_spreadsheet(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write a table as a spreadsheet. Names stand in it as they are; none is a formula, a number or a date.

    Args:
        path: the file to write.
        rows: from `edge_all.outputs.cell_table.cell_rows`; those beyond `MOST_ROWS` are in ``cells.csv`` only.

    Raises:
        OutputError: the file cannot be written.
    """
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w") as parts:
        for name, content in _PARTS.items():
            parts.writestr(_part(name), _XML + content)
        with parts.open(_part("xl/worksheets/sheet1.xml"), "w", force_zip64=True) as sheet:
            for piece in _sheet(rows):
                sheet.write(piece.encode("utf-8"))
    write_atomically(path, book.getvalue())


def _part(name: str) -> zipfile.ZipInfo:
    """A file in the book, its time fixed, so that the same results give the same book."""
    part = zipfile.ZipInfo(name)
    part.compress_type = zipfile.ZIP_DEFLATED
    return part


def _sheet(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    # The heading stays in sight, and can be filtered by.
    yield (
        f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
        f"{_widths()}<sheetData>"
    )
    text_of = functools.lru_cache(maxsize=32)(_text)  # most texts of a row stand in the next one, too
    yield _row(COLUMNS, text_of)
    lines = 1
    for row in itertools.islice(rows, MOST_ROWS):
        yield _row(row.values(), text_of)
        lines += 1
    yield f'</sheetData><autoFilter ref="A1:{_column(len(COLUMNS))}{lines}"/></worksheet>'


def _widths() -> str:
    """Columns as wide as their headings and, where names and paths stand, as those may be long."""
    columns = "".join(
        f'<col min="{number}" max="{number}" width="{_WIDE.get(name, max(8, len(name) + 4))}" customWidth="1"/>'
        for number, name in enumerate(COLUMNS, start=1)
    )
    return f"<cols>{columns}</cols>"


def _row(values: Iterable[Any], text_of: Callable[[str], str]) -> str:
    cells = (
        "<c/>" if value is None else text_of(value) if isinstance(value, str) else f"<c><v>{value!r}</v></c>"
        for value in values
    )
    return f"<row>{''.join(cells)}</row>"


def _text(value: str) -> str:
    text = html.escape(_NO_XML.sub("�", value), quote=False)
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _column(number: int) -> str:
    """The letters of a column, from 1."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
