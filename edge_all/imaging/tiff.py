"""TIFF: what a page says about itself, whether it is whole, and its pixels.

Plain pixels are taken from the file as they lie; everything compressed is decoded by the libtiff in OpenCV, which is
handed the file with this page as its first and without its orientation, since it puts tiles in the wrong places where
it is to mirror them. Sources: TIFF 6.0, the BigTIFF note, TIFF Technical Note 2 (JPEG).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.decoder import decode_as_stored, decode_rgb
from edge_all.imaging.exif import valid_orientation
from edge_all.imaging.forms import ColourSpace, ImageHeader, Raster
from edge_all.imaging.jpeg import is_whole
from edge_all.imaging.pixel_size import PixelSize, of_description, per_unit
from edge_all.imaging.refusals import fail_corrupt, fail_unsupported
from edge_all.imaging.tiff_structure import Ifd
from edge_all.imaging.unwritten import BLACK_END, black_end, broke_off
from edge_all.wording.percentages import percent

__all__ = ["decode_page", "parse_page"]

_COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}
"""None, the fax codes, LZW, JPEG, Deflate (new and old), PackBits: what OpenCV's own libtiff decodes."""
_PLAIN, _JPEG = 1, 7
_NEVER_ENDING_IN_ZEROS = {5, 8, 32773, 32946}
"""LZW, Deflate, PackBits: zeros there are what an interrupted copy left, and libtiff would make them black pixels."""
_PHOTOMETRICS = {0, 1, 2, 3, 5, 6}
"""Grey (both senses), RGB, palette, CMYK, YCbCr."""
_WHITE_IS_ZERO, _RGB = 0, 2
_ORIENTATION, _EXTRA_SAMPLES = 274, 338
_LARGEST_LONE_TILE = 1 << 24
"""Pixels that a tile may have however small the picture is."""
_CAMERA_BITS = range(9, 16)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the pixels of a page lie in the file.

    Attributes:
        width, height, channels, bits, photometric, compression: as the tags say.
        extra: meaning of the channels beyond the colours.
        planar: whether each channel has a plane of its own.
        tile: width and height of a tile; strips are tiles as wide as the picture.
        segments: offset and length of each strip or tile, in their order.
    """

    width: int
    height: int
    channels: int
    bits: int
    photometric: int
    compression: int
    extra: tuple[int, ...]
    planar: bool
    tile: tuple[int, int]
    segments: tuple[tuple[int, int], ...]

    @property
    def plain(self) -> bool:
        """Whether the pixels can be taken as they lie."""
        return self.compression == _PLAIN and self.bits in (8, 16) and self.photometric in (0, 1, 2)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of a strip or tile."""
        return (self.tile[0] * (1 if self.planar else self.channels) * self.bits + 7) // 8

    @property
    def alpha(self) -> int | None:
        """Meaning of the channel of transparency, 1 where the colours are multiplied by it, else 2; None without."""
        return next((kind for kind in self.extra if kind in (1, 2)), None)


def parse_page(data: bytes, ifd: Ifd, name: str) -> ImageHeader:
    """Reads one directory and checks that its strips or tiles are there.

    Raises:
        struct.error, IndexError: values lie beyond the end of the file.
        CorruptImageError, UnsupportedImageError: as `edge_all.imaging.read_image`.
    """
    layout = _layout_of(ifd, name)
    _check_form(layout, ifd, name)
    notes = _check_segments(data, layout, ifd, name)
    stored = layout.channels * (2 if layout.bits == 16 else 1)
    return ImageHeader(
        "TIFF", layout.width, layout.height, layout.bits, layout.alpha is not None,
        valid_orientation(ifd.value(_ORIENTATION, 1)),
        # libtiff has a strip or a tile of four channels beside the picture; files may be one strip.
        working_bytes=3 + max(4, stored) + (4 if layout.alpha and not layout.plain else 0),
        colour=ColourSpace(ifd.content(34675) or None),
        pixel_size=_size_of(ifd), notes=tuple(notes),
    )  # fmt: skip


def decode_page(data: bytes, ifd: Ifd, name: str) -> Raster:
    """Decode a page that `parse_page` has passed.

    Raises:
        CorruptImageError: the data cannot be decoded.
    """
    layout = _layout_of(ifd, name)
    try:
        raster = _plain_pixels(data, layout, ifd.order) if layout.plain else _by_libtiff(data, ifd, layout, name)
    except struct.error:  # such as tables of its JPEGs that lie beyond the end
        fail_corrupt(name, "is a damaged TIFF: a part that it names lies beyond its end")
    if raster.colours.dtype == np.uint16 and (bits := _significant_bits(ifd)) < 16:
        # The file says itself how much of the 16 bits its camera fills.
        scale = 65535 / ((1 << bits) - 1)
        full = np.minimum(np.rint(raster.colours * np.float32(scale)), 65535).astype(np.uint16)
        return Raster(full, raster.alpha, raster.multiplied)
    return raster


