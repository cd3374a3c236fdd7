"""Red cells whose rims have the colour of nuclei, told by their shape: rings around glass, which no nucleus is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.ranks import percentile_of
from edge_all.segmentation.colour_clustering import ColourModel, FloatArray, mean_of, nearest_centre
from edge_all.segmentation.shapes import depth_inside

__all__ = ["without_red_rings"]

HOLE_SHARE = 0.2
"""Share of a ring's inside that is hole, at least. In 1,500 images of nine sets, rings are of two kinds (`GLASSY`)."""
GLASSY = 32.0
"""Distance from the ground's colour within which the palest quarter of a red cell's hole lies: 8 to 26 in 12 rings of
five fields of Raabin, 39 to 54 in 8 rings that are nuclei."""
FEWEST_RINGS = 2
"""One alone may be a nucleus around pale cytoplasm (BCCD has one such)."""


def without_red_rings(nuclei: NDArray[np.uint8], keys: NDArray[np.uint16], model: ColourModel) -> NDArray[np.uint8]:
    """Leave out what has rather the colour of rings around glass than that of the thickest nucleus.

    Colour alone takes purple rims of red cells for nuclei; most are broken arcs, but some close.

    Args:
        nuclei: ``uint8 [height, width]``, 1 on nuclei by their colours.
        keys: ``uint16 [height, width]``, the colour of each pixel.
        model: what the keys mean.
    """
    contours, hierarchy = cv2.findContours(nuclei, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if hierarchy is None:
        return nuclei
    rings = np.zeros_like(nuclei)
    count = 0
    for index, parent in enumerate(np.asarray(hierarchy)[0, :, 3].tolist()):
        if parent < 0 or cv2.contourArea(contours[index]) <= HOLE_SHARE * cv2.contourArea(contours[parent]):
            continue
        inside = cv2.drawContours(np.zeros_like(nuclei), contours, index, 1, -1)
        hole = model.ground_distance_table.take(keys[(inside > 0) & (nuclei == 0)])
        if hole.size and percentile_of(hole, 25) < GLASSY:
            cv2.drawContours(rings, contours, parent, 1, -1)
            count += 1
    return unlike_rings(nuclei, nuclei & rings, keys, model.lab_table) if count >= FEWEST_RINGS else nuclei


def unlike_rings(
    nuclei: NDArray[np.uint8], rings: NDArray[np.uint8], keys: NDArray[np.uint16], lab_table: FloatArray
) -> NDArray[np.uint8]:
    """The pixels of nuclei that are nearer in colour to the thickest of them than to the rings; all where none is."""
    others = nuclei & ~rings
    depth = depth_inside(others, max(nuclei.shape))
    deepest = depth > depth.max() / 2
    if not others.any():
        return nuclei
    centres = np.array([mean_of(lab_table.take(keys[mask], axis=0)) for mask in (deepest, rings > 0)])
    is_nucleus = (nearest_centre(lab_table, centres) == 0).astype(np.uint8)
    return np.asarray(nuclei & is_nucleus.take(keys), np.uint8)
