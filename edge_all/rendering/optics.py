"""The microscope and its camera: optical density becomes pixels."""

from __future__ import annotations

import statistics

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.rendering.spec import SmearSpec
from edge_all.rendering.stain import DENSITY_SCALE, Stain
from edge_all.results import RgbImage

__all__ = ["photograph"]

_GROUND = 200
"""Transmittance 1 as an 8-bit value: the room above it holds the pale halo that a camera's sharpening draws."""
_LIMIT = 8 * DENSITY_SCALE
_UNIT = 1 << 15


def _transmittance() -> NDArray[np.uint8]:
    density = np.arange(_LIMIT, dtype=np.float64) / DENSITY_SCALE
    return np.round(_GROUND * np.exp(-density)).astype(np.uint8)


def _noise_levels(sigma: float) -> NDArray[np.int32]:
    """256 equally likely values of a normal distribution, in units of 1 / `_UNIT` grey levels."""
    normal = statistics.NormalDist()
    return np.array([round(_UNIT * sigma * normal.inv_cdf((k + 0.5) / 256.0)) for k in range(256)], dtype=np.int32)


def photograph(rng: np.random.Generator, density: NDArray[np.uint16], stain: Stain, spec: SmearSpec) -> RgbImage:
    """Light through the slide, blurred by the optics, lit unevenly, sharpened and sampled by a camera.

    Args:
        rng: source of the noise.
        density: optical density, ``uint16 [height, width, 3]`` in units of 1 / `DENSITY_SCALE`.
        stain: the colour of the bare slide.
        spec: light, focus and camera.

    Returns:
        ``uint8 [height, width, 3]`` RGB.
    """
    height, width = density.shape[:2]
    light = np.minimum(density, _LIMIT - 1)
    # 8-bit smoothing is in fixed point: the same bits on every machine.
    image = _transmittance()[light]
    sigma = spec.defocus / spec.microns_per_pixel
    if sigma > 0.3:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    gain = _illumination(height, width, spec)
    levels = _noise_levels(spec.noise)
    strength = round(256 * spec.sharpening)
    soft = (
        np.asarray(cv2.GaussianBlur(image, (0, 0), max(1.0, 0.3 / spec.microns_per_pixel)), np.uint8)
        if strength
        else image
    )
    result: RgbImage = np.empty((height, width, 3), np.uint8)
    for channel, ground in enumerate(stain.ground):
        plane = image[..., channel].astype(np.int32)
        if strength:
            plane = np.maximum(plane + (strength * (plane - soft[..., channel]) >> 8), 0)
        plane *= gain * ground // _GROUND
        if spec.noise > 0.0:
            draws = np.frombuffer(rng.bytes(height * width), np.uint8).reshape(height, width)
            plane += levels[draws]
        result[..., channel] = np.clip((plane + _UNIT // 2) >> 15, 0, 255)
    return result


def _illumination(height: int, width: int, spec: SmearSpec) -> NDArray[np.int32]:
    """Brightness of the light, ``int32 [height, width]``, `_UNIT` being that of the stain's real slides."""
    x = (np.arange(width) * 2 + 1 - width) / max(width, 1)
    y = (np.arange(height) * 2 + 1 - height) / max(height, 1)
    across = spec.exposure * (1.0 - spec.vignette / 2.0 * x * x + spec.gradient / 2.0 * x)
    down = spec.exposure * (-spec.vignette / 2.0 * y * y)
    gain = np.round(across * _UNIT).astype(np.int32)[None, :] + np.round(down * _UNIT).astype(np.int32)[:, None]
    return np.asarray(np.maximum(gain, 0), np.int32)
