"""Changes that a field may undergo on its way from the slide to the file, each with where its pixels end up.

All are deterministic. None is the way in which training alters its cells (`edge_all_export.crops.augmentation`): what a
network has been taught with must not be what it is examined with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.results import Mask, RgbImage

__all__ = ["CHANGES", "Change", "Changed"]

FloatMatrix = NDArray[np.float64]
IDENTITY: FloatMatrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True, slots=True)
class Changed:
    """A changed field.

    Attributes:
        pixels: ``uint8 [height, width, 3]`` RGB.
        matrix: ``float64 [2, 3]``, takes x, y of the field as it was to where they are now.
        specimen: ``uint8 [height, width]``, 1 where the changed image shows the specimen; None for everywhere.
    """

    pixels: RgbImage
    matrix: FloatMatrix
    specimen: Mask | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    Attributes:
        kind: what sort of change, for the reader.
        name: which one.
        mild: whether cells and labels have to stay as they are; beyond, that or a warning.
        apply: makes it.
    """

    kind: str
    name: str
    mild: bool
    apply: Callable[[RgbImage], Changed]


def _turned(quarters: int) -> Callable[[RgbImage], Changed]:
    def apply(pixels: RgbImage) -> Changed:
        height, width = pixels.shape[:2]
        matrix = {
            1: np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, width - 1.0]]),
            2: np.array([[-1.0, 0.0, width - 1.0], [0.0, -1.0, height - 1.0]]),
            3: np.array([[0.0, -1.0, height - 1.0], [1.0, 0.0, 0.0]]),
        }[quarters]
        return Changed(np.ascontiguousarray(np.rot90(pixels, quarters)), matrix)

    return apply


def _mirrored(*, across: bool) -> Callable[[RgbImage], Changed]:
    def apply(pixels: RgbImage) -> Changed:
        height, width = pixels.shape[:2]
        matrix = (
            np.array([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0]])
            if across
            else np.array([[1.0, 0.0, 0.0], [0.0, -1.0, height - 1.0]])
        )
        return Changed(np.ascontiguousarray(pixels[:, ::-1] if across else pixels[::-1]), matrix)

    return apply


def _scaled(factor: float) -> Callable[[RgbImage], Changed]:
    def apply(pixels: RgbImage) -> Changed:
        size = round(pixels.shape[1] * factor), round(pixels.shape[0] * factor)
        interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        scaled = cv2.resize(pixels, size, interpolation=interpolation).astype(np.uint8, copy=False)
        return Changed(scaled, IDENTITY * factor)

    return apply


def _in_place(alter: Callable[[RgbImage], NDArray[np.generic]]) -> Callable[[RgbImage], Changed]:
    """A change of values alone; what leaves the range of 8 bits is clipped."""

    def apply(pixels: RgbImage) -> Changed:
        return Changed(np.clip(np.rint(alter(pixels).astype(np.float32)), 0, 255).astype(np.uint8), IDENTITY)

    return apply


def _gain(red: float, green: float, blue: float) -> Callable[[RgbImage], Changed]:
    return _in_place(lambda pixels: pixels * np.array([red, green, blue], np.float32))


def _gamma(exponent: float) -> Callable[[RgbImage], Changed]:
    levels = (255 * (np.arange(256) / 255) ** exponent).astype(np.float32)
    return _in_place(lambda pixels: levels[pixels])


def _jpeg(quality: int) -> Callable[[RgbImage], Changed]:
    def apply(pixels: RgbImage) -> Changed:
        bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        decoded = cv2.imdecode(content, cv2.IMREAD_COLOR)
        return Changed(np.asarray(cv2.cvtColor(np.asarray(decoded), cv2.COLOR_BGR2RGB), np.uint8), IDENTITY)

    return apply


def _noise(deviation: float) -> Callable[[RgbImage], Changed]:
    def alter(pixels: RgbImage) -> NDArray[np.generic]:
        return pixels + np.random.default_rng(0).normal(0, deviation, pixels.shape).astype(np.float32)

    return _in_place(alter)


def _blurred(share: float) -> Callable[[RgbImage], Changed]:
    """By a Gaussian whose sigma is a share of the longer side."""
    return _in_place(lambda pixels: cv2.GaussianBlur(pixels, (0, 0), share * max(pixels.shape[:2])))


def _vignetted(loss: float) -> Callable[[RgbImage], Changed]:
    """Darker towards the corners, by a share that grows with the square of the distance from the middle."""

    def alter(pixels: RgbImage) -> NDArray[np.generic]:
        return pixels * (1 - loss * _squared_distance(pixels)[..., None])

    return _in_place(alter)


def _squared_distance(pixels: RgbImage) -> NDArray[np.float32]:
    """From the middle, 1 in the corners: ``float32 [height, width]``."""
    height, width = pixels.shape[:2]
    rows = (np.arange(height, dtype=np.float32) / (height - 1) - 0.5) * height
    columns = (np.arange(width, dtype=np.float32) / (width - 1) - 0.5) * width
    distance = rows[:, None] ** 2 + columns**2
    return np.asarray(distance / distance.max(), np.float32)


