"""The outlines of cells, to be laid over their pictures in the galleries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from edge_all.preprocessing import crop_square

__all__ = ["TileOutline", "tile_outlines"]

TOLERANCE = 0.008
"""Share of the picture's side by which the line may miss the outline: a pixel of a picture that is shown 112 wide."""


@dataclass(frozen=True, slots=True)
class TileOutline:
    """A cell's outline and the part of its field that its picture shows, as SVG writes them.

    Attributes:
        view_box: left, top, width and height of the picture in pixels of the field.
        points: corners of the outline, likewise.
    """

    view_box: str
    points: str


def tile_outlines(
    fields: Iterable[Mapping[str, Any]], factor: float, wanted: Collection[tuple[str, int]]
) -> dict[tuple[str, int], TileOutline]:
    """The outlines of some cells, with no more corners than can be seen.

    Args:
        fields: the results as JSON has them, one after the other: their own outlines take ten times as much memory.
        factor: by which the model's crops are cut.
        wanted: name of the image and id of each cell.

    Returns:
        By the name of the image and the id of the cell.
    """
    found = {}
    for field in fields:
        for cell in field["cells"]:
            key = (field["image"], cell["id"])
            if key not in wanted or cell["kind"] != "candidate":
                continue
            left, top, side = crop_square(cell["nucleus_bbox"], factor)
            contour = np.asarray(cell["contour"], np.int32).reshape(-1, 1, 2)
            corners = (
                cv2.approxPolyDP(contour, TOLERANCE * side, closed=True)[:, 0] if len(contour) > 2 else contour[:, 0]
            )
            # A contour runs through the centres of its pixels.
            points = " ".join(f"{x + 0.5:g},{y + 0.5:g}" for x, y in corners.tolist())
            found[key] = TileOutline(f"{left:g} {top:g} {side:g} {side:g}", points)
    return found
