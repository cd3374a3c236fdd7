"""BMP: what a file says about itself, whether it is whole, and its pixels. Source: the BITMAPINFOHEADER family."""

from __future__ import annotations

import struct

import numpy as np

from edge_all.imaging.decoder import decode_rgb
from edge_all.imaging.forms import ColourSpace, ImageHeader, Raster
from edge_all.imaging.pixel_size import per_unit
from edge_all.imaging.refusals import fail_corrupt, fail_unsupported
from edge_all.imaging.unwritten import BLACK_END, black_end, broke_off
from edge_all.wording.percentages import percent

__all__ = ["decode_bmp", "parse_bmp"]

_RUN_LENGTHS = (1, 2)
_BIT_FIELDS = (3, 6)
_DEFAULT_MASKS = {16: (0x7C00, 0x03E0, 0x001F), 32: (0xFF0000, 0x00FF00, 0x0000FF)}


def parse_bmp(data: bytes, name: str) -> ImageHeader:
    """Reads the bitmap header, old or new, and checks that all rows are there.

    Raises:
        struct.error, IndexError: the file ends within its header.
        CorruptImageError, UnsupportedImageError: as `edge_all.imaging.read_image`.
    """
    offset, header_size = struct.unpack_from("<II", data, 10)
    compression = across = down = 0
    if header_size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    elif header_size >= 40:
        width, height, _, bits, compression, _, across, down = struct.unpack_from("<iiHHIIii", data, 18)
    else:
        fail_corrupt(name, "has a damaged BMP header")
    height = abs(height)  # negative: the rows run from top to bottom
    if bits not in (1, 4, 8, 16, 24, 32) or compression not in (0, *_RUN_LENGTHS, *_BIT_FIELDS):
        fail_unsupported(name, f"is a BMP with {bits} bits a pixel and compression {compression}")
    if compression in _BIT_FIELDS:
        _check_masks(data, bits, name)
    notes: list[str] = []
    row = (width * bits + 31) // 32 * 4
    if compression in _RUN_LENGTHS:
        if not data.rstrip(b"\0").endswith(b"\1"):
            fail_corrupt(name, "is a damaged BMP: its end is missing")
    elif offset + row * height > len(data):
        fail_corrupt(name, "is a truncated BMP: rows are missing")
    elif bits >= 8 and row and height:
        surely, black = broke_off(data, [(offset, row * height)], row)
        if surely:
            fail_corrupt(name, f"is a half-copied BMP: the last {percent(black, 0)} of its pixels are missing")
        if black > BLACK_END:
            notes.append(black_end(black))
    # A fourth byte is padding more often than it is alpha, and then it is 0: it is never composited.
    return ImageHeader(
        "BMP", width, height, 8, working_bytes=6, colour=_colour_of(data, header_size),
        pixel_size=per_unit(across, down, 1e6, "BMP"), notes=tuple(notes),
    )  # fmt: skip


def decode_bmp(data: bytes, name: str) -> Raster:
    """Decode a file that `parse_bmp` has passed.

    Raises:
        CorruptImageError: the data cannot be decoded.
    """
    offset, header_size = struct.unpack_from("<II", data, 10)
    if header_size == 12 or struct.unpack_from("<H", data, 28)[0] not in _DEFAULT_MASKS:
        return Raster(decode_rgb(data, name))
    # OpenCV knows two layouts of 16 bits and one of 32, and takes every other for one of these.
    width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    masks = _masks(data) if compression in _BIT_FIELDS else _DEFAULT_MASKS[bits]
    rows = abs(height)
    words = (width * bits + 31) // 32 * 4 * 8 // bits
    stored = np.frombuffer(data, f"<u{bits // 8}", rows * words, offset).reshape(rows, words)[:, :width]
    colours = np.empty((rows, width, 3), np.uint8)
    for row, line in enumerate(stored if height < 0 else stored[::-1]):
        for channel, mask in enumerate(masks):
            levels = (line & mask) >> _lowest_bit(mask)
            most = mask >> _lowest_bit(mask)
            colours[row, :, channel] = levels if most == 255 else np.rint(levels * (255 / most))
    return Raster(colours)


def _check_masks(data: bytes, bits: int, name: str) -> None:
    masks = _masks(data)
    connected = all(mask and ((mask >> _lowest_bit(mask)) + 1).bit_count() == 1 for mask in masks)
    apart = not (masks[0] & masks[1] or masks[1] & masks[2] or masks[0] & masks[2])
    if bits not in _DEFAULT_MASKS or not connected or not apart or max(masks) >> bits:
        fail_unsupported(name, f"is a BMP whose colours lie in odd bits ({', '.join(f'{mask:X}' for mask in masks)})")


def _masks(data: bytes) -> tuple[int, int, int]:
    red, green, blue = struct.unpack_from("<III", data, 54)
    return red, green, blue


def _lowest_bit(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _colour_of(data: bytes, header_size: int) -> ColourSpace:
    """The profile that a header of the fifth version may carry."""
    if header_size < 124 or data[70:74] != b"DEBM":
        return ColourSpace()
    start, size = struct.unpack_from("<II", data, 126)
    return ColourSpace(data[14 + start : 14 + start + size] or None)