def _covered(shape: Callable[[RgbImage], Mask], level: float, grain: float = 0.0) -> Callable[[RgbImage], Changed]:
    """Grey of one level, with the grain of a camera, where the shape is 0; its edge is as soft as that of a lens."""

    def apply(pixels: RgbImage) -> Changed:
        specimen = shape(pixels)
        softness = 0.001 * max(pixels.shape[:2])
        keep = cv2.GaussianBlur(specimen.astype(np.float32), (0, 0), softness)[..., None]
        noise = np.random.default_rng(0).normal(0, grain, pixels.shape).astype(np.float32) if grain else 0.0
        mixed = pixels * keep + (level + noise) * (1 - keep)
        return Changed(np.clip(np.rint(mixed), 0, 255).astype(np.uint8), IDENTITY, specimen)

    return apply


def _circle(pixels: RgbImage) -> Mask:
    height, width = pixels.shape[:2]
    mask: Mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, (width // 2, height // 2), round(0.5 * min(height, width)), 1, -1)
    return mask


def _above_bar(pixels: RgbImage) -> Mask:
    mask: Mask = np.ones(pixels.shape[:2], np.uint8)
    mask[round(0.9 * len(mask)) :] = 0
    return mask


def _beside_margin(pixels: RgbImage) -> Mask:
    mask: Mask = np.ones(pixels.shape[:2], np.uint8)
    mask[:, : round(0.12 * mask.shape[1])] = 0
    return mask


def _framed(pixels: RgbImage) -> Mask:
    mask: Mask = np.zeros(pixels.shape[:2], np.uint8)
    rim = round(0.06 * max(mask.shape))
    mask[rim:-rim, rim:-rim] = 1
    return mask


def _askew(degrees: float, level: int) -> Callable[[RgbImage], Changed]:
    """Turned within its own rectangle; the corners are filled with grey of one level."""

    def apply(pixels: RgbImage) -> Changed:
        height, width = pixels.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        turned = cv2.warpAffine(pixels, matrix, (width, height), borderValue=(level, level, level))
        whole = np.ones((height, width), np.uint8)
        specimen = cv2.warpAffine(whole, matrix, (width, height), flags=cv2.INTER_NEAREST, borderValue=0)
        return Changed(
            turned.astype(np.uint8, copy=False), np.asarray(matrix, np.float64), np.asarray(specimen, np.uint8)
        )

    return apply


def _marked(colour: tuple[int, int, int]) -> Callable[[RgbImage], Changed]:
    """A ring and a stroke of a pen around a quarter of the field."""

    def apply(pixels: RgbImage) -> Changed:
        height, width = pixels.shape[:2]
        pen: Mask = np.zeros((height, width), np.uint8)
        thick = max(2, round(0.012 * width))
        cv2.ellipse(pen, (width // 3, height // 3), (width // 5, height // 5), 20, 0, 340, 1, thick)
        cv2.line(pen, (round(0.6 * width), round(0.9 * height)), (round(0.95 * width), round(0.7 * height)), 1, thick)
        drawn = np.where(pen[..., None] > 0, np.array(colour, np.uint8), pixels)
        return Changed(np.asarray(drawn, np.uint8), IDENTITY, np.asarray(1 - pen, np.uint8))

    return apply


CHANGES: tuple[Change, ...] = (
    *(Change("turned", f"{90 * n} degrees", True, _turned(n)) for n in (1, 2, 3)),
    Change("mirrored", "left to right", True, _mirrored(across=True)),
    Change("mirrored", "top to bottom", True, _mirrored(across=False)),
    *(Change("scaled", f"x {f:g}", True, _scaled(f)) for f in (0.5, 0.7, 1.4, 2.0)),
    *(Change("JPEG", f"quality {q}", q >= 30, _jpeg(q)) for q in (75, 30, 10)),
    *(Change("brightness", f"x {f:g}", 0.7 <= f <= 1.4, _gain(f, f, f)) for f in (0.35, 0.5, 0.7, 1.4, 2.0)),
    *(Change("gamma", f"{e:g}", 0.7 <= e <= 1.4, _gamma(e)) for e in (0.5, 0.7, 1.4, 2.0)),
    *(
        Change("white balance", f"{100 * s:.0f} % {name}", s <= 0.15, _gain(1 + sign * s, 1, 1 - sign * s))
        for s in (0.15, 0.25)
        for sign, name in ((1, "warm"), (-1, "cool"))
    ),
    *(Change("noise", f"{d} levels", False, _noise(d)) for d in (4, 8, 15)),
    *(Change("blur", f"{1000 * s:g} in 1000", False, _blurred(s)) for s in (0.0015, 0.004)),
    *(Change("vignette", f"{100 * s:.0f} % in the corners", False, _vignetted(s)) for s in (0.3, 0.6)),
    Change("round field", "black around", True, _covered(_circle, 0)),
    Change("round field", "dark grey around", True, _covered(_circle, 22, grain=2)),
    Change("round field", "white around", True, _covered(_circle, 255)),
    Change("info bar", "black", True, _covered(_above_bar, 0)),
    Change("margin", "white", True, _covered(_beside_margin, 255)),
    Change("frame", "grey", True, _covered(_framed, 128)),
    *(Change("turned", f"15 degrees, {n} corners", True, _askew(15, v)) for n, v in (("black", 0), ("white", 255))),
    Change("pen", "blue", False, _marked((30, 40, 160))),
    Change("pen", "green", False, _marked((20, 130, 60))),
    Change("colours", "red and blue swapped", False, _in_place(lambda pixels: pixels[..., ::-1])),
)
"""The changes of the table, in its order."""
