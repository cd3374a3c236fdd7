"""Changes of fields put pixels where they say, and what becomes of the cells is counted rightly."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.api.screener import Screener
from edge_all.results import Cell, CellLabel
from edge_all_export.robustness.changes import CHANGES, Change, Changed
from edge_all_export.robustness.measuring import (
    ChangeOutcome,
    Survival,
    compare_cells,
    measure_robustness,
    reference_fields,
)
from edge_all_export.robustness.table import HEADINGS, PATIENT_HEADINGS, markdown_table, patient_row, row_of

MOVED = [change for change in CHANGES if change.kind in {"turned", "mirrored", "scaled"}]


def names(change: Change) -> str:
    return f"{change.kind} {change.name}"


@pytest.mark.parametrize("change", MOVED, ids=names)
def test_a_point_is_where_the_matrix_says(change: Change) -> None:
    pixels = np.full((200, 300, 3), 100, np.uint8)
    cv2.circle(pixels, (190, 80), 6, (250, 250, 250), -1)
    changed = change.apply(pixels)
    x, y = changed.matrix @ (190, 80, 1)
    bright = np.argwhere(cv2.GaussianBlur(changed.pixels[..., 1], (5, 5), 2) * (specimen_of(changed) > 0) > 200)
    assert np.abs(bright.mean(axis=0) - (y, x)).max() < 2


def specimen_of(changed: Changed) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.ones(changed.pixels.shape[:2], np.uint8) if changed.specimen is None else changed.specimen


def test_there_are_forty_changes_and_more_each_with_a_name_of_its_own() -> None:
    assert len({names(change) for change in CHANGES}) == len(CHANGES) >= 40


@pytest.mark.parametrize("change", CHANGES, ids=names)
def test_every_change_changes_something_and_gives_an_image(change: Change) -> None:
    pixels = np.random.default_rng(0).integers(60, 200, (480, 640, 3), np.uint8)
    pixels[:, :320] //= 2
    changed = change.apply(pixels)
    assert changed.pixels.dtype == np.uint8
    assert changed.pixels.shape != pixels.shape or (changed.pixels != pixels).any()


def cell(number: int, x: int, y: int, label: CellLabel = "ALL") -> Cell:
    box = (x - 20, y - 20, 40, 40)
    outline = ((x - 20, y - 20), (x + 20, y - 20), (x, y + 20))
    return Cell(number, box, (x, y), 1200, box, (x, y), 1000, "candidate", label=label, contour=outline)


def test_cells_lost_new_and_called_otherwise_are_counted() -> None:
    before = [cell(1, 50, 50), cell(2, 150, 50), cell(3, 250, 50)]
    # Twice the size: the first stays, the second is called otherwise, the third is gone, and one is new.
    after = [cell(1, 101, 99), cell(2, 300, 100, "non-ALL"), cell(3, 400, 400)]
    changed = Changed(np.zeros((600, 600, 3), np.uint8), np.array([[2.0, 0, 0], [0, 2.0, 0]]))
    survival = compare_cells(before, after, changed)
    assert survival == Survival(cells=3, lost=1, new=1, relabelled=1, negated=1, all_cells=2)
    unsure = [dataclasses.replace(one, label="indeterminate") for one in after]
    assert compare_cells(before, unsure, changed).negated == 0, "a person looks at what is indeterminate"


def test_what_is_covered_does_not_count_as_lost() -> None:
    specimen = np.ones((100, 300), np.uint8)
    specimen[:, :100] = 0
    changed = Changed(np.zeros((100, 300, 3), np.uint8), np.eye(2, 3), specimen)
    survival = compare_cells([cell(1, 50, 50), cell(2, 200, 50)], [cell(1, 200, 50)], changed)
    assert (survival.cells, survival.lost, survival.new) == (1, 0, 0)


@pytest.mark.parametrize(
    ("mild", "relabelled", "said", "goal"),
    [(True, 1, False, "met"), (True, 2, True, "missed"), (False, 2, True, "said"), (False, 2, False, "missed")],
)
def test_one_label_in_thirty_may_change_and_beyond_what_is_mild_it_is_enough_to_say_so(
    mild: bool, relabelled: int, said: bool, goal: str
) -> None:
    change = Change("light", "x 2", mild, lambda pixels: Changed(pixels, np.eye(2, 3)))
    survivals = (Survival(30, 1, 0, relabelled, 0, 7), Survival(9, 9, 9, 9, 9, 9))
    outcome = ChangeOutcome(change, survivals, ("patients", "healthy"), {}, (said, False))
    assert patient_row(outcome) == ("light, x 2", "30", "1 / 0", str(relabelled), "7", goal)


@pytest.mark.data
def test_no_change_is_quietly_negative_on_real_fields(data_root: Path) -> None:
    """A small part of `edge-all evaluate robustness`: one crowded field of a patient and one of a healthy person."""
    fields = [field for field in reference_fields(data_root) if field.path.name in {"Im009_1.jpg", "Im065_0.jpg"}]
    wanted = {"brightness x 0.5", "gamma 1.4", "info bar black", "margin white", "round field black around"}
    wanted |= {"frame grey", "pen blue", "JPEG quality 10"}
    chosen = [change for change in CHANGES if names(change) in wanted]
    before, outcomes = measure_robustness(fields, Screener(), chosen)
    assert len(outcomes) == 8
    for outcome in outcomes:
        cells = sum(one.cells for one in outcome.survivals)
        unfit = all(outcome.said)
        assert unfit or sum(one.lost + one.new for one in outcome.survivals) <= max(2, cells // 10), names(
            outcome.change
        )
        if outcome.change.kind in {"frame", "pen"}:
            assert unfit
            assert sum(one.lost for one in outcome.survivals) == 0, names(outcome.change)
    assert len(row_of(before)) == len(HEADINGS)
    assert markdown_table([before, *outcomes]).count("\n") == 11
    assert markdown_table([before], PATIENT_HEADINGS, patient_row).splitlines()[-1].startswith("| as it is | ")
