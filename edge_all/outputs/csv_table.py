"""``cells.csv``: one row per cell, for a statistics program; a spreadsheet is better served by ``cells.xlsx``."""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edge_all.files.atomic import write_atomically
from edge_all.outputs.cell_table import COLUMNS

__all__ = ["write_csv"]

MOST_TEXTS = 32
"""Texts that are remembered as they are written: most of a row stand in the next one, too."""
NAMES = ("slide", "image")
"""The columns that hold what people called things."""
_FORMULA_START = re.compile(r"(^|[;|\t\r\n])(?=[\s\"']*[=+\-@＝＋－＠]|[\t\r\n])")  # noqa: RUF001
"""What makes Excel and LibreOffice take a text for a formula (OWASP, "CSV Injection"), in both widths."""
_MONTHS = (
    r"jan|feb|mar|mär|maa|mrt|apr|abr|avr|may|mai|mei|maj|mag|jun|jui|giu|jul|lug|aug|aoû|ago|sep|set|oct|okt|out|ott|nov|"
    r"dec|dez|dic|déc"
)
_TAKEN_FOR_A_VALUE = re.compile(
    rf"""\s*(?:
        [\d.,'\s]*\d[\d.,'\s]*(?:e[+-]?\d+)?[%€$£]?          # 0012, 1E5, 1.5, 1,234
        |\d+[-/.:]\d+(?:[-/.:]\d+)*(?:\s.*)?                  # 3-4, 1/2, 2026-11-27, 10:30
        |(?=.*\d)\d*[-/.\s]*(?:{_MONTHS})[a-zäûé]*[-/.\s]*\d*  # MAR1, 1-Mar, Sept 7
        |true|false|wahr|falsch|vrai|faux                     # truth values
    )\s*""",
    re.IGNORECASE | re.VERBOSE,
)
"""Names that a spreadsheet turns into a number, a date, a time or a truth value: 0012 becomes 12, 1E5 100000, MAR1 a
day in March (Ziemann et al., Genome Biology 17, 2016, found gene names that were dates in a fifth of the papers)."""


def write_csv(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write a table in UTF-8 with a byte-order mark, by which Excel knows it for UTF-8.

    Names that a spreadsheet would run as a formula, or take for a number or a date, get an apostrophe in front, which
    makes them text. Numbers have a decimal point.

    Args:
        path: the file to write.
        rows: from `edge_all.outputs.cell_table.cell_rows`.

    Raises:
        OutputError: the file cannot be written.
    """
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    name_of, text_of = (functools.lru_cache(maxsize=MOST_TEXTS)(written) for written in (_name, _text))
    for row in rows:
        writer.writerow(
            [
                value if not isinstance(value, str) else name_of(value) if name in NAMES else text_of(value)
                for name, value in row.items()
            ]
        )
    # A file name whose bytes are no valid text must not cost the whole table.
    write_atomically(path, b"\xef\xbb\xbf" + table.getvalue().encode("utf-8", "backslashreplace"))


def _name(value: str) -> str:
    """A name that no spreadsheet takes for a formula or a value."""
    return f"'{value}" if _TAKEN_FOR_A_VALUE.fullmatch(value) else _text(value)


def _text(value: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    # Also behind what a spreadsheet of another country splits at: in "a;=1+1.jpg" the second part is a formula there.
    return _FORMULA_START.sub(r"\1'", value)
