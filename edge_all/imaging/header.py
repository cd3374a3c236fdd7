"""What a file says about itself before anything is decoded.

Decoders allocate what a header promises, and some of them quietly fill in what a truncated file lacks. So the size, the
form and the completeness of a file are read here first, from the few bytes that hold them; nothing is decompressed.

Sources: ITU-T T.81 (JPEG), ISO/IEC 15948 (PNG), TIFF 6.0 and the BigTIFF note, Exif 2.32, the BITMAPINFOHEADER family.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Literal, NoReturn

from edge_all.errors import CorruptImageError, UnsupportedImageError

__all__ = ["COPY_AGAIN", "ImageHeader", "parse_header"]

ImageFormat = Literal["JPEG", "PNG", "BMP", "TIFF"]

_SAVE_AGAIN = "Open it in the camera's software and save it again as PNG, or as TIFF with 8 bits a channel."
COPY_AGAIN = "Copy the file from the microscope again; if it is damaged there too, take the image again."
"""The remedy for a damaged file."""

_FOREIGN_FORMATS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"),
    (4, b"jP  \r\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (4, b"ftyp", "HEIF, AVIF or video"),
    (128, b"DICM", "DICOM"),
    (0, b"%PDF", "PDF"),
    (0, b"ZISRAWFILE", "Zeiss CZI"),
    (0, b"\xda\xce\xbe\x0a", "Nikon ND2"),
    (0, b"8BPS", "Photoshop"),
    (0, b"\x89HDF", "HDF5"),
)
"""Offset, signature and name of the formats that a laboratory may point at by mistake."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """The form of an image file.

    Attributes:
        format: what it is, told by its content and never by its name.
        width, height: size in pixels as stored, before any rotation.
        bits: bits of a channel.
        alpha: whether there is transparency to composite.
        orientation: Exif orientation from 1 to 8 that the caller has to apply; 1 for TIFF, where the decoder does it.
    """

    format: ImageFormat
    width: int
    height: int
    bits: int
    alpha: bool = False
    orientation: int = 1


def parse_header(data: bytes, name: str) -> ImageHeader:
    """Reads size and form of an image, and checks that the file is complete.

    Args:
        data: the whole file.
        name: how errors call it.

    Returns:
        The header of the first image in the file.

    Raises:
        CorruptImageError: empty, truncated or damaged, or no image at all.
        UnsupportedImageError: a real image in a form that cannot be decoded faithfully.
    """
    if not data:
        raise CorruptImageError(f"{name} is empty (0 bytes).", COPY_AGAIN)
    for signature, parse in (
        (b"\xff\xd8\xff", _parse_jpeg),
        (b"\x89PNG\r\n\x1a\n", _parse_png),
        (b"BM", _parse_bmp),
        (b"II*\0", _parse_tiff),
        (b"MM\0*", _parse_tiff),
        (b"II+\0", _parse_tiff),
        (b"MM\0+", _parse_tiff),
    ):
        if data.startswith(signature):
            try:
                header = parse(data, name)
            except (struct.error, IndexError) as error:  # a field that lies beyond the end of the file
                raise CorruptImageError(f"{name} ends within its header.", COPY_AGAIN) from error
            if header.width < 1 or header.height < 1:
                _fail_corrupt(name, f"claims {header.width} x {header.height} pixels")
            return header
    for offset, signature, kind in _FOREIGN_FORMATS:
        if data[offset : offset + len(signature)] == signature:
            raise UnsupportedImageError(
                f"{name} is a {kind} file, not a JPEG, PNG, BMP or TIFF image.", "Export it as PNG or TIFF."
            )
    raise CorruptImageError(
        f"{name} is not an image: its content is neither JPEG, PNG, BMP nor TIFF, whatever its name says.",
        "Check that this is the file you meant.",
    )


def _fail_corrupt(name: str, finding: str) -> NoReturn:
    raise CorruptImageError(f"{name} {finding}.", COPY_AGAIN)


def _fail_unsupported(name: str, finding: str) -> NoReturn:
    raise UnsupportedImageError(f"{name} {finding}, which is not supported.", _SAVE_AGAIN)


# JPEG


def _parse_jpeg(data: bytes, name: str) -> ImageHeader:
    """Walks the marker segments up to the first scan, then looks for the end-of-image marker behind it."""
    position = 2
    frame: tuple[int, int, int, int] | None = None
    adobe = False
    orientation = 1
    while True:
        if data[position] != 0xFF:
            _fail_corrupt(name, "has a damaged JPEG header")
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        length = struct.unpack_from(">H", data, position + 2)[0]
        payload = position + 4
        # C4, C8 and CC lie among the frame headers and are none.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            frame = struct.unpack_from(">BHHB", data, payload)
        elif marker == 0xEE:
            adobe = data[payload : payload + 5] == b"Adobe"
        elif marker == 0xE1 and data[payload : payload + 6] == b"Exif\0\0":
            orientation = _exif_orientation(data[payload + 6 : payload + length - 2])
        elif marker == 0xDA:
            break
        elif marker == 0xD9:
            _fail_corrupt(name, "is a JPEG without image data")
        position += 2 + max(length, 2)
    if frame is None:
        _fail_corrupt(name, "is a JPEG without a frame header")
    bits, height, width, components = frame
    if bits != 8:
        _fail_unsupported(name, f"is a JPEG with {bits} bits a channel")
    # Without Adobe's marker nobody can tell whether 0 means no ink or full ink.
    if components not in (1, 3, 4) or (components == 4 and not adobe):
        _fail_unsupported(name, f"is a JPEG with {components} channels of unknown meaning")
    # Inside a scan every FF is followed by 00 or a restart marker, so FFD9 behind the first scan is the true end.
    # Without it libjpeg would fill the missing part with grey, or blur it where the file is progressive.
    if data.rfind(b"\xff\xd9") < position:
        _fail_corrupt(name, "is a truncated JPEG: its end is missing")
    return ImageHeader("JPEG", width, height, bits, orientation=orientation)


# PNG

_PNG_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"tRNS")


def _parse_png(data: bytes, name: str) -> ImageHeader:
    """Walks the chunks to IEND and checks the sums of those that make pixels."""
    if data[12:16] != b"IHDR":
        _fail_corrupt(name, "is a PNG without a header")
    width, height, bits, colour_type = struct.unpack_from(">IIBB", data, 16)
    alpha = colour_type in (4, 6)
    orientation = 1
    position = 8
    view = memoryview(data)
    while True:
        if position + 12 > len(data):
            _fail_corrupt(name, "is a truncated PNG: its end is missing")
        length = struct.unpack_from(">I", data, position)[0]
        kind = data[position + 4 : position + 8]
        end = position + 8 + length
        if kind == b"IEND":
            break
        if kind in _PNG_CRITICAL:
            if end + 4 > len(data):
                _fail_corrupt(name, "is a truncated PNG: its end is missing")
            if zlib.crc32(view[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
                _fail_corrupt(name, f"is a damaged PNG: the checksum of its {kind.decode()} chunk is wrong")
        alpha = alpha or kind == b"tRNS"
        if kind == b"eXIf":
            orientation = _exif_orientation(data[position + 8 : end])
        position = end + 4
    return ImageHeader("PNG", width, height, bits, alpha, orientation)


def _exif_orientation(block: bytes) -> int:
    """Orientation of an Exif block, 1 where it has none that can be read."""
    try:
        orientation = _Ifd(block).value(274, 1)
    except (struct.error, IndexError, KeyError):
        return 1
    return orientation if 1 <= orientation <= 8 else 1


# BMP


def _parse_bmp(data: bytes, name: str) -> ImageHeader:
    """Reads the bitmap header, old or new, and checks that all rows are there."""
    offset, header_size = struct.unpack_from("<II", data, 10)
    compression = 0
    if header_size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    elif header_size >= 40:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    else:
        _fail_corrupt(name, "has a damaged BMP header")
    height = abs(height)  # negative: the rows run from top to bottom
    if bits not in (1, 4, 8, 16, 24, 32) or compression > 3:
        _fail_unsupported(name, f"is a BMP with {bits} bits a pixel and compression {compression}")
    if compression in (0, 3) and offset + (width * bits + 31) // 32 * 4 * height > len(data):
        _fail_corrupt(name, "is a truncated BMP: rows are missing")
    # A fourth byte is padding more often than it is alpha, and then it is 0: it is never composited.
    return ImageHeader("BMP", width, height, 8)


# TIFF

_TIFF_TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_TIFF_COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}
"""None, the fax codes, LZW, JPEG, Deflate (new and old), PackBits: what OpenCV's own libtiff decodes."""
_TIFF_NEVER_ENDING_IN_ZEROS = {5, 8, 32946}
"""LZW and Deflate: zeros there are what an interrupted copy left, and libtiff would make black pixels of them."""
_TIFF_PHOTOMETRICS = {0, 1, 2, 3, 5, 6}
"""Grey (both senses), RGB, palette, CMYK, YCbCr."""


