"""Which pages of a TIFF are pictures to be judged.

A file may hold several fields, one a page; or one field and beside it smaller copies, a thumbnail or the picture of a
label; or one field whose red, green and blue are pages of their own.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_all.imaging.tiff_structure import BytesStore, FileStore, Ifd, Store, directories

__all__ = ["Pages", "Picture", "pages_of", "pages_of_bytes", "pages_of_file"]

SMALLER = 0.5
"""A page of which each side is at most this share of the largest page's is no field beside it, but a smaller copy of
it or a picture of the label; fields of one camera have one size."""
_REDUCED_OR_MASK = 0b101
"""Bits of the tag NewSubfileType."""
_COLOURS = ("red", "green", "blue")
_COLOUR_OF = {0xFF0000FF: "red", 0x00FF00FF: "green", 0x0000FFFF: "blue"}
"""OME's ``Color`` of a channel: red, green, blue and opacity in one number."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a file.

    Attributes:
        page: number of its page in the file, from 1; of the first where it has three.
        planes: where the directories of its pages lie: one, or those of red, green and blue.
    """

    page: int
    planes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pages:
    """What the pages of a file are.

    Attributes:
        pictures: to be judged, in the order of the file; at least one.
        left_out: numbers of the pages that only their size tells from pictures: smaller copies and labels.
        planes_of_a_volume: whether the file says that its pages are one place at several depths or times.
        unlisted: number of pictures that ImageJ says it has put into the file without a page for each.
    """

    pictures: tuple[Picture, ...]
    left_out: tuple[int, ...] = ()
    planes_of_a_volume: bool = False
    unlisted: int = 0


def pages_of_file(path: Path) -> Pages | None:
    """The pages of a TIFF; None where the file cannot be opened or is no TIFF, which reading it will explain."""
    try:
        with path.open("rb") as file:
            return _pages_of_any(FileStore(file))
    except (OSError, ValueError):
        return None


def pages_of_bytes(content: bytes) -> Pages | None:
    """`pages_of_file` of a file in memory."""
    return _pages_of_any(BytesStore(content))


def _pages_of_any(store: Store) -> Pages | None:
    try:
        return pages_of(store) if store.read(0, 4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+") else None
    except (ValueError, struct.error):
        return None


def pages_of(store: Store) -> Pages:
    """The pages of a TIFF.

    Raises:
        struct.error: it ends within its first directory.
    """
    numbered = list(enumerate(directories(store), start=1))
    kept = [(number, ifd) for number, ifd in numbered if not _is_reduced(ifd)]
    if not kept:
        # Some cameras put the thumbnail first and the picture below it.
        below = [Ifd(store, start) for _, ifd in numbered for start in ifd.values(330)]
        kept = list(enumerate((ifd for ifd in below if not _is_reduced(ifd)), start=1)) or numbered[:1]
    widest, highest = (max(ifd.value(tag, 0) for _, ifd in kept) for tag in (256, 257))
    small = [
        number
        for number, ifd in kept
        if ifd.value(256, 0) <= SMALLER * widest and ifd.value(257, 0) <= SMALLER * highest
    ]
    kept = [(number, ifd) for number, ifd in kept if number not in small]
    description = _description(numbered[0][1])
    groups = _by_colour([ifd for _, ifd in kept], description)
    if groups is None:
        pictures = tuple(Picture(number, (ifd.start,)) for number, ifd in kept)
    else:
        numbers = {ifd.start: number for number, ifd in kept}
        pictures = tuple(Picture(min(numbers[plane] for plane in planes), planes) for planes in groups)
    unlisted = _attribute(description, "images") - len(numbered) if description.startswith("ImageJ=") else 0
    return Pages(pictures, tuple(small), _is_volume(description), max(0, unlisted))


def _is_reduced(ifd: Ifd) -> bool:
    return bool(ifd.value(254, 0) & _REDUCED_OR_MASK) or ifd.value(255, 1) == 2


def _by_colour(pages: Sequence[Ifd], description: str) -> list[tuple[int, ...]] | None:
    """Three grey pages a picture, where the pages are colours; None where they are not.

    Three grey pages of one size are taken for the three colours also where the file does not say so: a grey picture
    could not be judged anyway.
    """
    forms = {(ifd.value(256, 0), ifd.value(257, 0), ifd.value(277, 1), ifd.value(262, 1)) for ifd in pages}
    if len(pages) < 3 or len(pages) % 3 or len(forms) != 1:
        return None
    _, _, channels, photometric = next(iter(forms))
    said = _attribute(description, "SizeC") == 3 or _attribute(description, "channels") == 3
    if channels != 1 or photometric != 1 or not (said or len(pages) == 3):
        return None
    order = [_colour_order(description).index(colour) for colour in _COLOURS]
    starts = [ifd.start for ifd in pages]
    if re.search(r'DimensionOrder="XY(?!C)', description) and len(pages) > 3:
        third = len(pages) // 3
        triples = [starts[index::third] for index in range(third)]
    else:
        triples = [starts[index : index + 3] for index in range(0, len(starts), 3)]
    return [tuple(triple[place] for place in order) for triple in triples]


def _colour_order(description: str) -> list[str]:
    """The colours of the channels as OME names or paints them; red, green, blue where it does not."""
    channels = re.findall(r"<Channel\b[^>]*>", description)
    named = [re.search(r'\bName="(red|green|blue)"', channel, re.IGNORECASE) for channel in channels]
    names = [found[1].lower() for found in named if found]
    painted = [re.search(r'\bColor="(-?\d+)"', channel) for channel in channels]
    paints = [_COLOUR_OF.get(int(found[1]) & 0xFFFFFFFF, "") for found in painted if found]
    return next((order for order in (names, paints) if sorted(order) == sorted(_COLOURS)), list(_COLOURS))


def _is_volume(description: str) -> bool:
    return "<OME" in description and max(_attribute(description, "SizeZ"), _attribute(description, "SizeT")) > 1


def _attribute(description: str, name: str) -> int:
    """A number that OME writes as an attribute and ImageJ as a line; 0 where there is none."""
    found = re.search(rf'(?:\b{name}="|^{name}=)(\d{{1,6}})', description, re.MULTILINE)
    return int(found[1]) if found else 0


def _description(ifd: Ifd) -> str:
    try:
        return ifd.content(270).decode("utf-8", "replace")
    except struct.error:
        return ""
