"""Every change that a cell may undergo between two laboratories, as far as pixels can show it.

Works on the input side with numpy and OpenCV, and so alike on every Keras backend. Crops come in wider than the network
sees them, so that turning and shifting brings in true surroundings instead of repeated borders.

Colour is changed in optical density: stains multiply there, illumination adds. Haematoxylin and eosin vectors: Ruifrok
and Johnston, Anal Quant Cytol Histol 23 (2001); perturbing them: Tellez et al., Medical Image Analysis 58 (2019);
borrowing the colours of another picture: Reinhard et al., IEEE CG&A 21 (2001).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.preprocessing import WhitePoint, put_on_white
from edge_all.results import RgbImage
from edge_all.segmentation.colour_clustering import GROUND_LEVEL
from edge_all.segmentation.cut_out import glass_colour

__all__ = ["MARGIN", "AugmentationConfig", "augment", "colour_statistics"]

MARGIN = 1.5
"""How much wider than the network's view the crops come in: a square turned by 45 degrees needs 1.42."""

CELL_RADIUS = (0.25, 0.36)
"""Half the width of a cell as a share of a crop of 2.5 nucleus boxes: a nucleus fills 0.37 to 0.43 of its cell's
area."""

_OPTICAL_DENSITY = -np.log((np.arange(256, dtype=np.float32) + 1) / 256)
_STAINS = np.array([[0.650, 0.704, 0.286], [0.072, 0.990, 0.105], [0.268, 0.570, 0.776]], np.float32)
_UNMIX = np.linalg.inv(_STAINS).astype(np.float32)
_HIGHEST_DENSITY = float(_OPTICAL_DENSITY[0])
_WHITE_DENSITY = float(_OPTICAL_DENSITY[GROUND_LEVEL])


@dataclass(frozen=True, slots=True)
class AugmentationConfig:
    """How strong each change is; 0 leaves it out. The defaults are those of the embedded model.

    Attributes:
        scale: largest relative change of size.
        shift: largest shift, as a share of the side.
        intensity: largest relative change of the density of all that lies on the glass: 0.8 is 1 / 1.8 to 1.8 times as
            deeply stained. With one white point, nuclei of one laboratory have 0.43 of another's density in green;
            docs/training-experiments.md has what this is worth.
        stain: largest relative change of each stain's strength.
        stain_shift: largest addition to each stain, in units of optical density.
        illumination: largest addition to the optical density of all channels (light), and half of that of each (white
            balance).
        borrow_colour: probability of taking over the colour statistics of another training cell, of any source.
        grey: probability of losing most of the colour.
        blur: probability of blurring, or of a coarser resolution.
        jpeg: probability of a JPEG round trip.
        noise: largest standard deviation of noise, in grey levels.
        cut_out: probability of losing the surroundings, as `edge_all.segmentation.cut_out` shows such cells.
    """

    scale: float = 0.15
    shift: float = 0.06
    intensity: float = 0.8
    stain: float = 0.35
    stain_shift: float = 0.05
    illumination: float = 0.35
    borrow_colour: float = 0.4
    grey: float = 0.05
    blur: float = 0.5
    jpeg: float = 0.2
    noise: float = 4.0
    cut_out: float = 0.1


def colour_statistics(crops: RgbImage) -> NDArray[np.float32]:
    """Mean and standard deviation of the optical density of each crop.

    Args:
        crops: ``uint8 [n, h, w, 3]``.

    Returns:
        ``float32 [n, 2, 3]``.
    """
    statistics = np.empty((len(crops), 2, 3), np.float32)
    for index, crop in enumerate(crops):
        mean, deviation = cv2.meanStdDev(_OPTICAL_DENSITY[crop])
        statistics[index] = mean[:, 0], deviation[:, 0]
    return statistics


def augment(
    crop: RgbImage,
    size: int,
    config: AugmentationConfig,
    rng: np.random.Generator,
    colours: NDArray[np.float32] | None = None,
    white_point: WhitePoint = "camera",
) -> RgbImage:
    """One random variation of a cell.

    Args:
        crop: ``uint8 [h, h, 3]``, `MARGIN` times as wide as the network's view.
        size: side of the result in pixels.
        config: how strong.
        rng: source of chance; the same state gives the same picture.
        colours: ``float32 [n, 2, 3]`` of `colour_statistics` to borrow from.
        white_point: of the preprocessing that cut the crop.

    Returns:
        ``uint8 [size, size, 3]``.
    """
    turned = _turn(crop, size, config, rng)
    stained = _stain(turned, config, rng, colours, 0.0 if white_point == "camera" else _WHITE_DENSITY)
    if rng.random() < config.cut_out:
        stained = _cut_out(stained, rng, white_point)
    return _camera(stained, config, rng)


