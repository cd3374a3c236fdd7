"""A field with its cells drawn in: what the reader compares with the smear.

Each class has its own colour and its own line (thick, dashed, thin), so that the picture can be read without colours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.display import display_scale, display_size, resize_for_the_eye
from edge_all.outputs.palette import PALETTE, CellClass, Rgb, cell_class
from edge_all.outputs.pictures import write_jpeg
from edge_all.outputs.result_words import likeness_of, probability_words
from edge_all.outputs.tag_placement import Rectangle, place_tags
from edge_all.results import INTENDED_USE, Cell, FieldResult, RgbImage

__all__ = ["draw_overlay", "load_font", "save_overlay"]

TEXT_SHARE = 0.0105
"""Height of a capital as a share of the longer side: 12 px in the report, which shows a field 1130 px wide."""
SMALLEST_TEXT = 9
"""Height of a capital in pixels below which OpenCV's type is no longer legible (looked at)."""
CORNER_TOLERANCE = 1.0
"""Pixels of the picture by which an outline that is drawn may miss the cell's own; lines are 2 wide and more."""
JPEG_QUALITY = 85
FONT = cv2.FONT_HERSHEY_SIMPLEX
NOT_JUDGED = "This field was not judged."
INK: Rgb = (20, 20, 20)
PAPER: Rgb = (255, 255, 255)


def load_font() -> None:
    """Let OpenCV unpack its type, as it does once a process, before the first letter (20 ms)."""
    cv2.putText(np.zeros((1, 1, 3), np.uint8), "0", (0, 0), FONT, 1.0, INK)


def draw_overlay(pixels: RgbImage, result: FieldResult) -> RgbImage:
    """Draw outlines, numbers, probabilities, a legend and the intended use.

    Args:
        pixels: ``uint8 [h, w, 3]`` RGB field, at its own size or shrunk by its `whole_reduction`.
        result: its cells.

    Returns:
        ``uint8 [display height + strip, display width, 3]`` RGB: the field at its `display_size`, with a strip below
        it. No name of a file or slide is drawn in.
    """
    scale = display_scale(result.width, result.height)
    width, height = display_size(result.width, result.height)
    pen = _Pen(max(height, width))
    strip = _strip(width, result, pen)
    # One piece of memory for the field and the strip: putting them together later copies both.
    whole = np.empty((height + len(strip), width, 3), np.uint8)
    picture = whole[:height]
    _scale_into(picture, pixels)
    whole[height:] = strip
    # What matters most is drawn last, on top.
    order: list[CellClass] = list(reversed(PALETTE))
    for cell in sorted(result.cells, key=lambda cell: order.index(cell_class(cell))):
        _draw_outline(picture, cell, scale, pen)
    _draw_tags(picture, result.candidates, scale, pen)
    return whole


def save_overlay(path: Path, pixels: RgbImage, result: FieldResult) -> None:
    """Draw a field with `draw_overlay` and write it as JPEG.

    Args:
        path: the file to write.
        pixels: ``uint8 [h, w, 3]`` RGB field, at its own size or shrunk by its `whole_reduction`.
        result: its cells.

    Raises:
        OutputError: the file cannot be written.
    """
    write_jpeg(path, draw_overlay(pixels, result), JPEG_QUALITY)


def _scale_into(picture: RgbImage, pixels: RgbImage) -> None:
    """Fill a picture with the field at the picture's size."""
    height, width = picture.shape[:2]
    if (height, width) == pixels.shape[:2]:
        picture[:] = pixels
    elif width > pixels.shape[1]:
        cv2.resize(pixels, (width, height), picture, interpolation=cv2.INTER_CUBIC)
    else:
        resize_for_the_eye(pixels, width, height, picture)


class _Pen:
    """Sizes that go with the size of a picture.

    Args:
        side: its longer side in pixels.
    """

    def __init__(self, side: int) -> None:
        self.capital = max(SMALLEST_TEXT, round(side * TEXT_SHARE))
        (_, unit_height), _ = cv2.getTextSize("H", FONT, 1.0, 1)
        self._font_scale = self.capital / unit_height
        self._weight = max(1, round(self.capital / 14))
        self.margin = max(2, self.capital // 3)
        # Two pixels up to 1700, four at 2592.
        self.line = max(2, round(side / 700))

    def text_width(self, text: str) -> int:
        """Width of a text in pixels."""
        (width, _), _ = cv2.getTextSize(text, FONT, self._font_scale, self._weight)
        return int(width)

    def write(self, picture: RgbImage, text: str, left: int, base: int, colour: Rgb) -> None:
        """Write a text whose capitals stand on ``base``."""
        cv2.putText(picture, text, (left, base), FONT, self._font_scale, colour, self._weight, cv2.LINE_AA)

    def thickness(self, drawn_as: CellClass) -> int:
        """Of the outline of a class."""
        return {"ALL": self.line + 1 + self.line // 2, "rejected": self.line - self.line // 3}.get(drawn_as, self.line)


def _draw_outline(picture: RgbImage, cell: Cell, scale: float, pen: _Pen) -> None:
    drawn_as = cell_class(cell)
    # Pixel i covers scale pixels of the picture, its centre lies in their middle.
    points = np.asarray(cell.contour, np.float64).reshape(-1, 2) * scale + (scale - 1) / 2
    outline = np.round(points).astype(np.int32)
    if scale < 1:
        # OpenCV draws two round ends for each piece of a line: half the corners, half the time, the same picture.
        outline = cv2.approxPolyDP(outline, CORNER_TOLERANCE, closed=True)[:, 0].astype(np.int32, copy=False)
    thickness = pen.thickness(drawn_as)
    lines = _dashes(outline, 5 * pen.capital // 4) if drawn_as == "indeterminate" else [outline]
    closed = drawn_as != "indeterminate"
    if drawn_as != "rejected":
        # A dark edge keeps yellow visible on glass, a light one keeps blue visible on nuclei.
        cv2.polylines(picture, lines, closed, _ink_on(PALETTE[drawn_as]), thickness + max(2, pen.line), cv2.LINE_AA)
    cv2.polylines(picture, lines, closed, PALETTE[drawn_as], thickness, cv2.LINE_AA)


def _dashes(outline: NDArray[np.int32], dash: int) -> list[NDArray[np.int32]]:
    """Cut a closed outline into dashes with gaps of about half their length.

    Args:
        outline: ``int32 [points, 2]``.
        dash: length of a dash in pixels.

    Returns:
        Open polylines, ``int32 [points, 2]`` each.
    """
    ring = np.vstack([outline, outline[:1]]).astype(np.float64)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(ring, axis=0).T))])
    count = max(3, round(along[-1] / (1.5 * dash)))
    period = along[-1] / count
    lines = []
    for number in range(count):
        at = np.linspace(number * period, (number + 2 / 3) * period, 8)
        points = np.column_stack([np.interp(at, along, ring[:, axis]) for axis in (0, 1)])
        lines.append(np.round(points).astype(np.int32))
    return lines


