"""Files, bytes and arrays become ``uint8 [height, width, 3]`` RGB pixels, and little else of them goes on.

What is read: JPEG (grey, colour, CMYK as Adobe writes it), PNG, BMP and TIFF (also BigTIFF, tiled, planar, CMYK), with
1 to 16 bits a channel, palettes, grey and transparency. Rotation recorded in the file is applied, and so are its colour
profile and gamma; the size of a pixel is handed on. All other metadata, and with them names and dates, are left behind.

- Of a file with several pages one is read; `edge_all.imaging.pages` says which of them are pictures.
- 16 bits become 8 by the fixed divisor 257 (65535 / 255). Pixels are never scaled by their own range: the same cell
  must look the same whatever lies beside it. A camera that stores 12 bits in the low end of 16 therefore gives a dark
  image, unless the file says that it has 12 bits; what to export is said beside the result.
- Transparent pixels are laid over white, the colour of empty glass.
- Files that lack a part are refused, where decoders would fill it with grey.
- What decoding takes is known from the header and bounded before anything is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_all.errors import (
    ImageTooLargeError,
    InputNotFoundError,
    UnreadableImageError,
    UnsupportedImageError,
)
from edge_all.imaging.colour import conversion_to_srgb
from edge_all.imaging.finishing import finished, upright
from edge_all.imaging.forms import Raster
from edge_all.imaging.header import Undecoded, examine
from edge_all.imaging.pixel_size import PixelSize
from edge_all.results import RgbImage

__all__ = [
    "IMAGE_SUFFIXES",
    "LARGEST_WORKING_BYTES",
    "MAX_PIXELS",
    "MIN_SIDE",
    "DecodedImage",
    "OpenedImage",
    "Source",
    "open_image",
    "read_image",
]

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

LARGEST_WORKING_BYTES = 1_500_000_000
"""What decoding one image may take beside its file, the finished pixels included: an 8-bit image of `MAX_PIXELS` takes
0.6 to 1.4 GB. A 16-bit RGBA PNG of 199 megapixels, 1.5 MB on disk, would take 2.4 (measured before this bound, with
more copies in memory: 7.5), which with what else runs ends a station with 4 GB."""

Source = str | Path | bytes | NDArray[Any]
"""A path, the bytes of an image file, or pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """One image as everything else sees it.

    Attributes:
        pixels: ``uint8 [height, width, 3]`` RGB, C-contiguous.
        pixel_size: physical size of a pixel, where the file states a plausible one.
        notes: sentences for the reader of the results, on what in the file was not as usual.
    """

    pixels: RgbImage
    pixel_size: PixelSize | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class OpenedImage:
    """An image that was found whole and small enough, not yet decoded.

    Attributes:
        working_bytes: bytes of memory that decoding takes at its peak, the file's own included.
    """

    working_bytes: int
    _image: Undecoded | RgbImage

    def decode(self) -> DecodedImage:
        """Decode the image.

        Raises:
            CorruptImageError: decoding shows that a part is damaged or missing.
        """
        if isinstance(self._image, np.ndarray):
            return DecodedImage(self._image)
        header = self._image.header
        notes = list(header.notes)
        pixels = finished(self._image.decode(), conversion_to_srgb(header.colour, notes), notes)
        return DecodedImage(upright(pixels, header.orientation), header.pixel_size, tuple(notes))


def open_image(
    source: Source, *, name: str | None = None, page: int | None = None, max_pixels: int = MAX_PIXELS
) -> OpenedImage:
    """Loads one image and finds out what it is, without decoding it.

    Args:
        source: a path, the bytes of an image file, or pixels: ``uint8`` or ``uint16``, ``[height, width]`` or
            ``[height, width, 1]`` grey, ``[height, width, 3]`` RGB or ``[height, width, 4]`` RGBA.
        name: how errors call bytes and pixels; a path goes by itself.
        page: number of the page of a TIFF, from 1; None for the first that is a picture.
        max_pixels: larger images are refused.

    Raises:
        InputNotFoundError: there is no such file.
        UnreadableImageError: the file exists and cannot be read, or is no file.
        CorruptImageError: truncated, damaged, or no image.
        UnsupportedImageError: an image that cannot be read faithfully, or smaller than `MIN_SIDE`.
        ImageTooLargeError: more than `max_pixels` pixels, or than `LARGEST_WORKING_BYTES` can hold.
    """
    if isinstance(source, np.ndarray):
        return OpenedImage(0, _from_array(source, name or "The image given as an array", max_pixels))
    if isinstance(source, bytes):
        name, data = name or "The image given as bytes", source
    else:
        name, data = str(source), _load(Path(source), max_pixels)
    undecoded = examine(data, name if page is None else f"{name}, page {page},", page)
    header = undecoded.header
    _check_size(header.width, header.height, name, max_pixels)
    needed = header.width * header.height * (header.working_bytes + (3 if header.orientation != 1 else 0))
    if needed > LARGEST_WORKING_BYTES:
        raise ImageTooLargeError(
            f"{name} has {header.width} x {header.height} pixels of {header.bits} bits a channel, and "
            f"decoding it takes {needed / 1e9:.1f} GB of memory; the limit is {LARGEST_WORKING_BYTES / 1e9:g} GB.",
            "Export it with 8 bits a channel and without transparency, or as single fields of view.",
        )
    return OpenedImage(needed + len(data), undecoded)


def read_image(
    source: Source, *, name: str | None = None, page: int | None = None, max_pixels: int = MAX_PIXELS
) -> RgbImage:
    """Reads one image: `open_image` and `OpenedImage.decode` in one.

    Args:
        source: as of `open_image`.
        name: as of `open_image`.
        page: as of `open_image`.
        max_pixels: as of `open_image`.

    Returns:
        ``uint8 [height, width, 3]`` RGB, C-contiguous. An array that already is one is returned itself, not a copy.

    Raises:
        InputNotFoundError, UnreadableImageError, CorruptImageError, UnsupportedImageError, ImageTooLargeError: as
            `open_image` does.
    """
    return open_image(source, name=name, page=page, max_pixels=max_pixels).decode().pixels


def _load(path: Path, max_pixels: int) -> bytes:
    """The bytes of a regular file that is not absurdly large."""
    try:
        if not path.exists():
            raise InputNotFoundError(f"{path} does not exist.", "Check the spelling of the path.")
        if path.is_dir():
            raise UnreadableImageError(f"{path} is a folder, not an image.", "Name its images, one after the other.")
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
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        raster = Raster(pixels.reshape(pixels.shape[:2]))
    else:
        raster = Raster(pixels[..., :3], pixels[..., 3] if pixels.shape[2] == 4 else None)
    return finished(raster, None, [])
