"""Files, bytes and arrays become ``uint8 [height, width, 3]`` RGB pixels, and nothing else of them goes on.

What is read: JPEG (grey, colour, CMYK as Adobe writes it), PNG, BMP and TIFF (also BigTIFF, tiled, planar, CMYK), with
1 to 16 bits a channel, palettes, grey and transparency. Rotation recorded in the file is applied; all other metadata,
and with them names and dates, are left behind.

- Of a file with several pages the **first** is read.
- 16 bits become 8 by the fixed divisor 257 (65535 / 255). Pixels are never scaled by their own range: the same cell
  must look the same whatever lies beside it. A camera that stores 12 bits in the low end of 16 therefore gives a dark
  image, which `edge_all.quality` reports; export it with 8 bits, or over the full range.
- Transparent pixels are laid over white, the colour of empty glass.
- Files that lack a part are refused, where decoders would fill it with grey.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.errors import (
    CorruptImageError,
    ImageTooLargeError,
    InputNotFoundError,
    UnreadableImageError,
    UnsupportedImageError,
)
from edge_all.imaging.header import COPY_AGAIN, ImageHeader, parse_header
from edge_all.results import RgbImage

__all__ = ["IMAGE_SUFFIXES", "MAX_PIXELS", "MIN_SIDE", "read_image"]

IMAGE_SUFFIXES = frozenset({".bmp", ".dib", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff"})
"""Lower-case file name endings that mark the images of a folder."""

MAX_PIXELS = 200_000_000
"""Largest image that is read. Microscope cameras give 5 to 65 megapixels and a stitched overview of fields a hundred;
200 megapixels are 0.6 GB of pixels, which a station with 8 GB still holds together with what is computed from them."""

MIN_SIDE = 32
"""Shortest side in pixels. A lymphoblast of 12 to 20 um spans 24 to 40 pixels with a 20x objective (0.5 um a pixel), so
a smaller image does not hold one cell with the ground around it; the smallest real crops known are 120 x 120."""

_MAX_BYTES_PER_PIXEL = 32
"""A file larger than this many bytes for each pixel allowed is not even loaded: 16-bit RGBA takes 8, and some stacks
have a few pages."""

_GREY_TAIL = 16
"""Side in pixels of the last corner, which tells lost JPEG data: libjpeg fills blocks that it has no data for with
exactly 128, and a block is at most this large. A smaller loss is of no consequence."""


def read_image(
    source: str | Path | bytes | NDArray[Any], *, name: str | None = None, max_pixels: int = MAX_PIXELS
) -> RgbImage:
    """Reads one image.

    Args:
        source: a path, the bytes of an image file, or pixels: ``uint8`` or ``uint16``, ``[height, width]`` or
            ``[height, width, 1]`` grey, ``[height, width, 3]`` RGB or ``[height, width, 4]`` RGBA.
        name: how errors call bytes and pixels; a path goes by itself.
        max_pixels: larger images are refused before they are decoded.

    Returns:
        ``uint8 [height, width, 3]`` RGB, C-contiguous. An array that already is one is returned itself, not a copy.

    Raises:
        InputNotFoundError: there is no such file.
        UnreadableImageError: the file exists and cannot be read, or is no file.
        CorruptImageError: truncated, damaged, or no image.
        UnsupportedImageError: an image that cannot be read faithfully, or smaller than `MIN_SIDE`.
        ImageTooLargeError: more than `max_pixels` pixels.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, name or "The image given as an array", max_pixels)
    if isinstance(source, bytes):
        name, data = name or "The image given as bytes", source
    else:
        name, data = str(source), _load(Path(source), max_pixels)
    header = parse_header(data, name)
    _check_size(header.width, header.height, name, max_pixels)
    return _decode(data, header, name)


def _load(path: Path, max_pixels: int) -> bytes:
    """The bytes of a regular file that is not absurdly large."""
    try:
        if not path.exists():
            raise InputNotFoundError(f"{path} does not exist.", "Check the spelling of the path.")
        if path.is_dir():
            raise UnreadableImageError(
                f"{path} is a folder, not an image.", "Name a folder that holds images, or an image."
            )
        if not path.is_file():
            raise UnreadableImageError(f"{path} is not a file.", "Name an image file.")
        size = path.stat().st_size
        if size > max_pixels * _MAX_BYTES_PER_PIXEL:
            raise ImageTooLargeError(
                f"{path} has {size / 1e9:.1f} GB, too much for one image of at most {max_pixels / 1e6:g} megapixels.",
                "Export single fields of view.",
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name that no file system takes, such as one with a NUL
        detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnreadableImageError(
            f"{path} cannot be read: {detail}.", "Check the permissions of the file and of its folder, and the drive."
        ) from error


def _check_size(width: int, height: int, name: str, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"{name} has {width} x {height} pixels ({width * height / 1e6:.0f} megapixels); "
            f"the limit is {max_pixels / 1e6:g} megapixels.",
            "Export single fields of view.",
        )
    if min(width, height) < MIN_SIDE:
        raise UnsupportedImageError(
            f"{name} has {width} x {height} pixels; a side of less than {MIN_SIDE} pixels cannot hold a cell.",
            "Check that this is an image of a blood smear.",
        )


def _from_array(pixels: NDArray[Any], name: str, max_pixels: int) -> RgbImage:
    if (
        pixels.dtype not in (np.uint8, np.uint16)
        or pixels.ndim not in (2, 3)
        or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4))
    ):
        raise UnsupportedImageError(
            f"{name} is {pixels.dtype} {list(pixels.shape)}.",
            "Pass uint8 or uint16 [height, width] or [height, width, 1, 3 or 4], in RGB order.",
        )
    _check_size(pixels.shape[1], pixels.shape[0], name, max_pixels)
    eight_bit = _to_eight_bits(np.ascontiguousarray(pixels))
    if eight_bit.ndim == 2 or eight_bit.shape[2] == 1:
        return _rgb(cv2.cvtColor(eight_bit, cv2.COLOR_GRAY2RGB))
    if eight_bit.shape[2] == 4:
        return _over_white(_rgb(eight_bit[..., :3]), eight_bit[..., 3])
    return _rgb(eight_bit)


