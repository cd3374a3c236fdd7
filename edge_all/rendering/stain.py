"""Stains: the colour that each part of a smear takes, and how much light it absorbs.

A stain is written down as the colours that one sees on a slide, because those can be measured on any image. The
renderer works with optical densities: the colour of two things that lie on each other is the product of their
transmittances (Beer-Lambert), so overlapping red cells darken by themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

__all__ = ["DENSITY_SCALE", "STAINS", "STAIN_NAMES", "Rgb", "Stain", "StainName"]

Rgb = tuple[int, int, int]
StainName = Literal["grey", "green", "dim", "beige", "white", "peach", "yellow"]

DENSITY_SCALE = 1024
"""Units of optical density per neper: densities are integers, so that a field is the same on every machine."""


@dataclass(frozen=True, slots=True)
class Stain:
    """The colours of one laboratory's slides, as a camera records them at the centre of the field.

    Attributes:
        ground: the slide where nothing lies on it.
        red_cell: the thick part of one red cell.
        nucleus: chromatin of a lymphoid nucleus.
        cytoplasm: basophilic (blue) cytoplasm of blasts and lymphocytes.
        neutrophil: cytoplasm of a neutrophil between its granules.
        granule: granules of neutrophils and platelets.
        smudge: the chromatin of a burst cell, paler and redder than that of a whole one.
    """

    ground: Rgb
    red_cell: Rgb
    nucleus: Rgb
    cytoplasm: Rgb
    neutrophil: Rgb
    granule: Rgb
    smudge: Rgb

    def density(self, colour: Rgb) -> NDArray[np.int32]:
        """Optical density of something that shows this colour, ``int32 [3]`` in units of 1 / `DENSITY_SCALE`."""
        return np.array(
            [
                max(0, round(DENSITY_SCALE * math.log(ground / max(value, 1))))
                for ground, value in zip(self.ground, colour, strict=True)
            ],
            dtype=np.int32,
        )


# Medians of ground, red cells, nuclei and cytoplasm in real images of seven looks: fields 3, 36, 97 and 53 of ALL-IDB1
# (Labati 2011), BCCD, the normal lymphocytes of Acevedo 2020, and the rapid stain of Zheng 2018.
STAINS: dict[StainName, Stain] = {
    "grey": Stain(
        ground=(161, 163, 161),
        red_cell=(139, 119, 124),
        nucleus=(74, 24, 117),
        cytoplasm=(104, 106, 157),
        neutrophil=(158, 134, 156),
        granule=(112, 66, 138),
        smudge=(96, 38, 120),
    ),
    "green": Stain(
        ground=(168, 167, 151),
        red_cell=(152, 122, 113),
        nucleus=(64, 33, 112),
        cytoplasm=(98, 101, 146),
        neutrophil=(161, 128, 137),
        granule=(126, 70, 128),
        smudge=(104, 52, 118),
    ),
    "dim": Stain(
        ground=(118, 117, 104),
        red_cell=(102, 76, 70),
        nucleus=(46, 25, 66),
        cytoplasm=(70, 74, 102),
        neutrophil=(112, 88, 92),
        granule=(84, 48, 84),
        smudge=(70, 36, 78),
    ),
    "beige": Stain(
        ground=(177, 175, 158),
        red_cell=(160, 135, 123),
        nucleus=(98, 60, 148),
        cytoplasm=(82, 92, 156),
        neutrophil=(172, 142, 152),
        granule=(132, 88, 146),
        smudge=(128, 78, 148),
    ),
    "white": Stain(
        ground=(204, 207, 202),
        red_cell=(176, 152, 160),
        nucleus=(122, 84, 198),
        cytoplasm=(152, 148, 214),
        neutrophil=(196, 172, 208),
        granule=(158, 118, 206),
        smudge=(160, 116, 212),
    ),
    "peach": Stain(
        ground=(250, 225, 201),
        red_cell=(200, 158, 163),
        nucleus=(82, 38, 134),
        cytoplasm=(142, 122, 172),
        neutrophil=(224, 182, 190),
        granule=(150, 86, 148),
        smudge=(128, 66, 140),
    ),
    "yellow": Stain(
        ground=(252, 251, 160),
        red_cell=(240, 212, 140),
        nucleus=(92, 22, 86),
        cytoplasm=(158, 158, 126),
        neutrophil=(222, 176, 128),
        granule=(168, 96, 100),
        smudge=(140, 60, 96),
    ),
}

STAIN_NAMES: tuple[StainName, ...] = get_args(StainName)
