"""The scale of a field held against the other fields of its slide, which one objective and one camera have seen.

A field whose red cells were measured wrongly loses its cells without a word: their nuclei pass for platelets, or a
clump for a cell. Taken by itself nothing is odd about it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from edge_all.imaging.ranks import median_of
from edge_all.results import CellSummary, FieldSummary
from edge_all.segmentation.doubts import UNCERTAIN

__all__ = ["large_platelets", "on_scale", "other_scales"]

FEWEST_FIELDS = 3
"""Fewer fields do not tell which of them is odd."""
FEWEST_CELLS = 5
"""Fewer cells do not tell how large a nucleus is on this slide."""
OTHER_SCALE = 1.5
"""Factor from the slide's median from which red cells have another size. Of 205 BCCD fields of one magnification in
which red cells were measured none lies beyond it (at most 1.31); of 75 of ALL-IDB1 two, taken with another objective,
and the others within 1.1; of 152 of Raabin, of two microscopes and with few red cells each, 5. Fields in which they
could not be measured say so themselves."""
NUCLEUS_OF_A_CELL = 0.5
"""Share of the area of the slide's median nucleus from which a nucleus is no platelet's: the largest of 64 platelets
of ALL-IDB1 has 0.25, of 17 of BCCD 0.12; one of 17 of Raabin 0.52, a red cell in a field whose scale is twice too
large."""


def on_scale(fields: Sequence[FieldSummary]) -> tuple[str, ...]:
    """Sentences for the reader of a slide's results; none where its fields agree.

    Args:
        fields: of one slide, in the order of the run.
    """
    sentences = []
    others = other_scales(fields)
    if others:
        field, factor = others[0]
        sentences.append(
            f"Fields whose red cells seem {OTHER_SCALE:g} times as large or as small as those of the slide: "
            f"{len(others)} (for example {field.image}, {factor:.2g} times). Their cells may be missed: look at them."
        )
    large = large_platelets(fields)
    if large:
        field, cell = large[0]
        sentences.append(
            f"Objects rejected as platelets with nuclei as large as those of the slide's cells: {len(large)} "
            f"(for example no. {cell.id} of {field.image}): look at them."
        )
    return tuple(sentences)


def other_scales(fields: Iterable[FieldSummary]) -> list[tuple[FieldSummary, float]]:
    """The fields in which red cells were measured that differ from the slide's, each with the factor between them."""
    found = []
    for alike in by_camera(fields):
        measured = [
            (field, field.red_cell_radius)
            for field in alike
            if field.red_cell_radius and field.red_cell_error and field.red_cell_error < UNCERTAIN
        ]
        if len(measured) < FEWEST_FIELDS:
            continue
        usual = median_of(np.array([radius for _, radius in measured], np.float64))
        found += [
            (field, radius / usual)
            for field, radius in measured
            if abs(math.log(radius / usual)) >= math.log(OTHER_SCALE)
        ]
    return found


def large_platelets(fields: Iterable[FieldSummary]) -> list[tuple[FieldSummary, CellSummary]]:
    """Objects that were called platelets, and have a nucleus like those of the slide's cells."""
    found = []
    for alike in by_camera(fields):
        nuclei = [cell.nucleus_area for field in alike for cell in field.candidates]
        if len(nuclei) < FEWEST_CELLS:
            continue
        least = NUCLEUS_OF_A_CELL * median_of(np.array(nuclei, np.float64))
        found += [
            (field, cell)
            for field in alike
            for cell in field.cells
            if cell.reason == "platelet" and cell.nucleus_area >= least
        ]
    return found


def by_camera(fields: Iterable[FieldSummary]) -> list[list[FieldSummary]]:
    """The judged fields, those of one size together: others come from another camera, or were made smaller."""
    groups: defaultdict[tuple[int, int], list[FieldSummary]] = defaultdict(list)
    for field in fields:
        if field.status == "ok":
            groups[min(field.width, field.height), max(field.width, field.height)].append(field)
    return list(groups.values())
