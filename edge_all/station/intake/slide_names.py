"""Which slide an image belongs to: the folder that it lies in, or what a pattern takes out of its file name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge_all.errors import UsageError

__all__ = ["SlideNames"]

_SLOT = "SLIDE"


@dataclass(frozen=True, slots=True)
class SlideNames:
    """From an image in a watched folder to its slide.

    Attributes:
        pattern: for file names, such as ``SLIDE_*.jpg``: ``SLIDE`` is the slide's name, ``*`` stands for any
            letters and ``?`` for one. None: each folder is a slide.

    Raises:
        UsageError: the pattern names no slide.
    """

    pattern: str | None = None

    def __post_init__(self) -> None:
        if self.pattern is not None and self.pattern.count(_SLOT) != 1:
            raise UsageError(
                f"The pattern {self.pattern!r} does not say where in a file name the slide stands.",
                "Write SLIDE in its place, once, for example 'SLIDE_*.jpg'.",
            )

    def slide_of(self, watched: Path, image: Path) -> str | None:
        """Name of an image's slide; None where its name does not fit the pattern.

        Args:
            watched: the watched folder.
            image: an image in it, or in a folder below it.
        """
        folder = image.parent.relative_to(watched).as_posix()
        if self.pattern is None:
            return watched.name if folder == "." else folder
        found = re.fullmatch(_expression(self.pattern), image.name, re.IGNORECASE)
        if found is None:
            return None
        return found["slide"] if folder == "." else f"{folder}/{found['slide']}"


def _expression(pattern: str) -> str:
    wild = {"*": ".*", "?": "."}
    before, after = ("".join(wild.get(sign, re.escape(sign)) for sign in part) for part in pattern.split(_SLOT))
    # The shortest name that fits: in SLIDE_*.jpg, what stands before the first underscore.
    return f"{before}(?P<slide>.+?){after}"