class _Ifd:
    """The first image file directory of a TIFF or BigTIFF structure."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order = "<" if data[:1] == b"I" else ">"
        self._big = struct.unpack_from(self._order + "H", data, 2)[0] == 43
        self._entries: dict[int, tuple[int, int, int]] = {}
        word, head, entry = ("Q", "Q", 20) if self._big else ("I", "H", 12)
        start = struct.unpack_from(self._order + word, data, 8 if self._big else 4)[0]
        count = struct.unpack_from(self._order + head, data, start)[0]
        start += struct.calcsize(head)
        for index in range(count):
            at = start + index * entry
            tag, kind, values = struct.unpack_from(f"{self._order}HH{word}", data, at)
            self._entries[tag] = (kind, values, at + 4 + struct.calcsize(word))

    def __contains__(self, tag: int) -> bool:
        return tag in self._entries

    def values(self, tag: int) -> tuple[int, ...]:
        """All integers of a tag; empty where it is missing or of another type.

        Raises:
            struct.error: they lie beyond the end of the data.
        """
        kind, count, at = self._entries.get(tag, (0, 0, 0))
        code = _TIFF_TYPES.get(kind)
        if code is None:
            return ()
        word = "Q" if self._big else "I"
        if struct.calcsize(f"={code}") * count > struct.calcsize(f"={word}"):
            at = struct.unpack_from(self._order + word, self._data, at)[0]
        if count > len(self._data):
            raise struct.error("more values than bytes")  # before a format string asks for that much memory
        return struct.unpack_from(f"{self._order}{count}{code}", self._data, at)

    def value(self, tag: int, default: int) -> int:
        """The first integer of a tag."""
        return next(iter(self.values(tag)), default)


def _parse_tiff(data: bytes, name: str) -> ImageHeader:
    """Reads the first directory and checks that its strips or tiles lie within the file."""
    ifd = _Ifd(data)
    width, height = ifd.value(256, 0), ifd.value(257, 0)
    channels = ifd.value(277, 1)
    all_bits = set(ifd.values(258)) or {1}
    photometric = ifd.value(262, 1)
    compression = ifd.value(259, 1)
    extra = ifd.values(338)
    if len(all_bits) > 1 or not all_bits <= {1, 2, 4, 8, 16}:
        _fail_unsupported(name, f"is a TIFF with {', '.join(map(str, sorted(all_bits)))} bits a channel")
    bits = all_bits.pop()
    # 1 is unsigned, 4 is "undefined" and in practice unsigned; what a float's white is, the file does not say.
    if not set(ifd.values(339)) <= {1, 4}:
        _fail_unsupported(name, "is a TIFF with signed or floating-point values")
    if photometric not in _TIFF_PHOTOMETRICS or (photometric == 5 and bits != 8):
        _fail_unsupported(name, f"is a TIFF with the colour space {photometric} and {bits} bits a channel")
    if compression not in _TIFF_COMPRESSIONS:
        _fail_unsupported(name, f"is a TIFF with the compression {compression}")
    colours = {2: 3, 5: 4, 6: 3}.get(photometric, 1)
    alpha = any(kind in (1, 2) for kind in extra)
    # OpenCV drops or mixes up what goes beyond RGB with one more channel.
    if channels > 4 or channels < colours or (alpha and photometric != 2):
        _fail_unsupported(name, f"is a TIFF with {channels} channels")
    if alpha and ifd.value(284, 1) == 2 and bits == 16:
        _fail_unsupported(name, "is a TIFF with 16-bit transparency in separate planes")

    offsets = ifd.values(273) or ifd.values(324)
    counts = ifd.values(279) or ifd.values(325)
    if not offsets:
        _fail_corrupt(name, "is a TIFF without image data")
    if max(map(sum, zip(offsets, counts, strict=False)), default=max(offsets)) > len(data):
        _fail_corrupt(name, "is a truncated TIFF: image data are missing")
    if compression in _TIFF_NEVER_ENDING_IN_ZEROS:
        ends = (
            data[start + count - 16 : start + count]
            for start, count in zip(offsets, counts, strict=False)
            if count >= 16
        )
        if any(not any(end) for end in ends):
            _fail_corrupt(name, "is a damaged TIFF: a part of its image data is missing")
    stored = (width * channels * bits + 7) // 8 * height
    if compression == 1 and photometric != 6 and counts and sum(counts) < stored:
        _fail_corrupt(name, "is a damaged TIFF: image data are missing")
    return ImageHeader("TIFF", width, height, bits, alpha)
