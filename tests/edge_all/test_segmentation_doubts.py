"""A field is not quietly negative where sizes are a guess or every nucleus was turned away."""

from __future__ import annotations

import dataclasses

from edge_all.results import Cell, Segmentation
from edge_all.segmentation import doubts

BOX = (10, 10, 30, 30)
OUTLINE = ((10, 10), (40, 10), (25, 40))
PLATELET = Cell(1, BOX, (25, 25), 800, BOX, (25, 25), 530, "rejected", contour=OUTLINE)
FIELD = Segmentation((800, 1000), (PLATELET,), red_cell_radius=40.0, red_cell_error=0.1)


def test_platelets_alone_are_no_cause_for_doubt() -> None:
    assert doubts(FIELD) == ()


def test_rejected_nuclei_nearly_as_large_as_cells_are_said() -> None:
    (note,) = doubts(dataclasses.replace(FIELD, cells=(dataclasses.replace(PLATELET, nucleus_area=1400),)))
    assert "rejected" in note


def test_a_field_with_a_candidate_says_nothing_of_its_large_rejected_nuclei() -> None:
    large = dataclasses.replace(PLATELET, nucleus_area=1400)
    found = dataclasses.replace(FIELD, cells=(large, dataclasses.replace(large, id=2, kind="candidate")))
    assert doubts(found) == ()


def test_sizes_that_rest_on_nuclei_are_said_of_a_field_but_not_of_a_crop() -> None:
    guessed = dataclasses.replace(FIELD, red_cell_error=0.3)
    assert any("Red cells" in note for note in doubts(guessed))
    assert doubts(dataclasses.replace(guessed, shape=(300, 300))) == ()


def test_nothing_found_is_no_doubt() -> None:
    assert doubts(Segmentation((800, 1000))) == ()
