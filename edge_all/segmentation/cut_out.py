"""Cells that were cut out of their field and laid on black or white, put back on glass.

Some data sets (C-NMC 2019) and some analysers hand out single cells with everything around them painted over. Black
tells nothing of the smear, and the rest of the pipeline would take it for a lamp that is off. Screening, the judging of
single cells and training all ask this one function, so that such a cell looks the same to each of them.

The colour of the glass it stood on is gone. What takes its place is the palest colour of the cell itself: then nothing
in the crop belongs to another stain than the cell's own, and no invented ground can pass for that of a laboratory.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.results import BoundingBox, Mask, RgbImage
from edge_all.segmentation.colour_clustering import cluster_colours
from edge_all.specimen import Specimen

__all__ = ["OnGlass", "cut_out_ground", "glass_colour", "put_on_glass"]

PAINT = 12
"""Levels from black, and from white, within which all channels of what was painted over lie. JPEG wavers by a few."""
LEAST_BORDER = 0.5
"""Share of the image's border that is painted over: a cell cut out tightly still touches it at few places."""
LEAST_NUCLEUS = 0.25
"""Share of nucleus in what is left. It tells a cell from a round field of view in its black square. Of 419 cells of
five sets, laid on black by the runtime's own outlines, one in a hundred has less than 0.26; of 463 whole fields of four
sets one in a hundred has more than 0.11 (ALL-IDB1), 0.18 (Taleqani), 0.08 (BCCD), 0.28 (Raabin)."""
LITTLE_LEFT = 0.5
"""Share of the image; where less is left a round field of view would be a small one, and less nucleus will do."""
LEAST_NUCLEUS_OF_LITTLE = 0.12
"""That share of nucleus. Eosinophils and neutrophils of BCCD in the middle of a black picture have from 0.13 on."""
PALE = 95
"""Percentile of each channel over the cell, which becomes its glass. Measured on those 419 cells with the network of
package 1.1.1, which had never seen one: AUC over all and within ALL-IDB2, and cells that were no longer found.
White 0.960, 0.820, 7; ALL-IDB's own grey 0.958, 0.946, 4; the light ground of other sets 0.966, 0.865, 2; the true
ground 0.966, 0.899, 3; percentile 97 of the cell 0.977, 0.953, 13; 90 0.985, 0.966, 11; 80 0.975, 0.926, 42. Of 95 one
cell in 419 is not found by `central_cell`, of 90 four."""
STEP = 30
"""Levels between white and what lies beside white paint. Of 105 of those cells laid on white the median of the rim has
220 at most, of 39 crops of segmentation_wbc with overexposed glass 230 at least. JPEG blurs the rim: a cell that
was cut out onto white and stored as JPEG passes for one on overexposed glass."""
MARGIN = 16
"""Pixels of glass that count to the smear around it: `edge_all.quality` measures edges against what is beside them."""
SAMPLE_SIDE = 450
"""Pixels of the longer side on which the nucleus is sought."""
CUT_OUT = "The surroundings were painted over, and are taken for glass."


@dataclass(frozen=True, slots=True, eq=False)
class OnGlass:
    """An image whose cells lie on glass, whether they always did or not.

    Attributes:
        pixels: ``uint8 [height, width, 3]`` RGB.
        note: what a reader should know of it; None for an image that nothing was painted over in.
        cells: box of what is left of the smear, by which its quality is judged; the whole of any other image.
    """

    pixels: RgbImage
    note: str | None
    cells: BoundingBox

    @property
    def smear(self) -> RgbImage:
        """The pixels in the box ``cells``."""
        x, y, width, height = self.cells
        return self.pixels[y : y + height, x : x + width]

    @property
    def specimen(self) -> Specimen | None:
        """All of the picture, where glass was put around the cells; None for any other image, where it is to be found.

        Glass of one colour around a cell that is nearly all nucleus would pass for a surround: so it did around 17 of
        888 cells of seven sets laid on black.
        """
        return None if self.note is None else Specimen(np.ones((1, 1), np.uint8))


def put_on_glass(pixels: RgbImage) -> OnGlass:
    """Replace the ground of cut-out cells by glass; any other image stays as it is, not even copied.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB.
    """
    ground = cut_out_ground(pixels)
    height, width = pixels.shape[:2]
    if ground is None:
        return OnGlass(pixels, None, (0, 0, width, height))
    x, y, w, h = cv2.boundingRect(1 - ground)
    left, top = max(0, x - MARGIN), max(0, y - MARGIN)
    right, bottom = min(width, x + w + MARGIN), min(height, y + h + MARGIN)
    return OnGlass(_painted(pixels, ground), CUT_OUT, (left, top, right - left, bottom - top))


def cut_out_ground(pixels: RgbImage) -> Mask | None:
    """Where an image of cut-out cells is painted over: 1 there; None for any other image.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB.
    """
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    for painted in (_black, _white):
        # Nearly every field ends here, after looking at its border alone.
        if painted(border).mean() < LEAST_BORDER:
            continue
        ground = _reaching_the_border(painted(pixels).view(np.uint8))
        if ground.all() or (painted is _white and not _ends_abruptly(pixels, ground)):
            continue
        little = 1 - ground.mean() < LITTLE_LEFT
        if _nucleus_share(pixels, ground) >= (LEAST_NUCLEUS_OF_LITTLE if little else LEAST_NUCLEUS):
            return ground
    return None


def glass_colour(cell: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colour on which a cell is laid: ``uint8 [3]`` RGB.

    Args:
        cell: ``uint8 [n, 3]`` RGB, the pixels of the cell.
    """
    return np.rint(np.percentile(cell, PALE, axis=0)).astype(np.uint8)


def _black(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(np.logical_and.reduce([pixels[..., channel] <= PAINT for channel in range(3)]))


def _white(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(np.logical_and.reduce([pixels[..., channel] >= 255 - PAINT for channel in range(3)]))


def _reaching_the_border(painted: Mask) -> Mask:
    """The parts of a mask that touch the border; black or white inside a cell is its own."""
    _, numbered = cv2.connectedComponents(painted, connectivity=4)
    labels = np.asarray(numbered, np.int32)
    reaching = np.zeros(int(labels.max()) + 1, np.uint8)
    reaching[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = 1
    reaching[0] = 0
    return np.asarray(reaching[labels], np.uint8)


def _ends_abruptly(pixels: RgbImage, ground: Mask) -> bool:
    """Whether white was painted: glass that is overexposed darkens little by little towards the cell."""
    ring = pixels[cv2.dilate(ground, np.ones((3, 3), np.uint8)) > ground]
    return len(ring) > 0 and float(np.median(ring.min(axis=1))) < 255 - STEP


def _nucleus_share(pixels: RgbImage, ground: Mask) -> float:
    """Of what is not ground, how much has the colour of nuclei."""
    factor = max(1, max(pixels.shape[:2]) // SAMPLE_SIDE)
    small = np.ascontiguousarray(ground[::factor, ::factor])
    image = np.ascontiguousarray(pixels[::factor, ::factor])
    if small.all():
        return 0.0
    model, keys = cluster_colours(_painted(image, small))
    return float(model.nucleus_table.take(keys)[small == 0].mean())


def _painted(pixels: RgbImage, ground: Mask) -> RgbImage:
    glass = glass_colour(pixels[ground == 0])
    # In the pixels beside the ground the cell is mixed with the paint.
    wide = cv2.dilate(ground, np.ones((3, 3), np.uint8))
    return np.where(wide[..., None] > 0, glass, pixels)