def _draw_tags(picture: RgbImage, cells: Sequence[Cell], scale: float, pen: _Pen) -> None:
    """Write number and probability beside each candidate."""
    height, width = picture.shape[:2]
    texts = [_tag(cell) for cell in cells]
    sizes = [(pen.text_width(text) + 2 * pen.margin, pen.capital + 2 * pen.margin) for text in texts]
    tags = place_tags([_scaled_box(cell, scale) for cell in cells], sizes, width, height)
    for cell, text, (left, top, right, bottom) in zip(cells, texts, tags, strict=True):
        colour = PALETTE[cell_class(cell)]
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), colour, cv2.FILLED)
        pen.write(picture, text, left + pen.margin, bottom - pen.margin - 1, _ink_on(colour))


def _tag(cell: Cell) -> str:
    if cell.probability is None:
        return str(cell.id)
    # Without the word, 0.99 beside an indeterminate cell looks like a mistake.
    return f"{cell.id}: {probability_words(cell)} {likeness_of(cell)}".rstrip()


def _scaled_box(cell: Cell, scale: float) -> Rectangle:
    x, y, width, height = cell.bbox
    return round(x * scale), round(y * scale), round((x + width) * scale), round((y + height) * scale)


def _ink_on(colour: Rgb) -> Rgb:
    """Black or white, whichever is read better on this colour (luma of ITU-R BT.601)."""
    red, green, blue = colour
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else PAPER


def _strip(width: int, result: FieldResult, pen: _Pen) -> RgbImage:
    """The legend with the counts, and the intended use, on white: ``uint8 [strip, width, 3]``."""
    counts = Counter(cell_class(cell) for cell in result.cells)
    # Before classification there are candidates; after it a count of 0 is a result too.
    labels: tuple[CellClass, ...] = ("candidate",) if counts["candidate"] else ("ALL", "indeterminate", "non-ALL")
    classes: list[CellClass] = [name for name in PALETTE if counts[name] or name in labels]
    swatch, gap = 2 * pen.capital, 2 * pen.capital
    line_height = 2 * pen.capital
    rows: list[list[CellClass]] = [[]]
    used = pen.capital
    for name in classes:
        item = swatch + pen.capital + pen.text_width(f"{name} {counts[name]}") + gap
        if rows[-1] and used + item > width:
            rows.append([])
            used = pen.capital
        rows[-1].append(name)
        used += item
    sentences = _wrapped(INTENDED_USE, width - 2 * pen.capital, pen)
    if result.status != "ok":
        # A count of 0 would be a result.
        rows = []
        sentences.insert(0, NOT_JUDGED)
    # White as one number: a colour of three takes NumPy 0.4 ms.
    strip = np.full((line_height * (len(rows) + len(sentences)) + pen.capital, width, 3), PAPER[0], np.uint8)
    base = line_height
    for row in rows:
        left = pen.capital
        for name in row:
            middle = base - pen.capital // 2
            _draw_swatch(strip, name, (left, middle), swatch, pen)
            left += swatch + pen.capital
            text = f"{name} {counts[name]}"
            pen.write(strip, text, left, base, INK)
            left += pen.text_width(text) + gap
        base += line_height
    for sentence in sentences:
        pen.write(strip, sentence, pen.capital, base, INK)
        base += line_height
    return strip


def _draw_swatch(strip: RgbImage, name: CellClass, start: tuple[int, int], length: int, pen: _Pen) -> None:
    """A piece of the line with which a class is drawn."""
    left, middle = start
    thickness = pen.thickness(name)
    pieces = [(left, left + length)]
    if name == "indeterminate":
        pieces = [(left, left + length * 2 // 5), (left + length * 3 // 5, left + length)]
    for x0, x1 in pieces:
        if name != "rejected":
            cv2.line(
                strip, (x0, middle), (x1, middle), _ink_on(PALETTE[name]), thickness + max(2, pen.line), cv2.LINE_AA
            )
        cv2.line(strip, (x0, middle), (x1, middle), PALETTE[name], thickness, cv2.LINE_AA)


def _wrapped(text: str, width: int, pen: _Pen) -> list[str]:
    """Break a text into lines of at most ``width`` pixels, between words."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and pen.text_width(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
