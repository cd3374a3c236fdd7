"""What cells of the laboratories that a model knows look like, and how far from all of them a cell lies.

The features of a network say little about a stain that it never saw: of 2,973 cells of a hospital that was not in the
reference, 1 % lay outside of it, and the network was at chance on them. What a technician sees at once, the colour of
the glass, of the red cells and of the nucleus and how sharp the picture is, tells laboratories apart. It is read off
the crop that the network gets, so that it costs little, is the same for a field, a single cell and a training set, and
a tint that the preprocessing takes away makes no stranger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.classification.package_arrays import read_arrays
from edge_all.errors import ModelIntegrityError
from edge_all.model.package import ModelPackage
from edge_all.results import RgbImage

__all__ = ["TRAITS", "Appearance", "read_appearance", "traits_of"]

TRAITS = 11
"""Numbers that describe a crop: optical densities of nucleus, glass and surroundings in red, green and blue, then how
steep the edges are and how much fine detail there is."""
COLOUR_SIDE = 40
"""Side in pixels at which colours are measured."""
NUCLEUS, SURROUNDINGS = 0.14, 0.42
"""Radius of a disc inside the nucleus, and of the disc outside which the surroundings begin, in sides of the crop. A
crop of 2.5 nuclei has its nucleus within 0.2."""


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """The known laboratories by the traits of their cells.

    Attributes:
        laboratories: their names.
        means: ``float64 [k, TRAITS]``.
        precisions: ``float64 [k, TRAITS, TRAITS]``, inverse covariances.
        limits: ``float64 [k]``, squared distance up to which a cell looks like one of that laboratory.

    Raises:
        ModelIntegrityError: the shapes do not fit, or a value is not a finite number.
    """

    laboratories: tuple[str, ...]
    means: NDArray[np.float64]
    precisions: NDArray[np.float64]
    limits: NDArray[np.float64]

    def __post_init__(self) -> None:
        count = len(self.laboratories)
        shapes = self.means.shape, self.precisions.shape, self.limits.shape
        if not count or shapes != ((count, TRAITS), (count, TRAITS, TRAITS), (count,)):
            raise ModelIntegrityError(
                f"The appearance of {count} laboratories has the shapes {shapes}.", "Export the model again."
            )
        # Every comparison with what is not a number is false: no stain would ever be strange.
        if not all(np.isfinite(values).all() for values in (self.means, self.precisions, self.limits)):
            raise ModelIntegrityError("The appearance holds values that are not finite.", "Export the model again.")
        if not (self.limits > 0).all():
            raise ModelIntegrityError("The appearance holds limits that are not positive.", "Export the model again.")

    def relative_distances(self, traits: NDArray[np.float64]) -> NDArray[np.float64]:
        """How unlike the laboratory that they are most like cells are, ``float64 [n]``; 1 is the limit.

        Args:
            traits: ``float64 [n, TRAITS]``, see `traits_of`.
        """
        # Row by row: a matrix product would round a cell differently in another company.
        return np.array([self._nearest(row) for row in traits], np.float64)

    def _nearest(self, row: NDArray[np.float64]) -> float:
        return min(
            max(0.0, float((row - mean) @ precision @ (row - mean))) / float(limit)
            for mean, precision, limit in zip(self.means, self.precisions, self.limits, strict=True)
        )


def traits_of(crops: RgbImage) -> NDArray[np.float64]:
    """What is seen of each crop: ``float64 [n, TRAITS]``.

    Args:
        crops: ``uint8 [n, side, side, 3]`` RGB, as the network gets them.
    """
    side = min(COLOUR_SIDE, crops.shape[1])
    row, column = np.mgrid[:side, :side] - (side - 1) / 2
    radius = np.hypot(row, column)
    nucleus, surroundings = radius < NUCLEUS * side, radius > SURROUNDINGS * side
    return np.array([_traits(crop, side, nucleus, surroundings) for crop in crops], np.float64).reshape(-1, TRAITS)


def _traits(
    crop: RgbImage, side: int, nucleus: NDArray[np.bool_], surroundings: NDArray[np.bool_]
) -> NDArray[np.float64]:
    small = np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    around = small[surroundings]
    levels = [_quantile(small[nucleus], 0.5), _quantile(around, 0.9), _quantile(around, 0.25)]
    # The 8 keeps the rounding of nearly black pixels from weighing.
    densities = -np.log10((np.concatenate(levels) + 8.0) / 263)
    green = cv2.extractChannel(crop, 1)
    smooth = cv2.GaussianBlur(green, (5, 5), 1.0)
    dx, dy = (gradient.astype(np.float32) for gradient in cv2.spatialGradient(smooth))
    # Every second pixel of a blurred image says what all of them say.
    few, steepness = smooth[::2, ::2].reshape(-1, 1), cv2.magnitude(dx, dy)[::2, ::2].reshape(-1, 1)
    contrast = float(_quantile(few, 0.97)[0]) - float(_quantile(few, 0.03)[0]) + 1
    steepest = float(_quantile(steepness, 0.98)[0]) / 8  # Sobel's weights sum to 8
    detail = cv2.norm(green, smooth, cv2.NORM_L1) / green.size
    return np.array([*densities, *(np.log(value / contrast + 1e-4) for value in (steepest, detail))], np.float64)


def _quantile(values: NDArray[Any], share: float) -> NDArray[Any]:
    """The value of each column below which so many lie: ``[columns]``."""
    rank = round(share * (len(values) - 1))
    # `numpy.quantile` takes five times as long over so few.
    return np.asarray(np.partition(values, rank, axis=0)[rank])


def read_appearance(package: ModelPackage) -> Appearance | None:
    """The appearance of a package's laboratories; None where it has none, as packages before 0.1.0 had not.

    Raises:
        ModelIntegrityError: the file is damaged, or holds something else.
    """
    file = package.appearance_file
    if file is None:
        return None
    return read_arrays(
        package,
        file,
        "appearance of laboratories",
        lambda arrays: Appearance(
            tuple(str(name) for name in arrays["laboratories"]),
            *(np.asarray(arrays[name], np.float64) for name in ("means", "precisions", "limits")),
        ),
    )