def _layout_of(ifd: Ifd, name: str) -> _Layout:
    all_bits = set(ifd.values(258)) or {1}
    if len(all_bits) > 1 or not all_bits <= {1, 2, 4, 8, 16}:
        fail_unsupported(name, f"is a TIFF with {', '.join(map(str, sorted(all_bits)))} bits a channel")
    width, height = ifd.value(256, 0), ifd.value(257, 0)
    tiled = bool(ifd.values(324))
    offsets, counts = (ifd.values(324), ifd.values(325)) if tiled else (ifd.values(273), ifd.values(279))
    tile = (ifd.value(322, 0), ifd.value(323, 0)) if tiled else (width, min(ifd.value(278, height) or height, height))
    planar = ifd.value(284, 1) == 2
    channels = ifd.value(277, 1)
    layout = _Layout(
        width, height, channels, all_bits.pop(), ifd.value(262, 1), ifd.value(259, 1), ifd.values(_EXTRA_SAMPLES),
        planar and channels > 1, tile, tuple(zip(offsets, counts, strict=False)),
    )  # fmt: skip
    if not offsets or min(width, height, *tile) < 1:
        fail_corrupt(name, "is a TIFF without image data")
    if tile[0] * tile[1] > 4 * width * height + _LARGEST_LONE_TILE:
        fail_corrupt(name, f"is a damaged TIFF: its tiles have {tile[0]} x {tile[1]} pixels")
    if layout.plain and (not counts or len(offsets) == 1):
        # Old writers leave the lengths out, or wrong where there is but one strip; of plain pixels they are known.
        rows = tile[1] if tiled else height
        layout = _with_lengths(layout, offsets, layout.row_bytes * rows)
    return layout


def _with_lengths(layout: _Layout, offsets: tuple[int, ...], length: int) -> _Layout:
    return replace(layout, segments=tuple((offset, length) for offset in offsets))


def _check_form(layout: _Layout, ifd: Ifd, name: str) -> None:
    # 1 is unsigned, 4 is "undefined" and in practice unsigned; what a float's white is, the file does not say.
    if not set(ifd.values(339)) <= {1, 4}:
        fail_unsupported(name, "is a TIFF with signed or floating-point values")
    if layout.photometric not in _PHOTOMETRICS or (layout.photometric == 5 and layout.bits != 8):
        fail_unsupported(name, f"is a TIFF with the colour space {layout.photometric} and {layout.bits} bits a channel")
    if layout.compression not in _COMPRESSIONS:
        fail_unsupported(name, f"is a TIFF with the compression {layout.compression}")
    colours = {2: 3, 5: 4, 6: 3}.get(layout.photometric, 1)
    # OpenCV drops or mixes up what goes beyond RGB with one more channel.
    if layout.channels > 4 or layout.channels < colours or (layout.alpha and layout.photometric != _RGB):
        fail_unsupported(name, f"is a TIFF with {layout.channels} channels")
    if layout.alpha and layout.planar and layout.bits == 16 and not layout.plain:
        fail_unsupported(name, "is a TIFF with 16-bit transparency in separate planes")