def _decode(data: bytes, header: ImageHeader, name: str) -> RgbImage:
    # IMREAD_COLOR_RGB decodes straight into RGB order.
    if header.format == "PNG" and header.alpha:
        stored = _to_eight_bits(_imdecode(data, cv2.IMREAD_UNCHANGED, name))
        pixels = _over_white(_rgb(cv2.cvtColor(stored, cv2.COLOR_BGRA2RGB)), stored[..., 3])
    elif header.format == "PNG" and header.bits == 16:
        pixels = _to_eight_bits(_imdecode(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH, name))
    else:
        # TIFF of 16 bits as well: libtiff knows every layout there, and divides colours by 257 too. Of grey it takes
        # the upper byte, one level less at most; grey images are not judged anyway.
        pixels = _rgb(_imdecode(data, cv2.IMREAD_COLOR_RGB, name))
    if header.format == "TIFF" and header.alpha:
        # libtiff has multiplied the colours by alpha already, whichever way they were stored.
        alpha = _to_eight_bits(_imdecode(data, cv2.IMREAD_UNCHANGED, name)[..., 3])
        pixels = _rgb(cv2.add(pixels, cv2.cvtColor(255 - alpha, cv2.COLOR_GRAY2RGB)))
    if header.format == "JPEG" and _has_grey_tail(pixels):
        raise CorruptImageError(f"{name} is a damaged JPEG: a part of its image data is missing.", COPY_AGAIN)
    return _upright(pixels, header.orientation)


def _imdecode(data: bytes, flags: int, name: str) -> NDArray[Any]:
    decoded: NDArray[Any] | None
    try:
        with _quiet_opencv():
            # The rotation is ours to apply: IMREAD_UNCHANGED would not, and the end of a JPEG must stay where it is.
            decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        decoded = None
    if decoded is None:
        raise CorruptImageError(f"{name} is damaged: its image data cannot be decoded.", COPY_AGAIN)
    return decoded


def _rgb(pixels: NDArray[Any]) -> RgbImage:
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def _to_eight_bits(pixels: NDArray[Any]) -> RgbImage:
    if pixels.dtype == np.uint8:
        return _rgb(pixels)
    # 257 is odd, so there is no tie to round: float32 gives the exact nearest value for all 65536 inputs (tested).
    return _rgb(cv2.convertScaleAbs(pixels, alpha=1 / 257)).reshape(pixels.shape)


def _over_white(colours: RgbImage, alpha: NDArray[np.uint8]) -> RgbImage:
    """Colours that are not multiplied by alpha, laid over white."""
    weight = alpha[..., None].astype(np.uint32)
    return ((colours * weight + 255 * (255 - weight) + 127) // 255).astype(np.uint8)


def _upright(pixels: RgbImage, orientation: int) -> RgbImage:
    """Applies an Exif orientation, 1 to 8."""
    if orientation == 1:
        return pixels
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    # After the transposition, which axes are still to be mirrored.
    vertically = orientation in (3, 4, 7, 8)
    horizontally = orientation in (2, 3, 6, 7)
    return _rgb(pixels[:: -1 if vertically else 1, :: -1 if horizontally else 1])


def _has_grey_tail(pixels: RgbImage) -> bool:
    """Whether a JPEG ends in what libjpeg puts where data are missing, while other parts have content."""
    return bool(np.all(pixels[-_GREY_TAIL:, -_GREY_TAIL:] == 128)) and bool(np.any(pixels != 128))


_quiet_lock = threading.Lock()
_quiet_users = 0
_loud_level = 0
_SILENT = 0
# OpenCV 4 has the function at the top, OpenCV 5 in cv2.utils.logging; both return the level before.
_set_log_level: Callable[[int], int] = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keeps OpenCV from writing to the terminal what an error of ours says already.

    The level is one for the process, so threads that decode at once share it: the first saves it, the last restores it.
    """
    global _quiet_users, _loud_level  # noqa: PLW0603
    with _quiet_lock:
        if _quiet_users == 0:
            _loud_level = _set_log_level(_SILENT)
        _quiet_users += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_users -= 1
            if _quiet_users == 0:
                _set_log_level(_loud_level)
