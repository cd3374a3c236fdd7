"""What a file says about itself before anything is decoded.

Decoders allocate what a header promises, and some of them quietly fill in what a truncated file lacks. So the size, the
form and the completeness of a file are read here first, from the few bytes that hold them.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from edge_all.errors import CorruptImageError, UnsupportedImageError
from edge_all.imaging.bmp import decode_bmp, parse_bmp
from edge_all.imaging.foreign import EXPORT_REMEDY, foreign_kind, slide_scanner
from edge_all.imaging.forms import ImageHeader, Raster
from edge_all.imaging.jpeg import decode_jpeg, parse_jpeg
from edge_all.imaging.pages import Pages, Picture, pages_of
from edge_all.imaging.png import decode_png, parse_png
from edge_all.imaging.refusals import COPY_AGAIN, fail_corrupt
from edge_all.imaging.tiff import decode_page, parse_page
from edge_all.imaging.tiff_structure import BytesStore, Ifd

__all__ = ["Undecoded", "examine"]

_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True, slots=True)
class Undecoded:
    """An image that was found whole, and how to go on.

    Attributes:
        header: its form.
        decode: decodes it; raises CorruptImageError where that shows damage.
    """

    header: ImageHeader
    decode: Callable[[], Raster]


def examine(data: bytes, name: str, page: int | None) -> Undecoded:
    """Reads size and form of an image, and checks that the file is complete.

    Args:
        data: the whole file.
        name: how errors call it.
        page: number of the page of a TIFF, from 1; None for the first that is a picture.

    Raises:
        CorruptImageError: empty, truncated or damaged, or no image at all.
        UnsupportedImageError: a real image in a form that cannot be decoded faithfully.
    """
    if not data:
        raise CorruptImageError(f"{name} is empty (0 bytes).", COPY_AGAIN)
    try:
        found = _examine_known(data, name, page)
    except (struct.error, IndexError) as error:  # a field that lies beyond the end of the file
        raise CorruptImageError(f"{name} ends within its header.", COPY_AGAIN) from error
    if found is None:
        _refuse_foreign(data, name)
    header = found.header
    if header.width < 1 or header.height < 1:
        fail_corrupt(name, f"claims {header.width} x {header.height} pixels")
    return found


def _examine_known(data: bytes, name: str, page: int | None) -> Undecoded | None:
    if data.startswith(b"\xff\xd8\xff"):
        return Undecoded(parse_jpeg(data, name), lambda: decode_jpeg(data, name))
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        png = parse_png(data, name)
        return Undecoded(png, lambda: decode_png(data, png, name))
    if data.startswith(b"BM"):
        return Undecoded(parse_bmp(data, name), lambda: decode_bmp(data, name))
    return _examine_tiff(data, name, page) if data.startswith(_TIFF_SIGNATURES) else None


def _examine_tiff(data: bytes, name: str, page: int | None) -> Undecoded:
    store = BytesStore(data)
    pages = pages_of(store)
    picture = next((one for one in pages.pictures if one.page == page), None)
    if picture is None and page is not None:
        fail_corrupt(name, f"has no picture on page {page}")
    picture = picture or pages.pictures[0]
    ifds = [Ifd(store, start) for start in picture.planes]
    scanner = slide_scanner(ifds[0])
    if scanner is not None:
        name = f"{name} ({scanner})"
    headers = [parse_page(data, ifd, name) for ifd in ifds]
    header = headers[0]
    notes = [*header.notes, *_notes_on(pages, picture, page)]
    header = dataclasses.replace(header, working_bytes=header.working_bytes + 6 * (len(ifds) - 1), notes=tuple(notes))
    if len(ifds) == 1:
        return Undecoded(header, lambda: decode_page(data, ifds[0], name))
    return Undecoded(header, lambda: _together([decode_page(data, ifd, name) for ifd in ifds]))


def _together(planes: list[Raster]) -> Raster:
    """One picture of three grey ones."""
    return Raster(np.dstack([plane.colours if plane.colours.ndim == 2 else plane.colours[..., 0] for plane in planes]))


def _notes_on(pages: Pages, picture: Picture, page: int | None) -> list[str]:
    notes = []
    others = len(pages.pictures) - 1
    if page is None and others:
        notes.append(f"The file holds {others} more pictures on further pages, which were not looked at.")
    if len(picture.planes) == 3:
        notes.append("Three grey pages of the file were taken as red, green and blue.")
    if pages.left_out and picture == pages.pictures[0]:
        numbers = ", ".join(map(str, pages.left_out))
        notes.append(f"Much smaller pages of the file, taken as previews or labels, were passed over: {numbers}.")
    if pages.unlisted and picture == pages.pictures[0]:
        notes.append(f"The file says that it holds {pages.unlisted} more pictures, which it does not list as pages.")
    if pages.planes_of_a_volume:
        notes.append("The file says that its pages show one place at several depths or times: cells may count twice.")
    return notes


def _refuse_foreign(data: bytes, name: str) -> NoReturn:
    kind = foreign_kind(data, name)
    if kind is not None:
        raise UnsupportedImageError(f"{name} is a {kind} file, not a JPEG, PNG, BMP or TIFF image.", EXPORT_REMEDY)
    raise CorruptImageError(
        f"{name} is not an image: its content is neither JPEG, PNG, BMP nor TIFF, whatever its name says.",
        "Check that this is the file you meant.",
    )
