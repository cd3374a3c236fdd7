"""OpenCV as a decoder that keeps quiet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.refusals import fail_corrupt

__all__ = ["decode_as_stored", "decode_rgb"]

_lock = threading.Lock()
_users = 0
_loud_level = 0
_SILENT = 0
# OpenCV 4 has the function at the top, OpenCV 5 in cv2.utils.logging; both return the level before.
_set_log_level: Callable[[int], int] = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel


def decode_rgb(data: bytes, name: str, *, keep_depth: bool = False) -> NDArray[Any]:
    """Decode to ``[height, width, 3]`` RGB, ``uint8`` or, where the depth is to be kept, as deep as the file is.

    Raises:
        CorruptImageError: OpenCV cannot.
    """
    # Straight into RGB order.
    return _imdecode(data, cv2.IMREAD_COLOR_RGB | (cv2.IMREAD_ANYDEPTH if keep_depth else 0), name)


def decode_as_stored(data: bytes, name: str) -> NDArray[Any]:
    """Decode to what OpenCV makes of it: grey ``[height, width]``, BGR or, where there is transparency, BGRA.

    Raises:
        CorruptImageError: OpenCV cannot.
    """
    return _imdecode(data, cv2.IMREAD_UNCHANGED, name)


def _imdecode(data: bytes, flags: int, name: str) -> NDArray[Any]:
    decoded: NDArray[Any] | None
    try:
        with _quiet_opencv():
            # The rotation is ours to apply: IMREAD_UNCHANGED would not.
            decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        decoded = None
    if decoded is None:
        fail_corrupt(name, "is damaged: its image data cannot be decoded")
    return decoded


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keeps OpenCV from writing to the terminal what an error of ours says already.

    The level is one for the process, so threads that decode at once share it: the first saves it, the last restores it.
    """
    global _users, _loud_level  # noqa: PLW0603
    with _lock:
        if _users == 0:
            _loud_level = _set_log_level(_SILENT)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _set_log_level(_loud_level)
