"""Pictures of cells and fields for the page: each image is decoded once, and its cells are cut out of it together."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict

from edge_all.errors import InputNotFoundError, UsageError
from edge_all.outputs.pictures import jpeg_bytes
from edge_all.results import BoundingBox, RgbImage
from edge_all.session import available_cores
from edge_all.station.cell_square import cell_jpeg
from edge_all.station.desk import Station
from edge_all.station.storage.found_fields import CurrentField

__all__ = ["CELL_PICTURE_SIDE", "PictureShelf"]

CELL_PICTURE_SIDE = 128
"""Pixels; about 5 kB each. Shown 112 wide."""
_QUALITY = 90
_FIELD_QUALITY = 92
_MOST_PICTURES = 12_000
"""Some 60 MB: two slides of 5,000 cells."""
_MOST_FIELDS = 3
"""Decoded fields at hand; 15 MB each at 5 megapixels."""


class PictureShelf:
    """The pictures that were asked for last; safe to share between threads."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._lock = threading.Lock()
        self._decoding: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)
        self._decoders = threading.Semaphore(available_cores())
        self._cells: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._fields: OrderedDict[int, RgbImage] = OrderedDict()

    def cell(self, field: CurrentField, number: int) -> bytes:
        """A cell that the software found, as JPEG.

        Raises:
            InputNotFoundError: there is no such cell, or the image was forgotten.
            ImageError: the image is gone or has changed.
        """
        key = field.finding_id, number
        kept = self._kept(key)
        if kept is not None:
            return kept
        # Who asks for one cell of a field asks for the others next: one thread cuts them all, the others wait for it.
        with self._lock:
            decoding = self._decoding[field.finding_id]
        with decoding:
            kept = self._kept(key)
            if kept is None:
                with self._decoders:
                    self._cut_all(field)
                kept = self._kept(key)
        if kept is None:
            raise InputNotFoundError(f"Field {field.place} has no cell {number}.", "Load the slide again.")
        return kept

    def window(self, field: CurrentField, box: BoundingBox) -> bytes:
        """A square around a box of a field, as JPEG, for cells that people have drawn.

        Raises:
            UsageError: the box lies outside the image.
            ImageError, InputNotFoundError: as of `cell`.
        """
        pixels = self._pixels(field)
        x, y, width, height = box
        if not (0 <= x + width // 2 < pixels.shape[1] and 0 <= y + height // 2 < pixels.shape[0]):
            raise UsageError("The window lies outside the image.", "Ask for one within the field.")
        if not (1 <= max(width, height) <= max(pixels.shape[:2])):
            raise UsageError("The window is larger than the image.", "Ask for a smaller one.")
        return _picture(pixels, box)

    def field(self, field: CurrentField) -> bytes:
        """A whole field at its own size, as JPEG.

        Raises:
            ImageError, InputNotFoundError: as of `cell`.
        """
        return jpeg_bytes(self._pixels(field), _FIELD_QUALITY)

    def _kept(self, key: tuple[int, int]) -> bytes | None:
        with self._lock:
            if key in self._cells:
                self._cells.move_to_end(key)
            return self._cells.get(key)

    def _cut_all(self, field: CurrentField) -> None:
        pixels = self._pixels(field)
        found = self._station.found(field).summary
        pictures = {
            (field.finding_id, cell.id): _picture(pixels, cell.bbox, found.red_cell_radius) for cell in found.cells
        }
        with self._lock:
            self._cells.update(pictures)
            while len(self._cells) > max(_MOST_PICTURES, len(pictures)):
                self._cells.popitem(last=False)

    def _pixels(self, field: CurrentField) -> RgbImage:
        with self._lock:
            if field.finding_id in self._fields:
                self._fields.move_to_end(field.finding_id)
                return self._fields[field.finding_id]
        pixels = self._station.pixels(field)
        with self._lock:
            self._fields[field.finding_id] = pixels
            while len(self._fields) > _MOST_FIELDS:
                self._fields.popitem(last=False)
        return pixels


def _picture(pixels: RgbImage, box: BoundingBox, red_cell_radius: float | None = None) -> bytes:
    return cell_jpeg(pixels, box, CELL_PICTURE_SIDE, _QUALITY, red_cell_radius)