def _turn(crop: RgbImage, size: int, config: AugmentationConfig, rng: np.random.Generator) -> RgbImage:
    zoom = np.exp(rng.uniform(-1, 1) * np.log1p(config.scale)) * crop.shape[0] / (MARGIN * size)
    angle = rng.uniform(0, 2 * np.pi)
    flip = rng.choice((-1.0, 1.0))
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    matrix = np.array([[cos * flip, -sin, 0], [sin * flip, cos, 0]])
    centre = (size - 1) / 2
    shift = rng.uniform(-config.shift, config.shift, 2) * size * zoom
    matrix[:, 2] = (crop.shape[0] - 1) / 2 + shift - matrix[:, :2] @ (centre, centre)
    # The matrix maps the result's pixels into the crop.
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    turned: RgbImage = cv2.warpAffine(crop, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE).astype(
        np.uint8, copy=False
    )
    return turned


def _stain(
    crop: RgbImage,
    config: AugmentationConfig,
    rng: np.random.Generator,
    colours: NDArray[np.float32] | None,
    glass: float,
) -> RgbImage:
    depth = np.float32(np.exp(rng.uniform(-1, 1) * np.log1p(config.intensity)))
    density: NDArray[np.float32] = (_OPTICAL_DENSITY[crop] - np.float32(glass)) * depth + np.float32(glass)
    if colours is not None and rng.random() < config.borrow_colour:
        density = _borrow(density, colours[rng.integers(len(colours))], rng.uniform(0.5, 1.0))
    strength = 1 + rng.uniform(-config.stain, config.stain, 3)
    addition = rng.uniform(-config.stain_shift, config.stain_shift, 3) @ _STAINS
    light = rng.uniform(-1, 1, 3) * config.illumination * 0.5 + rng.uniform(-1, 1) * config.illumination
    mix = (_UNMIX * strength) @ _STAINS
    if rng.random() < config.grey:
        keep = rng.uniform(0, 0.5)
        mix = mix @ (keep * np.eye(3) + (1 - keep) / 3)
    changed = cv2.transform(density, np.column_stack([mix.T, addition + light]).astype(np.float32))
    return _from_density(changed)


def _borrow(density: NDArray[np.float32], other: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    mean, deviation = cv2.meanStdDev(density)
    wanted_mean = (1 - share) * mean[:, 0] + share * other[0]
    wanted_deviation = (1 - share) * deviation[:, 0] + share * other[1]
    gain = wanted_deviation / np.maximum(deviation[:, 0], 1e-3)
    return np.asarray((density - mean[:, 0]) * gain + wanted_mean, np.float32)


def _from_density(density: NDArray[Any]) -> RgbImage:
    limited = np.clip(density, 0, _HIGHEST_DENSITY).astype(np.float32, copy=False)
    pixels: RgbImage = np.clip(cv2.exp(-limited) * 256 - 0.5, 0, 255).astype(np.uint8)
    return pixels


def _cut_out(crop: RgbImage, rng: np.random.Generator, white_point: WhitePoint) -> RgbImage:
    """All but an ellipse in the middle becomes glass of the cell's palest colour, brought to the white point."""
    size = crop.shape[0]
    axes = tuple((size * rng.uniform(*CELL_RADIUS, 2)).round().astype(int).tolist())
    cell = cv2.ellipse(
        np.zeros((size, size), np.uint8), (size // 2, size // 2), axes, rng.uniform(0, 180), 0, 360, 1, -1
    )
    cut = crop.copy()
    glass = glass_colour(crop[cell == 1])
    cut[cell == 0] = glass
    return cut if white_point == "camera" else put_on_white(cut, glass)


def _camera(crop: RgbImage, config: AugmentationConfig, rng: np.random.Generator) -> RgbImage:
    size = crop.shape[0]
    if rng.random() < config.blur:
        if rng.random() < 0.5:
            crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.3, 1.6)).astype(np.uint8, copy=False)
        else:
            coarse = max(8, round(size * rng.uniform(0.25, 0.9)))
            small = cv2.resize(crop, (coarse, coarse), interpolation=cv2.INTER_AREA)
            crop = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    if config.noise and rng.random() < 0.3:
        noise = rng.standard_normal(crop.shape, np.float32) * np.float32(rng.uniform(0, config.noise))
        crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
    if rng.random() < config.jpeg:
        _, code = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 95))])
        crop = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return crop
