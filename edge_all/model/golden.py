"""Crops that every machine can make for itself, to prove that it computes what was tested.

They are drawn by a formula in whole numbers, so no image has to travel and no library can round them differently.
"""

from __future__ import annotations

import numpy as np

from edge_all.results import RgbImage

__all__ = ["GOLDEN_TOLERANCE", "golden_crops"]

GOLDEN_TOLERANCE: dict[str, float] = {"fp32": 1e-3, "fp16": 2e-2, "int8": 5e-2}
"""Largest difference of a network probability from the golden answer, by variant. Processors round differently (FP32
kernels sum in another order, INT8 kernels accumulate with or without VNNI); a wrong network or a saturating 8-bit
multiplication is far outside. Set by that reasoning; on one and the same machine the difference is 0."""

_GROUND = (236, 228, 232)
_CYTOPLASM = (190, 200, 226)
_NUCLEI = ((118, 62, 140), (92, 48, 128), (150, 92, 168), (74, 40, 110))


def golden_crops(input_size: int) -> RgbImage:
    """Four schematic stained cells of different size, shade and grain.

    Args:
        input_size: side of the network's input in pixels.

    Returns:
        ``uint8 [4, input_size, input_size, 3]`` RGB, the same on every machine.
    """
    row, column = np.mgrid[0:input_size, 0:input_size].astype(np.int64)
    crops = np.empty((len(_NUCLEI), input_size, input_size, 3), np.uint8)
    for index, nucleus in enumerate(_NUCLEI):
        # Squared distance from the centre, in units where the half side of the crop is 100.
        across = (2 * column - input_size + 1) * 100 // input_size
        down = (2 * row - input_size + 1) * (100 - 10 * index) // input_size
        distance = across * across + down * down
        grain = (row * 7 + column * 13 + (row * column) // 5 + index * 11) % 17 - 8
        radius = 40 + 7 * index
        crop = np.where((distance < (radius + 14) ** 2)[..., None], _CYTOPLASM, _GROUND)
        crop = np.where((distance < radius**2)[..., None], nucleus, crop)
        crops[index] = np.clip(crop + grain[..., None], 0, 255)
    return crops
