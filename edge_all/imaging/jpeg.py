"""JPEG: what a file says about itself, whether it is whole, and its pixels.

Decoded by libjpeg-turbo through simplejpeg, which gives the same pixels as OpenCV in the same time (2,691 real images,
bit for bit) and two things more: what libjpeg has to say of damaged data comes back as an error instead of going to the
terminal, and nothing that it has patched up passes for an image.

Source: ITU-T T.81; ICC.1 for the profile in pieces.
"""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from edge_all.imaging.exif import orientation_of, resolution_of
from edge_all.imaging.forms import ColourSpace, ImageHeader, Raster
from edge_all.imaging.pixel_size import PixelSize, per_unit
from edge_all.imaging.refusals import fail_corrupt, fail_unsupported

__all__ = ["decode_jpeg", "is_whole", "parse_jpeg"]

_DECODABLE = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
"""Frame headers of what libjpeg-turbo decodes: baseline, extended and progressive, Huffman or arithmetic coding."""
_PROGRESSIVE = {0xC2, 0xCA}
_SCAN_ENDS = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""Within a scan every FF is followed by 00 or a restart marker; anything else ends it."""
_COEFFICIENTS = 64
_PADDING = re.compile(rb"(?:\x00+|\xff+)\xff\xd9")


def parse_jpeg(data: bytes, name: str) -> ImageHeader:
    """Walks the marker segments up to the first scan, then from scan to scan to the end-of-image marker.

    Raises:
        struct.error, IndexError: the file ends within its header.
        CorruptImageError, UnsupportedImageError: as `edge_all.imaging.read_image`.
    """
    said, position = _before_the_first_scan(data, name)
    if said.frame is None:
        fail_corrupt(name, "is a JPEG without a frame header")
    bits, height, width, components = said.frame
    if bits != 8 or said.frame_marker not in _DECODABLE:
        fail_unsupported(name, f"is a JPEG with {bits} bits a channel, or of a rare kind")
    # Without Adobe's marker nobody can tell whether 0 means no ink or full ink.
    if components not in (1, 3, 4) or (components == 4 and not said.adobe):
        fail_unsupported(name, f"is a JPEG with {components} channels of unknown meaning")
    progressive = said.frame_marker in _PROGRESSIVE
    _check_scans(data, position, components, name, progressive=progressive)
    return ImageHeader(
        "JPEG",
        width,
        height,
        bits,
        orientation=said.orientation,
        # libjpeg holds the coefficients of a progressive file, 16 bits each, until the last scan.
        working_bytes=(7 if components == 4 else 3) + (2 * components if progressive else 0),
        colour=ColourSpace(b"".join(said.profile[number] for number in sorted(said.profile)) or None),
        pixel_size=next((size for size in said.sizes if size is not None), None),
    )


@dataclass(slots=True)
class _Said:
    """What the segments before the first scan say."""

    frame: tuple[int, int, int, int] | None = None
    frame_marker: int = 0
    adobe: bool = False
    orientation: int = 1
    sizes: list[PixelSize | None] = field(default_factory=list)
    profile: dict[int, bytes] = field(default_factory=dict)

    def take(self, marker: int, content: bytes) -> None:
        """Take one segment into account."""
        # C4, C8 and CC lie among the frame headers and are none.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            self.frame, self.frame_marker = struct.unpack_from(">BHHB", content), marker
        elif marker == 0xE0 and content[:5] == b"JFIF\0":
            self.sizes.append(_jfif_size(content))
        elif marker == 0xE1 and content[:6] == b"Exif\0\0":
            self.orientation = orientation_of(content[6:])
            self.sizes.append(resolution_of(content[6:]))
        elif marker == 0xE2 and content[:12] == b"ICC_PROFILE\0":
            self.profile[content[12]] = content[14:]
        elif marker == 0xEE:
            self.adobe = content[:5] == b"Adobe"


def _before_the_first_scan(data: bytes, name: str) -> tuple[_Said, int]:
    """What is said there, and where the marker of the scan lies."""
    said = _Said()
    position = 2
    while True:
        if data[position] != 0xFF:
            fail_corrupt(name, "has a damaged JPEG header")
        marker = data[position + 1]
        if marker == 0xDA:
            return said, position
        if marker == 0xD9:
            fail_corrupt(name, "is a JPEG without image data")
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        length = max(2, struct.unpack_from(">H", data, position + 2)[0])
        said.take(marker, data[position + 4 : position + 2 + length])
        position += 2 + length


def decode_jpeg(data: bytes, name: str) -> Raster:
    """Decode a file that `parse_jpeg` has passed.

    Raises:
        CorruptImageError: a part of the data is damaged or missing.
    """
    try:
        return _decode(data)
    except ValueError as error:
        # Some cameras fill their files up before the end marker, which libjpeg reports and which harms nothing.
        padding = _PADDING.search(data, data.rfind(b"\xff\xd9") - 2)
        trimmed = data.rstrip(b"\0").removesuffix(b"\xff\xd9").rstrip(b"\0\xff") + b"\xff\xd9"
        if padding is not None and len(trimmed) < len(data) and b"before marker 0xd9" in str(error).encode():
            try:
                return _decode(trimmed)
            except ValueError:
                pass
        fail_corrupt(name, "is a damaged JPEG: a part of its image data is missing or wrong")


def is_whole(data: bytes, largest: int) -> bool:
    """Whether libjpeg decodes a JPEG of at most so many pixels without a complaint; for the pieces of a TIFF."""
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data, strict=True)
        if height * width > largest:
            return False
        simplejpeg.decode_jpeg(data, "GRAY", strict=True)
    except ValueError:
        return False
    return True


def _decode(data: bytes) -> Raster:
    _, _, space, _ = simplejpeg.decode_jpeg_header(data, strict=True)
    if space not in ("CMYK", "YCCK"):
        return Raster(np.asarray(simplejpeg.decode_jpeg(data, "RGB", strict=True)))
    inks = np.asarray(simplejpeg.decode_jpeg(data, "CMYK", strict=True))
    return Raster(_of_adobe_inks(inks))


def _of_adobe_inks(inks: NDArray[Any]) -> NDArray[np.uint8]:
    """RGB of inks that are stored as Adobe does, 255 being none."""
    colours = np.empty((*inks.shape[:2], 3), np.uint8)
    for row in range(len(inks)):  # a row at a time: 16 bits are needed in between
        line = inks[row].astype(np.uint16)
        colours[row] = (line[:, :3] * line[:, 3:] + 127) // 255
    return colours


def _jfif_size(content: bytes) -> PixelSize | None:
    unit, across, down = struct.unpack_from(">BHH", content, 7)
    return per_unit(across, down, {1: 25400.0, 2: 10000.0}.get(unit, 0.0), "JFIF")


def _check_scans(data: bytes, position: int, components: int, name: str, *, progressive: bool) -> None:
    """From scan to scan to the end marker: is it there, and has each coefficient had its last bit?

    Without the end libjpeg fills what is missing with grey. Where whole scans are missing and the end marker is there,
    as repair programs leave it, it gives a coarse picture of a progressive file and does not say a word.
    """
    # By channel, how many of the lowest bits each coefficient still lacks.
    lacking: dict[int, list[int]] = defaultdict(lambda: [99] * _COEFFICIENTS)
    while True:
        length, count = struct.unpack_from(">HB", data, position + 2)
        first, last, bits = struct.unpack_from("BBB", data, position + 5 + 2 * count)
        for channel in range(count):
            below = lacking[data[position + 5 + 2 * channel]]
            for coefficient in range(first, min(last + 1, _COEFFICIENTS)) if progressive else range(_COEFFICIENTS):
                below[coefficient] = min(below[coefficient], bits & 15 if progressive else 0)
        position = _next_scan(data, position + 2 + length, name)
        if data[position + 1] == 0xD9:
            break
    if len(lacking) < components or any(any(below) for below in lacking.values()):
        fail_corrupt(name, "is a truncated JPEG: some of its scans are missing")


def _next_scan(data: bytes, position: int, name: str) -> int:
    """Where the marker of the next scan or of the end lies."""
    while True:
        found = _SCAN_ENDS.search(data, position)
        if found is None:
            fail_corrupt(name, "is a truncated JPEG: its end is missing")
        position = found.start()
        marker = data[position + 1]
        if marker in (0xD9, 0xDA):
            return position
        if marker not in (0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xFE) and not 0xE0 <= marker <= 0xEF:
            fail_corrupt(name, "is a damaged JPEG: its image data are wrong")
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
