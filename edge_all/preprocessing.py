"""THE way from a field and a cell to what the network sees.

Training, calibration, benchmark, parity checks and the runtime all call `crop_cell`. There is no second resize
anywhere: the commonest fault of deployed models is one that differs slightly.

The crop is a square around the centre of the nucleus's box, ``factor`` times as wide as the longer side of that box,
so that a cell fills the input alike at every magnification. Where the square leaves the image, the border pixels are
repeated. Shrinking uses area interpolation, enlarging linear. Scaling of the values happens inside the network.

A model may ask for one white point: then the glass on which the cell lies (`Cell.glass`, found by the segmentation for
the whole field) has the same grey in every crop, whatever lamp, stain bath or white balance coloured it. And it may ask
for crops one way up: then all eight orientations of a cell are the very same input, for the square lies evenly around
the box and is turned before it is resized (`edge_all.segmentation.upright`). Nothing else is normalised by the image's
own content.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.errors import ModelIncompatibleError
from edge_all.results import BoundingBox, Cell, LabelImage, RgbImage
from edge_all.segmentation.colour_clustering import balance_table
from edge_all.segmentation.upright import Upright

__all__ = [
    "Crops",
    "Orientation",
    "PreprocessingSpec",
    "WhitePoint",
    "crop_cell",
    "crop_cells",
    "crop_square",
    "crop_window",
    "cut_cells",
    "put_on_white",
]

Background = Literal["keep", "blank"]
WhitePoint = Literal["camera", "glass"]
Orientation = Literal["field", "upright"]

VERSIONS: dict[WhitePoint, int] = {"camera": 1, "glass": 2}
"""Version of the preprocessing by its white point; a new one whenever the same image would give another input."""
VERSION_UPRIGHT = 3
"""Version where crops are turned one way up."""
BLANK = 255
"""Value of blanked pixels: white, as empty glass."""
AS_IT_LIES = Upright(transposed=False, across=False, down=False)


@dataclass(frozen=True, slots=True)
class PreprocessingSpec:
    """How the crops of a model package are cut; part of its card.

    Attributes:
        input_size: side of the network's input in pixels.
        factor: side of the crop as a multiple of the longer side of the nucleus's box.
        background: ``keep`` leaves the neighbours in, ``blank`` whitens all that is not this cell.
        white_point: ``camera`` leaves the colours as the camera gave them, ``glass`` puts the glass at one grey.
        orientation: ``field`` leaves cells as they lie in their field, ``upright`` turns each one way up.
    """

    input_size: int
    factor: float
    background: Background = "keep"
    white_point: WhitePoint = "camera"
    orientation: Orientation = "field"

    def to_json(self) -> dict[str, Any]:
        """The block ``preprocessing`` of the card."""
        # Version 1 knew no white point, version 2 no orientation, and their cards hold none.
        white_point = {} if self.white_point == "camera" else {"white_point": self.white_point}
        orientation = {} if self.orientation == "field" else {"orientation": self.orientation}
        return {
            "version": VERSION_UPRIGHT if orientation else VERSIONS[self.white_point],
            **white_point,
            **orientation,
            "input_size": self.input_size,
            "crop": "square around the nucleus box",
            "factor": self.factor,
            "background": self.background,
            "colour_order": "RGB",
            "interpolation": "area when shrinking, linear when enlarging",
            "value_range": [0, 255],
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> PreprocessingSpec:
        """Read the block of a card.

        Raises:
            ModelIncompatibleError: the block asks for something that this runtime does not do.
        """
        try:
            size, factor = int(record["input_size"]), float(record["factor"])
            white_point, orientation = record.get("white_point", "camera"), record.get("orientation", "field")
            spec = cls(size, factor, record["background"], white_point, orientation)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelIncompatibleError(
                f"The card's preprocessing block is incomplete ({error}).", "Export the model again."
            ) from error
        possible = spec.input_size > 0 and 0 < spec.factor < math.inf  # which no NaN is
        known = spec.background in ("keep", "blank") and spec.white_point in VERSIONS
        if not (possible and known and spec.orientation in ("field", "upright")) or record != spec.to_json():
            raise ModelIncompatibleError(
                f"The model wants preprocessing {record}, which this version does not do.",
                "Install the edge-all version named in the model card, or export the model again.",
            )
        return spec


def crop_square(nucleus_bbox: BoundingBox, factor: float) -> tuple[int, int, int]:
    """Where the crop of a cell lies; parts of it may lie outside the image.

    Args:
        nucleus_bbox: box of the nucleus.
        factor: side of the square as a multiple of the longer side of the box.

    Returns:
        Left, top and side in whole pixels of the image.
    """
    x, y, box_width, box_height = nucleus_bbox
    side = max(1, round(factor * max(box_width, box_height)))
    return round(x + box_width / 2 - side / 2), round(y + box_height / 2 - side / 2), side


def crop_window(image: NDArray[Any], nucleus_bbox: BoundingBox, factor: float) -> NDArray[Any]:
    """The square around a nucleus at the image's own resolution; border pixels are repeated outside the image.

    Args:
        image: ``[height, width, ...]``, pixels or labels.
        nucleus_bbox: box of the nucleus.
        factor: side of the square as a multiple of the longer side of the box.

    Returns:
        ``[side, side, ...]``; inside the image it shares the image's memory.
    """
    left, top, side = crop_square(nucleus_bbox, factor)
    return _cut(image, left, top, side, side)


def _cut(image: NDArray[Any], left: int, top: int, across: int, down: int) -> NDArray[Any]:
    """So many columns and rows from a corner on; border pixels are repeated outside the image."""
    height, width = image.shape[:2]
    right, bottom = left + across, top + down
    inside = image[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
    beyond = (max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width))
    if not any(beyond):
        return inside
    return np.asarray(cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_REPLICATE))


def _even_window(image: NDArray[Any], nucleus_bbox: BoundingBox, factor: float) -> NDArray[Any]:
    """As `crop_window`, with a column or a row more where that cannot lie evenly around the box.

    So it is the same window of a field that is turned, where half a pixel would be rounded to the other side.
    """
    x, y, box_width, box_height = nucleus_bbox
    _, _, side = crop_square(nucleus_bbox, factor)
    across, down = (side + (side - length) % 2 for length in (box_width, box_height))
    return _cut(image, x + (box_width - across) // 2, y + (box_height - down) // 2, across, down)


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """What the network gets of some cells.

    Attributes:
        pixels: ``uint8 [cells, input_size, input_size, 3]`` RGB.
        turns: how each was turned, so that what is said of places in a crop can be turned back.
    """

    pixels: RgbImage
    turns: tuple[Upright, ...]

    @classmethod
    def none(cls, spec: PreprocessingSpec) -> Crops:
        """Those of no cell."""
        return cls(np.empty((0, spec.input_size, spec.input_size, 3), np.uint8), ())


def cut_cells(
    pixels: RgbImage, cells: Sequence[Cell], cell_labels: LabelImage | None, spec: PreprocessingSpec
) -> Crops:
    """Cut cells out of their field, at the network's input size.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB field.
        cells: the cells to cut.
        cell_labels: ``uint16 [height, width]`` whole cells; only read when the background is blanked.
        spec: how to cut.

    Raises:
        ModelIncompatibleError: the spec asks for the white point of the glass, and a cell's is not known.
    """
    crops = np.empty((len(cells), spec.input_size, spec.input_size, 3), np.uint8)
    turns = []
    for index, cell in enumerate(cells):
        crops[index], turn = _cut_cell(pixels, cell, cell_labels, spec)
        turns.append(turn)
    return Crops(crops, tuple(turns))


def crop_cells(
    pixels: RgbImage, cells: Sequence[Cell], cell_labels: LabelImage | None, spec: PreprocessingSpec
) -> RgbImage:
    """The pixels of `cut_cells` alone: ``uint8 [cells, input_size, input_size, 3]`` RGB."""
    return cut_cells(pixels, cells, cell_labels, spec).pixels


def crop_cell(pixels: RgbImage, cell: Cell, cell_labels: LabelImage | None, spec: PreprocessingSpec) -> RgbImage:
    """`crop_cells` of one cell: ``uint8 [input_size, input_size, 3]`` RGB."""
    crop, _ = _cut_cell(pixels, cell, cell_labels, spec)
    return crop


def _cut_cell(
    pixels: RgbImage, cell: Cell, cell_labels: LabelImage | None, spec: PreprocessingSpec
) -> tuple[RgbImage, Upright]:
    upright = spec.orientation == "upright"
    cut = _even_window if upright else crop_window
    window = cut(pixels, cell.nucleus_bbox, spec.factor)
    if spec.background == "blank":
        if cell_labels is None:
            raise ValueError("cell_labels are needed to blank the background")
        of_this_cell = cut(cell_labels, cell.nucleus_bbox, spec.factor) == cell.id
        window = np.where(of_this_cell[..., None], window, np.uint8(BLANK))
    turn = AS_IT_LIES
    if upright:
        side = min(window.shape[:2])
        turn = Upright.of_cell(window)
        window = turn.turned(window)[:side, :side]
    return _on_white(_resized(window, spec.input_size), cell, spec), turn


def _resized(window: RgbImage, size: int) -> RgbImage:
    interpolation = cv2.INTER_AREA if len(window) > size else cv2.INTER_LINEAR
    return cv2.resize(window, (size, size), interpolation=interpolation).astype(np.uint8, copy=False)


def _on_white(crop: RgbImage, cell: Cell, spec: PreprocessingSpec) -> RgbImage:
    if spec.white_point == "camera":
        return crop
    if cell.glass is None:
        raise ModelIncompatibleError(
            f"Cell {cell.id} does not know the colour of its glass, which the model asks for.",
            "Screen the image again with this version.",
        )
    return put_on_white(crop, np.array(cell.glass, np.float32))


def put_on_white(crop: RgbImage, glass: NDArray[Any]) -> RgbImage:
    """Put the glass at the white point.

    Args:
        crop: ``uint8 [height, width, 3]`` RGB.
        glass: ``[3]``, red, green and blue of its glass.
    """
    return np.asarray(cv2.LUT(crop, balance_table(glass.astype(np.float32))), np.uint8)
