"""Clumps are composed with exact truth, and a network learns from them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_all_export.evaluation.instances import agreement_of
from edge_all_export.outlines import composing
from edge_all_export.outlines.clumps import CLUMP_PATCH, clump_fields
from edge_all_export.outlines.composing import Composer, Layer, lay, with_eosin
from edge_all_export.outlines.known_cells import PATCH, KnownCell, KnownCells


def cell(radius: int, colour: tuple[int, int, int], nucleus: int = 0, side: int = PATCH, name: str = "a") -> KnownCell:
    picture = np.full((side, side, 3), 235, np.uint8)
    masks = [np.zeros((side, side), np.uint8) for _ in range(2)]
    for mask, size in zip(masks, (radius, nucleus), strict=True):
        if size:
            cv2.circle(mask, (side // 2, side // 2), size, 1, -1)
    picture[masks[0] > 0] = colour
    picture[masks[1] > 0] = (90, 40, 140)
    return KnownCell("laboratory", name, picture, masks[0], masks[1])


def known(side: int = PATCH) -> KnownCells:
    names = [f"image {number}" for number in range(12)]
    scale = 1 if side == PATCH else 5 / 3
    white = tuple(cell(round(20 * scale), (170, 160, 220), round(14 * scale), side, name) for name in names)
    red = tuple(cell(round(12 * scale), (210, 150, 160), 0, side, name) for name in names)
    return KnownCells(white, red)


def scene_of(one: KnownCell) -> Layer:
    return Layer(one.picture.copy(), one.cell.copy(), one.nucleus.copy())


def test_a_cell_laid_over_another_hides_it_and_one_laid_under_it_does_not() -> None:
    below, above = cell(30, (170, 160, 220), 20), cell(30, (210, 150, 160))
    over = scene_of(below)
    lay(over, above, (30, 0), 2, under=False, transparent=False)
    assert over.owner[PATCH // 2, PATCH // 2 + 20] == 2
    assert over.nuclei[PATCH // 2, PATCH // 2 + 10] == 0
    under = scene_of(below)
    lay(under, above, (30, 0), 2, under=True, transparent=False)
    assert under.owner[PATCH // 2, PATCH // 2 + 20] == 1
    assert under.owner[PATCH // 2, PATCH // 2 + 50] == 2
    assert (under.picture[PATCH // 2, PATCH // 2 + 10] == below.picture[PATCH // 2, PATCH // 2 + 10]).all()


def test_windows_hold_the_cell_that_is_meant_and_are_the_same_for_the_same_chance() -> None:
    composer = Composer(known())
    for number in range(20):
        window, truth = composer.window(np.random.default_rng(number))
        again, _ = composer.window(np.random.default_rng(number))
        assert (window == again).all()
        assert window.dtype == np.uint8
        assert truth[32, 32] == 1
        # A cell of 20 pixels, shown two thirds as large and up to two fifths larger or smaller, not all of it seen.
        assert 0.25 * np.pi * (20 * 2 / 3 * 0.7) ** 2 < truth.sum() < np.pi * (20 * 2 / 3 * 1.45) ** 2


def test_beyond_the_border_of_a_picture_a_window_shows_glass_and_no_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composing, "CUT_BY_BORDER", 1.0)
    beyond = np.zeros((64, 64), np.bool_)
    beyond[:, 40:] = True
    monkeypatch.setattr(composing, "beyond_border", lambda _: beyond)
    window, truth = Composer(known()).window(np.random.default_rng(0))
    assert (window[:, 40:, :3] == 235).all()
    assert not truth[:, 40:].any()
    assert truth[32, 39] == 1


@pytest.mark.parametrize("chance", range(8))
def test_a_border_never_cuts_the_middle_of_a_window_off(chance: int) -> None:
    beyond = composing.beyond_border(np.random.default_rng(chance))
    assert beyond.any()
    assert not beyond[31:34, 31:34].any()


def test_cytoplasm_with_the_stain_of_red_cells_leaves_the_nucleus_and_the_surroundings_alone() -> None:
    white, red = cell(30, (170, 160, 220), 15), cell(12, (215, 150, 160))
    changed = with_eosin(white, red, np.random.default_rng(3))
    cytoplasm = (white.cell > 0) & (white.nucleus == 0)

    def distance(one: KnownCell) -> float:
        return float(np.abs(one.picture[cytoplasm].mean(axis=0) - (215, 150, 160)).max())

    assert distance(changed) < 0.8 * distance(white)
    far = cv2.dilate(cytoplasm.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert np.abs(changed.picture[far].astype(int) - white.picture[far]).max() <= 1


def test_fields_of_clumps_number_what_is_seen_of_each_white_cell() -> None:
    (field,) = clump_fields(known(CLUMP_PATCH), 1)
    numbers = np.unique(field.labels)
    assert len(numbers) > 8
    # White cells are blue rather than red, whatever was laid over them.
    for number in numbers[1:]:
        red, _, blue = field.pixels[field.labels == number].mean(axis=0)
        assert blue > red
    assert (field.pixels == next(clump_fields(known(CLUMP_PATCH), 1)).pixels).all()


def labels(*squares: tuple[int, int]) -> NDArray[np.uint16]:
    picture = np.zeros((10, 40), np.uint16)
    for number, (left, right) in enumerate(squares, start=1):
        picture[:, left:right] = number
    return picture


def test_agreement_is_whole_where_all_cells_are_found() -> None:
    truth = labels((0, 10), (10, 20))
    same = agreement_of(truth, truth)
    assert (same.true, same.found, same.matched, same.overlap) == (2, 2, 2, 2.0)
    assert same.common == same.united == 200


def test_two_cells_found_as_one_match_none_and_count_double_in_the_union() -> None:
    merged = agreement_of(labels((0, 10), (10, 20)), labels((0, 20)))
    assert (merged.true, merged.found, merged.matched) == (2, 1, 0)
    assert (merged.common, merged.united) == (200, 400)


def test_what_is_found_and_is_nothing_adds_to_the_union_and_so_does_what_is_missed() -> None:
    one = agreement_of(labels((0, 10), (20, 30)), labels((0, 10), (33, 40)))
    assert (one.matched, one.common, one.united) == (1, 100, 100 + 100 + 70)
    assert agreement_of(labels((0, 10)), labels()).united == 100


@pytest.mark.training
@pytest.mark.filterwarnings("ignore")
def test_a_network_is_trained_resumed_and_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_all.errors import OutputError, UsageError
    from edge_all.segmentation.outline_network import open_outlines
    from edge_all_export.outlines import outline_training
    from edge_all_export.outlines.outline_training import OutlineRecipe, train_outlines

    monkeypatch.setattr(outline_training, "read_known_cells", lambda _: known())
    monkeypatch.setattr(outline_training, "JUDGED_WINDOWS", 32)
    recipe = OutlineRecipe(epochs=2, windows=512)
    seen = []
    train_outlines(tmp_path, tmp_path / "run", recipe, report=seen.append)
    assert [one.epoch for one in seen] == [1, 2]
    assert seen[1].loss < seen[0].loss
    network = open_outlines(tmp_path / "run")
    windows = np.stack([Composer(known()).window(np.random.default_rng(number))[0] for number in range(11)])
    together, alone = network(windows), network(windows[3:4])
    assert together.shape == (11, 64, 64)
    assert (together[3] == alone[0]).all()
    with pytest.raises(OutputError, match="already holds"):
        train_outlines(tmp_path, tmp_path / "run", recipe)
    with pytest.raises(UsageError, match="another recipe"):
        train_outlines(tmp_path, tmp_path / "run", OutlineRecipe(epochs=3, windows=512), resume=True)
    # Gone on with, a finished run has nothing left to train.
    seen.clear()
    train_outlines(tmp_path, tmp_path / "run", recipe, resume=True, report=seen.append)
    assert seen == []


@pytest.mark.training
@pytest.mark.filterwarnings("ignore")
def test_a_laboratory_that_there_is_not_is_refused() -> None:
    from edge_all.errors import UsageError
    from edge_all_export.outlines.outline_training import OutlineRecipe

    with pytest.raises(UsageError, match="Vienna"):
        OutlineRecipe(left_out="Vienna")
