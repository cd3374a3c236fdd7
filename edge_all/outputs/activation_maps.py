"""Pictures of class activation maps: where in its crop the network saw what speaks for ALL.

The crop is shown without its colours, so that all colour is the map's: eosin is red, and so may be an overlay. One
scale serves all cells of all reports: a cell in which nothing speaks for ALL stays grey, instead of showing its
faintest trace in full colour.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.files.run_folder import RunFolder
from edge_all.outputs.palette import PALETTE
from edge_all.outputs.pictures import write_jpeg
from edge_all.outputs.thumbnails import JPEG_QUALITY, cell_picture
from edge_all.results import FieldResult, RgbImage

__all__ = ["paint_activation", "save_activation_maps"]

HALF_COLOUR = 3.6
"""Contribution to the calibrated logit of ALL at which a place has half of the strongest colour.

The median over the places of the 365 cells that a network of 112 pixels (5 by 5 places) calls ALL in the 75 fields of
ALL-IDB1; there 5 % to 95 % of the places get 0.23 to 0.69 of the colour, and 96 % of the 127 cells called non-ALL stay
below 0.05 everywhere. In a network of 160 pixels (8 by 8 places, one fold, the same temperature) the median of 116 such
cells is 3.9 and 5 % to 95 % get 0.12 to 0.77: a finer map has higher peaks for the same probability, and so the colour
bends towards its strongest and never reaches it."""
STRONGEST = 0.8
"""Share of the colour in the limit: the cell stays visible under it."""


def save_activation_maps(
    folder: RunFolder,
    field: FieldResult,
    squares: RgbImage,
    activations: Mapping[int, NDArray[np.float32]],
    factor: float,
) -> None:
    """Write a picture for each candidate that has a map: the square that the network sees, the map laid over it.

    Args:
        folder: of the run.
        field: a judged field.
        squares: ``uint8 [candidates, side, side, 3]`` RGB, as in `edge_all.screening.field_screening.ScreenedField`.
        activations: map ``float32 [h, w]`` by the id of a candidate, as in `Judgement`.
        factor: by which the model's crops are cut.

    Raises:
        OutputError: a file cannot be written.
    """
    for cell, square in zip(field.candidates, squares, strict=True):
        if cell.id in activations:
            picture = paint_activation(cell_picture(square, cell, field, factor), activations[cell.id])
            write_jpeg(folder.activation_map(field.image, cell.id), picture, JPEG_QUALITY)


def paint_activation(picture: RgbImage, activation: NDArray[np.float32]) -> RgbImage:
    """Lay a map over the crop that it is about.

    Args:
        picture: ``uint8 [side, side, 3]`` RGB.
        activation: ``float32 [h, w]`` from 0, in units of the calibrated logit of ALL.

    Returns:
        ``uint8 [side, side, 3]`` RGB: grey, and the more in the colour of ALL, the more speaks for ALL.
    """
    side = picture.shape[0]
    # Linear, which invents nothing: cubic curves swing below 0 and above 0 again beside a peak.
    smooth = cv2.resize(activation, (side, side), interpolation=cv2.INTER_LINEAR)
    share = STRONGEST * (1 - np.exp2(-smooth / HALF_COLOUR))[..., None]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None]
    mixed: RgbImage = np.round(grey * (1 - share) + np.array(PALETTE["ALL"]) * share).astype(np.uint8)
    return mixed
