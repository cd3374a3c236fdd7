"""A camera's stream becomes fields: one picture each time that the stage has come to rest at another place.

Nobody presses anything: whoever moves the slide on under the microscope has a field for each place where they stopped.
A picture is compared with the one before, both shrunk to `_LOOK` and without their mean, so that neither noise nor a
lamp that is turned up counts as movement.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.errors import InputError, InputNotFoundError
from edge_all.files.atomic import write_atomically
from edge_all.outputs.pictures import png_bytes
from edge_all.results import RgbImage

__all__ = ["Capture", "StillPictures", "capture_fields"]

_LOOK = (96, 72)
"""Width and height at which pictures are compared."""
_MOVES = 2.0
"""Mean difference of two successive looks, in grey levels, from which on the picture moves. Of eight fields of ALL-IDB1
and Raabin, noise of 10 levels gives 0.5 to 1.4, a shift by 0.3 % of the width 0.9 to 3.7, by 1 % 3.9 to 10.9."""
_OTHER = 9.0
"""... from the last field, from which on it is another field. The same fields: going out of focus by 4 pixels gives 1.0
to 1.9, a shift by 3 % of the width 10.7 to 21.2, another field of the slide 26 to 39."""
STILL_SECONDS = 0.6
"""For so long a picture has to be at rest; whoever only passes by does not stop for longer."""


class StillPictures:
    """Which pictures of a stream are fields."""

    def __init__(self) -> None:
        self._before: NDArray[np.float32] | None = None
        self._last_field: NDArray[np.float32] | None = None
        self._still_since = 0.0

    def is_field(self, pixels: RgbImage, at: float) -> bool:
        """Whether a picture shows a place at which the stage has come to rest and of which there is no picture yet.

        Args:
            pixels: ``uint8 [height, width, 3]`` RGB, the next of the stream.
            at: when it was taken, in seconds from any moment on.
        """
        look = _look(pixels)
        if self._before is None or _differ(look, self._before) >= _MOVES:
            self._still_since = at
        self._before = look
        if at - self._still_since < STILL_SECONDS:
            return False
        if self._last_field is not None and _differ(look, self._last_field) < _OTHER:
            return False
        self._last_field = look
        return True


@dataclass(frozen=True, slots=True)
class Capture:
    """One picture of a stream.

    Attributes:
        pixels: ``uint8 [height, width, 3]`` RGB.
        at: seconds: of the video where it is one, else of the clock.
    """

    pixels: RgbImage
    at: float


def capture_fields(source: str, folder: Path, stop: threading.Event) -> Iterator[Path]:
    """Write a PNG for each place at which the stage comes to rest, numbered on from those that are there.

    Args:
        source: number of a camera, as the system counts them from 0; or a video file, or the address of a stream.
        folder: of the slide; made with its parents.
        stop: set when it is to end; a file ends by itself.

    Yields:
        Each file, when it is on disk.

    Raises:
        InputNotFoundError: no such camera or file, or it gives no picture.
        InputError: the camera stopped giving pictures.
        OutputError: a picture cannot be written.
    """
    still = StillPictures()
    number = _last_number(folder)
    for picture in _stream(source, stop):
        if still.is_field(picture.pixels, picture.at):
            number += 1
            path = folder / f"field-{number:04d}.png"
            write_atomically(path, png_bytes(picture.pixels))
            yield path


def _stream(source: str, stop: threading.Event) -> Iterator[Capture]:
    """The pictures of a camera or a video, as they come."""
    is_file = Path(source).is_file()
    stream = cv2.VideoCapture(int(source)) if source.isdecimal() and not is_file else cv2.VideoCapture(source)
    try:
        given = 0
        while not stop.is_set():
            there, bgr = stream.read()
            if not there:
                break
            given += 1
            at = stream.get(cv2.CAP_PROP_POS_MSEC) / 1e3 if is_file else time.monotonic()
            yield Capture(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8), at)
    finally:
        stream.release()
    if given == 0 and not stop.is_set():
        raise InputNotFoundError(
            f"{source} gives no picture.", "Name a camera by its number, from 0, or a video file; close other programs."
        )
    if not is_file and not stop.is_set():
        raise InputError(f"Camera {source} stopped giving pictures after {given}.", "Look at its cable, then go on.")


def _last_number(folder: Path) -> int:
    numbers = [path.stem.removeprefix("field-") for path in folder.glob("field-*.png")]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def _look(pixels: RgbImage) -> NDArray[np.float32]:
    small = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), _LOOK, interpolation=cv2.INTER_AREA)
    look = small.astype(np.float32)
    return np.asarray(look - look.mean(), np.float32)


def _differ(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.abs(one - other).mean())
