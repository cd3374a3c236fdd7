"""PNG: what a file says about itself, whether it is whole, and its pixels. Source: ISO/IEC 15948."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import cv2
import numpy as np

from edge_all.imaging.decoder import decode_as_stored, decode_rgb
from edge_all.imaging.exif import orientation_of
from edge_all.imaging.forms import ColourSpace, ImageHeader, Raster
from edge_all.imaging.pixel_size import PixelSize, per_unit
from edge_all.imaging.refusals import fail_corrupt

__all__ = ["decode_png", "parse_png"]

_MAKE_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"tRNS")
_DESCRIBE = (b"tRNS", b"eXIf", b"gAMA", b"sRGB", b"iCCP", b"pHYs")
_LARGEST_PROFILE = 4_000_000
"""Bytes of an ICC profile; larger ones are made to fill memory."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type."""
_LAST_FILTER = 4
_STEP = 1 << 16
"""Bytes that are inflated at a time: in one go it takes a third longer."""
_END = b"\0\0\0\0IEND\xaeB`\x82"


def parse_png(data: bytes, name: str) -> ImageHeader:
    """Walks the chunks to IEND and checks their sums.

    Raises:
        struct.error, IndexError: the file ends within its header.
        CorruptImageError: it is damaged.
    """
    if data[12:16] != b"IHDR":
        fail_corrupt(name, "is a PNG without a header")
    width, height, bits, colour_type = struct.unpack_from(">IIBB", data, 16)
    position = 8
    view = memoryview(data)
    chunks: dict[bytes, bytes] = {}
    while True:
        if position + 12 > len(data):
            fail_corrupt(name, "is a truncated PNG: its end is missing")
        length = struct.unpack_from(">I", data, position)[0]
        kind = data[position + 4 : position + 8]
        end = position + 8 + length
        if kind == b"IEND":
            break
        if end + 4 > len(data):
            fail_corrupt(name, "is a truncated PNG: its end is missing")
        # Of all chunks: a damaged letter makes of one with pixels one that is passed over.
        if zlib.crc32(view[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            fail_corrupt(name, f"is a damaged PNG: the checksum of its {kind.decode('latin-1')} chunk is wrong")
        if kind in _DESCRIBE:
            chunks.setdefault(kind, data[position + 8 : end])
        position = end + 4
    alpha = colour_type in (4, 6) or b"tRNS" in chunks
    return ImageHeader(
        "PNG", width, height, bits, alpha,
        orientation_of(chunks[b"eXIf"]) if b"eXIf" in chunks else 1,
        # As decoded and once more: measured, 5.9 for 8-bit RGB and 7.9 for RGBA.
        working_bytes=(4 if alpha else 3) * (2 if bits == 16 else 1) + (4 if alpha else 3),
        colour=_colour_of(chunks),
        pixel_size=_size_of(chunks),
    )  # fmt: skip


def decode_png(data: bytes, header: ImageHeader, name: str) -> Raster:
    """Decode a file that `parse_png` has passed.

    Raises:
        CorruptImageError: the data cannot be decoded.
    """
    bare = _with_rows_inflated(_with_what_makes_pixels(data), name)
    if not header.alpha:
        return Raster(decode_rgb(bare, name, keep_depth=True))
    stored = decode_as_stored(bare, name)
    if stored.ndim == 2 or stored.shape[2] < 4:
        # OpenCV leaves the one transparent colour of a grey or RGB file out of account; so do we: of a photograph it
        # is no pixel, and what it hides is not said.
        return Raster(stored if stored.ndim == 2 else np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)))
    return Raster(stored[..., 2::-1], stored[..., 3])


def _with_what_makes_pixels(data: bytes) -> bytes:
    """The file without its other chunks, of which libpng would tell the terminal what it does not like."""
    view = memoryview(data)
    parts: list[memoryview | bytes] = [view[:8]]
    position, kind = 8, b""
    while kind != b"IEND":
        length = struct.unpack_from(">I", data, position)[0]
        kind = data[position + 4 : position + 8]
        if kind in _MAKE_PIXELS:
            parts.append(view[position : position + 12 + length])
        position += 12 + length
    return b"".join([*parts, _END])


def _with_rows_inflated(bare: bytes, name: str) -> bytes:
    """The file with its rows stored instead of deflated, once it is seen that libpng has nothing to say of them.

    Its lines go to the terminal, past everybody. To inflate the rows for a look takes as long as libpng takes for it,
    so that they are handed to it inflated: with the look, a field of 2 megapixels takes 35 ms instead of 60, and 32
    without any look.

    Args:
        bare: from `_with_what_makes_pixels`.
        name: of the image.

    Raises:
        CorruptImageError: the rows do not inflate, are too few, or name a filter that there is not.
    """
    width, height, bits, colour_type, _, _, interlaced = struct.unpack_from(">IIBBBBB", bare, 16)
    row_bytes = 1 + (width * bits * _CHANNELS.get(colour_type, 4) + 7) // 8
    deflated: list[memoryview] = []
    others: list[memoryview | bytes] = [bare[:8]]
    position = 8
    while position < len(bare) - len(_END):
        (length,) = struct.unpack_from(">I", bare, position)
        chunk = memoryview(bare)[position : position + 12 + length]
        if bare[position + 4 : position + 8] == b"IDAT":
            deflated.append(chunk[8:-4])
        else:
            others.append(chunk)
        position += 12 + length
    # Of an interlaced picture the seven passes have a few rows more, and rounding a few bytes.
    most = row_bytes * height if not interlaced else 2 * row_bytes * height + 64
    rows = _inflated(deflated, most, name)
    if rows is None or (not interlaced and (len(rows) < most or max(rows[::row_bytes]) > _LAST_FILTER)):
        fail_corrupt(name, "is a damaged PNG: its image data has not the rows that its header names")
    stored = zlib.compress(rows, 0)
    del rows
    checksum = zlib.crc32(stored, zlib.crc32(b"IDAT"))
    return b"".join([*others, struct.pack(">I", len(stored)), b"IDAT", stored, struct.pack(">I", checksum), _END])


def _inflated(deflated: Sequence[memoryview], most: int, name: str) -> bytearray | None:
    """The rows; None where the data hold more than `most` bytes, or end before they are finished."""
    rows, stream = bytearray(), zlib.decompressobj()
    try:
        for part in deflated:
            for start in range(0, len(part), _STEP):
                # Bounded, for a small file may inflate to more than the memory holds.
                rows += stream.decompress(part[start : start + _STEP], most + 1 - len(rows))
                if len(rows) > most:
                    return None
    except zlib.error:
        fail_corrupt(name, "is a damaged PNG: its image data cannot be inflated")
    return rows if stream.eof else None


def _colour_of(chunks: dict[bytes, bytes]) -> ColourSpace:
    if b"iCCP" in chunks:
        _, _, rest = chunks[b"iCCP"].partition(b"\0")
        try:
            return ColourSpace(zlib.decompressobj().decompress(rest[1:], _LARGEST_PROFILE))
        except zlib.error:
            return ColourSpace(b"damaged")
    if b"gAMA" in chunks and b"sRGB" not in chunks and len(chunks[b"gAMA"]) >= 4:
        return ColourSpace(gamma=struct.unpack(">I", chunks[b"gAMA"][:4])[0] / 100_000)
    return ColourSpace()


def _size_of(chunks: dict[bytes, bytes]) -> PixelSize | None:
    if len(chunks.get(b"pHYs", b"")) < 9:
        return None
    across, down, unit = struct.unpack(">IIB", chunks[b"pHYs"][:9])
    return per_unit(across, down, 1e6 if unit == 1 else 0.0, "PNG")
