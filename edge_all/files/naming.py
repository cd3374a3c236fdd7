"""One file name stem per image, so that two fields called ``a.jpg`` in different folders never share an output."""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PureWindowsPath

__all__ = ["MAX_STEM", "image_file_name", "image_name", "safe_stem", "unique_stems"]

MAX_STEM = 100
"""Characters of a stem. The usual limit of a file name is 255 bytes; a character may take four, and suffixes follow."""

_NOT_IN_A_NAME = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')
"""What Windows forbids in a name, control characters, and bytes of a file name that are no valid text."""
_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)")
"""Device names that Windows will not have as files."""


@functools.lru_cache(maxsize=8)  # a report asks for that of its field with every cell
def image_file_name(image: str) -> str:
    """The last part of an image's name, whichever separator its system uses.

    Folder names often hold identifiers of patients, so that what is shown to a reader shows only this part.
    """
    return PureWindowsPath(image).name or image


def image_name(path: str, page: int | None) -> str:
    """What an image is called: by its file, and by its page (from 1) where the file holds several; `run.tif#2`."""
    return f"{path}#{page}" if page else path


def unique_stems(images: Iterable[str], *, kept: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give every image of a run the stem of its output files.

    An image keeps the stem of its own file name where no other image of the run wants it. Otherwise all that want it
    get a short hash of their full name behind it, so that the result depends neither on the order of the images nor on
    chance, and running again finds the same files. Stems differ without regard to case, as on Windows and macOS.

    Args:
        images: names of the images, as results report them; repeated names are taken as one.
        kept: stems by name that are in use already and stay as they are, whatever comes to them.

    Returns:
        From the name of each image to its stem.
    """
    names = list(dict.fromkeys(images))
    fixed = dict(kept or {})
    stems = fixed | {name: safe_stem(name) for name in names if name not in fixed}
    digits = 0
    while True:
        wanted = Counter(_folded(stem) for stem in stems.values())
        clashing = [name for name in names if name not in fixed and wanted[_folded(stems[name])] > 1]
        if not clashing:
            return stems
        # A stem with a hash may equal another image's own name; a longer hash ends that.
        digits += 8
        for name in clashing:
            digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
            stems[name] = f"{safe_stem(name)}-{digest[:digits]}"


def _folded(stem: str) -> str:
    """The form in which two stems are the same file on a system that ignores case or composes accents."""
    return unicodedata.normalize("NFC", stem).casefold()


def safe_stem(image: str) -> str:
    """The stem of an image's file name, without what some file system forbids."""
    stem = PureWindowsPath(image_file_name(image)).stem
    stem = _NOT_IN_A_NAME.sub("_", stem)[:MAX_STEM].strip(" .")
    return _RESERVED.sub(r"\1_", stem) or "image"
