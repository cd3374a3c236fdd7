"""What is known of an image before it is decoded, and what its decoder hands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from edge_all.imaging.pixel_size import PixelSize

__all__ = ["ColourSpace", "ImageFormat", "ImageHeader", "Raster"]

ImageFormat = Literal["JPEG", "PNG", "BMP", "TIFF"]


@dataclass(frozen=True, slots=True)
class ColourSpace:
    """What a file says about its colours; what says nothing is sRGB.

    Attributes:
        icc: an ICC profile.
        gamma: exponent that was applied to light to give the stored values (1 where they are linear); None for sRGB's.
    """

    icc: bytes | None = None
    gamma: float | None = None


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """The form of an image file, or of one page of it.

    Attributes:
        format: what it is, told by its content and never by its name.
        width, height: size in pixels as stored, before any rotation.
        bits: bits of a channel.
        alpha: whether there is transparency to composite.
        orientation: Exif orientation from 1 to 8 that is to be applied after decoding.
        working_bytes: bytes a pixel that decoding takes at its peak, the finished picture included.
        colour: what the file says about its colours.
        pixel_size: physical size of a pixel, where the file states a plausible one.
        notes: sentences for the reader of the results, for example of what could not be heeded.
    """

    format: ImageFormat
    width: int
    height: int
    bits: int
    alpha: bool = False
    orientation: int = 1
    working_bytes: int = 3
    colour: ColourSpace = ColourSpace()
    pixel_size: PixelSize | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """A decoded image, as it is stored.

    Attributes:
        colours: ``uint8`` or ``uint16 [height, width, 3]`` RGB, or ``[height, width]`` grey.
        alpha: of the same type, ``[height, width]``; None where the image is opaque.
        multiplied: whether the colours are multiplied by alpha already.
    """

    colours: NDArray[Any]
    alpha: NDArray[Any] | None = None
    multiplied: bool = False
