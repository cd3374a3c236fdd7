"""Augmentation: reproducible, within range, centred, and off where it is switched off."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_all.segmentation.colour_clustering import GROUND_LEVEL
from edge_all_export.crops.augmentation import MARGIN, AugmentationConfig, augment, colour_statistics
from edge_all_export.training.configuration import TrainingConfig

SIZE = 40
OFF = AugmentationConfig(
    scale=0,
    shift=0,
    intensity=0,
    stain=0,
    stain_shift=0,
    illumination=0,
    borrow_colour=0,
    grey=0,
    blur=0,
    jpeg=0,
    noise=0,
    cut_out=0,
)


@pytest.fixture
def cell() -> np.ndarray:
    side = round(SIZE * MARGIN)
    crop = np.full((side, side, 3), (225, 215, 220), np.uint8)
    return cv2.circle(crop, (side // 2, side // 2), 14, (90, 40, 130), -1).astype(np.uint8)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_every_variation_has_the_networks_size_and_keeps_the_cell_in_the_middle(seed: int) -> None:
    side = round(SIZE * MARGIN)
    crop = np.full((side, side, 3), (225, 215, 220), np.uint8)
    cv2.circle(crop, (side // 2, side // 2), 8, (90, 40, 130), -1)
    varied = augment(crop, SIZE, AugmentationConfig(), np.random.default_rng(seed), colour_statistics(crop[None]))
    assert varied.shape == (SIZE, SIZE, 3)
    assert varied.dtype == np.uint8
    middle = varied[SIZE // 2 - 3 : SIZE // 2 + 3, SIZE // 2 - 3 : SIZE // 2 + 3]
    assert middle.mean() < varied[:3, :3].mean()


def test_the_same_state_of_chance_gives_the_same_picture(cell: np.ndarray) -> None:
    first, second, other = (
        augment(cell, SIZE, AugmentationConfig(), np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert (first == second).all()
    assert (first != other).any()


def test_switched_off_it_only_turns(cell: np.ndarray) -> None:
    varied = augment(cell, SIZE, OFF, np.random.default_rng(1))
    assert np.abs(varied[SIZE // 2, SIZE // 2].astype(int) - (90, 40, 130)).max() <= 2
    assert np.abs(varied[0, 0].astype(int) - (225, 215, 220)).max() <= 2


def test_turning_brings_in_true_surroundings() -> None:
    side = round(SIZE * MARGIN)
    crop = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)
    for seed in range(20):
        varied = augment(crop, SIZE, OFF, np.random.default_rng(seed))
        # A repeated border shows as rows or columns that are all alike.
        assert (np.diff(varied.astype(int), axis=0) != 0).any(axis=(1, 2)).all()


def test_borrowed_colours_come_near_the_other_picture(cell: np.ndarray) -> None:
    yellow = np.full_like(cell, (240, 220, 90))
    yellow[10:50, 10:50] = (120, 30, 60)
    config = AugmentationConfig(**dict.fromkeys(OFF.__dataclass_fields__, 0) | {"borrow_colour": 1})
    colours = colour_statistics(yellow[None])
    varied = [augment(cell, SIZE, config, np.random.default_rng(seed), colours) for seed in range(10)]
    blue = np.mean([picture[:3, :3, 2].mean() for picture in varied])
    assert blue < 190


def test_colour_statistics_are_means_of_optical_density() -> None:
    flat = np.full((1, 8, 8, 3), 127, np.uint8)
    assert colour_statistics(flat)[0, 0] == pytest.approx([np.log(2)] * 3, abs=1e-6)
    assert colour_statistics(flat)[0, 1] == pytest.approx([0, 0, 0], abs=1e-6)


def test_a_cell_that_is_cut_out_keeps_its_middle_and_loses_its_neighbours(cell: np.ndarray) -> None:
    cell[:] = (225, 215, 220)
    cv2.circle(cell, (len(cell) // 2, len(cell) // 2), 7, (90, 40, 130), -1)
    cell[:12] = (230, 60, 60)  # a red cell beside it
    cut = augment(cell, SIZE, dataclasses.replace(OFF, cut_out=1.0), np.random.default_rng(3))
    whole = augment(cell, SIZE, OFF, np.random.default_rng(3))
    middle = slice(SIZE // 2 - 4, SIZE // 2 + 4)
    assert np.array_equal(cut[middle, middle], whole[middle, middle])
    border = np.concatenate([cut[0], cut[-1], cut[:, 0], cut[:, -1]])
    assert len(np.unique(border, axis=0)) == 1
    assert border[0].min() > 200, "glass, not the red cell's colour"


def on_white(cell: np.ndarray) -> np.ndarray:
    crop = cell.copy()
    crop[(cell == (225, 215, 220)).all(axis=2)] = GROUND_LEVEL
    return crop


def test_a_deeper_stain_leaves_the_white_point_alone(cell: np.ndarray) -> None:
    config = dataclasses.replace(OFF, intensity=0.8)
    middles = []
    for seed in range(12):
        varied = augment(on_white(cell), SIZE, config, np.random.default_rng(seed), None, "glass")
        assert np.abs(varied[0].astype(int) - GROUND_LEVEL).max() <= 1
        middles.append(int(varied[SIZE // 2, SIZE // 2, 1]))
    assert min(middles) < 25  # 40 as it is
    assert max(middles) > 60


def test_what_is_cut_out_of_a_crop_on_white_lies_on_white(cell: np.ndarray) -> None:
    pale = cv2.circle(on_white(cell), (30, 30), 9, (205, 190, 225), 4).astype(np.uint8)
    varied = augment(pale, SIZE, dataclasses.replace(OFF, cut_out=1), np.random.default_rng(0), None, "glass")
    assert (varied[0] == GROUND_LEVEL).all()
    assert varied[SIZE // 2, SIZE // 2, 1] < 120


def test_a_run_from_before_there_was_a_white_point_is_read_as_it_was() -> None:
    record = TrainingConfig().to_json()
    del record["white_point"], record["orientation"], record["augmentation"]["intensity"]
    config = TrainingConfig.from_json(record)
    assert (config.white_point, config.orientation, config.augmentation.intensity) == ("camera", "field", 0.0)
    assert config.spec.to_json()["version"] == 1
