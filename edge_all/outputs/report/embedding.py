"""Which pictures go into the report, and in what form.

A report must open on an old workstation however many fields a run had. It therefore embeds a bounded number of
pictures, shared out among the slides, those first that matter most; the others are on disk beside it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from edge_all.errors import InputError
from edge_all.imaging import read_image
from edge_all.imaging.header import examine
from edge_all.outputs.pictures import jpeg_bytes
from edge_all.outputs.rejected_sheet import pieces_of_sheet
from edge_all.results import CellSummary, FieldSummary

__all__ = ["cells_per_gallery", "chosen_fields", "embedded_file", "embedded_overlay", "embedded_pieces"]

OVERLAYS_PER_REPORT = 40
"""Reading them is most of what opening takes. Measured on 500 rendered fields of 20 slides with 1,500 cells, in
Chromium on two cores with much other work on them (best of four): 1.14 s and 18 MB with 60 overlays, 0.92 s and 14 MB
with these; the first page is painted after 0.2 s."""
CELLS_PER_REPORT = 1500
"""At 5.6 kB each in base64 (144 cells of 20 ALL-IDB1 fields): 8 MB. Activation maps, where they are asked for, add
4.4 kB each: 7 MB."""
CELLS_PER_GALLERY = 120
"""More than anybody looks through on one page."""
FEWEST_CELLS = 12
OVERLAY_WIDTH = 1400
OVERLAY_QUALITY = 80


def chosen_fields(fields: Sequence[FieldSummary], slides: int) -> frozenset[str]:
    """The fields of one slide whose overlays are embedded: those with most ALL and indeterminate cells.

    Args:
        fields: of this slide.
        slides: number of slides in the report, which share its room.

    Returns:
        Names of the images.
    """
    room = max(1, OVERLAYS_PER_REPORT // max(1, slides))
    ranked = sorted(fields, key=_weight, reverse=True)
    return frozenset(field.image for field in ranked[:room])


def cells_per_gallery(slides: int) -> int:
    """How many cells each of a slide's three galleries may show, where the report has so many slides."""
    return max(FEWEST_CELLS, min(CELLS_PER_GALLERY, CELLS_PER_REPORT // (3 * max(1, slides))))


def embedded_overlay(overlays: Mapping[str, Path], image: str) -> tuple[str, int, int] | None:
    """The overlay of a field, reduced to what a screen shows where it is larger (an older version wrote such).

    Args:
        overlays: from the name of an image to its overlay.
        image: the name.

    Returns:
        A ``data:`` address, width and height in pixels; None where there is no such picture.
    """
    path = overlays.get(image)
    if path is None:
        return None
    try:
        content = path.read_bytes()
        header = examine(content, path.name, None).header
        if header.format == "JPEG" and header.width <= OVERLAY_WIDTH:
            # Embedded as it is: decoding and encoding it again took 40 ms a field.
            return _address(content), header.width, header.height
        pixels = read_image(content)
    except (InputError, OSError):
        # An overlay that was lost or damaged since must not cost the whole report.
        return None
    height, width = pixels.shape[:2]
    if width > OVERLAY_WIDTH:
        height = max(1, round(height * OVERLAY_WIDTH / width))
        width = OVERLAY_WIDTH
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return _address(jpeg_bytes(pixels, OVERLAY_QUALITY)), width, height


def embedded_pieces(sheets: Mapping[str, Path], field: FieldSummary, cells: Sequence[CellSummary]) -> dict[int, str]:
    """Pictures of rejected objects.

    Args:
        sheets: from the name of an image to its sheet, see `edge_all.outputs.rejected_sheet`.
        field: the field.
        cells: the objects wanted.

    Returns:
        ``data:`` addresses of square JPEGs by the id of the object; empty where there is no sheet.
    """
    path = sheets.get(field.image)
    try:
        sheet = None if path is None else read_image(path.read_bytes())
    except (InputError, OSError):
        # As with an overlay.
        return {}
    if sheet is None:
        return {}
    pieces = pieces_of_sheet(sheet, field.cells)
    return {cell.id: _address(jpeg_bytes(pieces[cell.id], OVERLAY_QUALITY)) for cell in cells if cell.id in pieces}


def embedded_file(paths: Mapping[tuple[str, int], Path], image: str, cell: CellSummary) -> str | None:
    """The picture of a cell as a ``data:`` address; None where there is none."""
    path = paths.get((image, cell.id))
    if path is None:
        return None
    try:
        return _address(path.read_bytes(), "png" if path.suffix.lower() == ".png" else "jpeg")
    except OSError:
        return None


def _weight(field: FieldSummary) -> tuple[int, int, int]:
    labels = [cell.label for cell in field.candidates]
    return labels.count("ALL"), labels.count("indeterminate"), len(labels)


def _address(content: bytes, kind: str = "jpeg") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