def _check_segments(data: bytes, layout: _Layout, ifd: Ifd, name: str) -> list[str]:
    across, down = (-(-side // of) for side, of in zip((layout.width, layout.height), layout.tile, strict=True))
    planes = layout.channels if layout.planar else 1
    segments = layout.segments
    wanted = across * down * planes
    if len(segments) < wanted or any(not count for _, count in segments[:wanted]):
        fail_corrupt(name, "is a damaged TIFF: image data are missing")
    if max(start + count for start, count in segments) > len(data):
        fail_corrupt(name, "is a truncated TIFF: image data are missing")
    if layout.compression in _NEVER_ENDING_IN_ZEROS and any(
        count >= 16 and not any(data[start + count - 16 : start + count]) for start, count in segments
    ):
        fail_corrupt(name, "is a damaged TIFF: a part of its image data is missing")
    if layout.compression != _PLAIN or layout.photometric == 6:
        return []
    last_rows = layout.height - (down - 1) * layout.tile[1]
    for index, (_, count) in enumerate(segments[:wanted]):
        is_strip = layout.tile[0] == layout.width and 324 not in ifd
        rows = last_rows if is_strip and index % (across * down) == across * down - 1 else layout.tile[1]
        if count < layout.row_bytes * rows:
            fail_corrupt(name, "is a damaged TIFF: image data are missing")
    surely, black = broke_off(data, sorted(_without_padding(layout, segments[:wanted])), layout.row_bytes)
    if surely:
        fail_corrupt(name, f"is a half-copied TIFF: the last {percent(black, 0)} of its pixels are missing")
    return [black_end(black)] if black > BLACK_END and layout.photometric != _WHITE_IS_ZERO else []


def _without_padding(layout: _Layout, segments: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Where the pixels of the picture lie: rows of tiles below it are filled up with whatever the writer chose."""
    for (row, _, _), (start, count) in zip(_places(layout), segments, strict=False):
        yield start, min(count, layout.row_bytes * min(layout.tile[1], layout.height - row))


def _plain_pixels(data: bytes, layout: _Layout, order: str) -> Raster:
    stored = np.empty((layout.height, layout.width, layout.channels), np.uint8 if layout.bits == 8 else np.uint16)
    for (row, column, channels), (start, _) in zip(_places(layout), layout.segments, strict=False):
        rows = min(layout.tile[1], layout.height - row)
        columns = min(layout.tile[0], layout.width - column)
        count = 1 if layout.planar else layout.channels
        piece = np.frombuffer(data, f"{order}u{layout.bits // 8}", rows * layout.tile[0] * count, start)
        piece = piece.reshape(rows, layout.tile[0], count)[:, :columns]
        stored[row : row + rows, column : column + columns, channels] = piece
    if layout.photometric == _RGB:
        alpha = layout.alpha
        return Raster(stored[..., :3], None if alpha is None else stored[..., 3], alpha == 1)
    grey = stored[..., 0]
    return Raster(np.invert(grey) if layout.photometric == _WHITE_IS_ZERO else grey)


def _places(layout: _Layout) -> Iterator[tuple[int, int, slice]]:
    """Row, column and channels of each strip or tile, in their order."""
    planes = [slice(index, index + 1) for index in range(layout.channels)] if layout.planar else [slice(None)]
    for channels in planes:
        for row in range(0, layout.height, layout.tile[1]):
            for column in range(0, layout.width, layout.tile[0]):
                yield row, column, channels


def _check_jpegs(data: bytes, ifd: Ifd, layout: _Layout, name: str) -> None:
    """Libtiff keeps to itself what libjpeg has to say of a damaged strip or tile."""
    tables = ifd.content(347)[:-2]
    largest = layout.tile[0] * layout.tile[1]
    for start, count in layout.segments:
        if not is_whole(tables + data[start + 2 * bool(tables) : start + count], largest):
            fail_corrupt(name, "is a damaged TIFF: a part of its JPEG data is missing or wrong")


def _by_libtiff(data: bytes, ifd: Ifd, layout: _Layout, name: str) -> Raster:
    if layout.compression == _JPEG:
        _check_jpegs(data, ifd, layout, name)
    opaque = _as_first(data, ifd, {_ORIENTATION: 1, _EXTRA_SAMPLES: 0})
    # Of 16 bits libtiff knows every layout when it is to give 8, and divides by 257 too; OpenCV more only of plain RGB,
    # and in its own order.
    deep = layout.bits == 16 and layout.photometric == _RGB and layout.channels == 3 and not layout.planar
    colours = decode_as_stored(opaque, name)[..., ::-1] if deep else decode_rgb(opaque, name)
    if layout.alpha is None:
        return Raster(colours)
    # Colours and alpha apart: with both, libtiff multiplies them, and where alpha is 0 the colour is lost.
    alpha: NDArray[Any] = decode_as_stored(_as_first(data, ifd, {_ORIENTATION: 1}), name)[..., 3]
    return Raster(colours, (alpha // 257).astype(np.uint8) if alpha.dtype == np.uint16 else alpha, layout.alpha == 1)


def _as_first(data: bytes, ifd: Ifd, values: dict[int, int]) -> bytes:
    """The file with this directory as its first, and other values in some tags that it has."""
    changed = bytearray(data)
    struct.pack_into(ifd.order + ("Q" if ifd.big else "I"), changed, ifd.link, ifd.start)
    for tag, value in values.items():
        place = ifd.place(tag)
        if place is not None:
            struct.pack_into(ifd.order + {3: "H", 4: "I"}.get(place[1], "B"), changed, place[0], value)
    return bytes(changed)


def _significant_bits(ifd: Ifd) -> int:
    """How many bits of 16 the file says that it fills; 16 where it does not say."""
    most = max(ifd.values(281), default=0)
    if most and (most + 1).bit_count() == 1 and (most + 1).bit_length() - 1 in _CAMERA_BITS:
        return (most + 1).bit_length() - 1
    found = re.search(rb'\bSignificantBits="(\d{1,2})"', ifd.content(270))
    return int(found[1]) if found and int(found[1]) in _CAMERA_BITS else 16


def _size_of(ifd: Ifd) -> PixelSize | None:
    across, down = ifd.rational(282), ifd.rational(283)
    unit = {2: 25400.0, 3: 10000.0}.get(ifd.value(296, 2), 0.0)
    described = of_description(ifd.content(270).decode("utf-8", "replace"), across, down)
    return described or per_unit(across, down, unit, "TIFF resolution")
