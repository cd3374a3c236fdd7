"""Whatever colours a file has become those of sRGB, which the network and every threshold know.

ICC profiles are applied by Little CMS (Pillow), with the relative colorimetric intent. What differs from sRGB by no
more than rounding is left as it is.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.forms import ColourSpace
from edge_all.results import RgbImage

__all__ = ["Conversion", "conversion_to_srgb", "to_eight_bits"]

Conversion = Callable[[NDArray[Any]], RgbImage]
"""From ``uint8`` or ``uint16 [height, width, 3]`` as stored to ``uint8`` sRGB."""
SRGB_GAMMA = 0.45455
GAMMA_TOLERANCE = 0.03
"""Stored gammas this near to sRGB's mean sRGB: 0.4545 is written for it, and 0.45 by cameras."""
SAME = 3
"""Grey levels by which no colour differs after a conversion that is none."""


def conversion_to_srgb(colour: ColourSpace, notes: list[str]) -> Conversion | None:
    """How to bring colours to sRGB.

    Args:
        colour: what the file says of them.
        notes: takes what the reader of the results should know.

    Returns:
        The conversion; None where there is nothing to be done, or nothing that can be.
    """
    if colour.icc is not None:
        return _by_profile(colour.icc, notes)
    if colour.gamma is None or abs(colour.gamma - SRGB_GAMMA) <= GAMMA_TOLERANCE:
        return None
    if not 0.1 <= colour.gamma <= 10:
        notes.append(f"The file states a gamma of {colour.gamma:g}, which was ignored.")
        return None
    notes.append(f"The file states a gamma of {colour.gamma:g}; its colours were converted to sRGB.")
    gamma = colour.gamma
    return lambda stored: _gamma_table(gamma, stored.dtype.itemsize * 8)[stored]


def to_eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """``uint8`` or ``uint16`` of any shape as ``uint8``: 16 bits are divided by 257, exactly rounded."""
    if pixels.dtype == np.uint8:
        return np.asarray(pixels)
    # 257 is odd, so there is no tie to round: float32 gives the exact nearest value for all 65536 inputs (tested).
    return np.asarray(cv2.convertScaleAbs(np.ascontiguousarray(pixels), alpha=1 / 257), np.uint8).reshape(pixels.shape)


def _gamma_table(gamma: float, bits: int) -> NDArray[np.uint8]:
    """Level in sRGB of each stored value (IEC 61966-2-1)."""
    light = np.linspace(0.0, 1.0, 1 << bits) ** (1 / gamma)
    levels = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    table: NDArray[np.uint8] = np.rint(levels * 255).astype(np.uint8)
    return table


def _by_profile(icc: bytes, notes: list[str]) -> Conversion | None:
    from PIL import Image, ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = profile.profile.xcolor_space.strip()
        if space == "GRAY":  # the tone curve of a grey image, which is not judged
            return None
        if space != "RGB":
            notes.append(f"Its colour profile is for {space} and was ignored.")
            return None
        transform = ImageCms.buildTransform(
            profile, ImageCms.createProfile("sRGB"), "RGB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        notes.append("Its colour profile cannot be read and was ignored.")
        return None

    def convert(stored: NDArray[Any]) -> RgbImage:
        picture = Image.fromarray(np.ascontiguousarray(to_eight_bits(stored)), "RGB")
        return np.asarray(ImageCms.applyTransform(picture, transform), np.uint8)

    grid = np.array(list(itertools.product(range(0, 256, 51), repeat=3)), np.uint8)[None]
    return convert if np.abs(convert(grid).astype(int) - grid).max() > SAME else None
