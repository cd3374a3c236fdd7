"""The leak report finds shared groups, shared blocks and copies, and nothing else."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_all.errors import UsageError
from edge_all.results import Cell
from edge_all_export.datasets.samples import Sample
from edge_all_export.splitting.leaks import find_leaks, join_copies, near_duplicates
from edge_all_export.splitting.splits import Split, assign_folds, fold_splits, require_both_classes

CELL = Cell(1, (0, 0, 40, 40), (20.0, 20.0), 1600, (0, 0, 40, 40), (20.0, 20.0), 1600, "candidate", contour=())


def sample(number: int, *, group: str, block: str, label: int = 0, source: str = "set") -> Sample:
    return Sample(f"{source}/{number}", source, group, block, 1 if label else 0, Path(f"{number}.png"), CELL, "cell")


def pictures(count: int, seed: int = 0) -> np.ndarray:
    """Smooth random pictures, as different from each other as cells are."""
    coarse = np.random.default_rng(seed).integers(0, 255, (count, 6, 6, 3), np.uint8)
    return np.stack([cv2.resize(picture, (64, 64), interpolation=cv2.INTER_CUBIC) for picture in coarse])


def test_clean_split_has_no_leaks() -> None:
    samples = [sample(i, group=f"g{i}", block=f"b{i}") for i in range(6)]
    report = find_leaks(samples, Split((0, 1, 2), (3, 4, 5)), pictures(6))
    assert not report.found
    assert report.summary() == "nothing is shared"


def test_shared_groups_and_blocks_are_named() -> None:
    samples = [sample(0, group="g0", block="b0"), sample(1, group="g0", block="b1"), sample(2, group="g2", block="b0")]
    report = find_leaks(samples, Split((0,), (1, 2)), pictures(3))
    assert report.groups == ("g0",)
    assert report.blocks == ("b0",)
    assert "g0" in report.summary()


@pytest.mark.parametrize("quality", [95, 40])
def test_a_copy_saved_again_is_found_across_the_split(quality: int) -> None:
    crops = pictures(5)
    _, code = cv2.imencode(".jpg", crops[1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    crops[4] = cv2.imdecode(code, cv2.IMREAD_COLOR)
    samples = [sample(i, group=f"g{i}", block=f"b{i}", label=int(i == 4)) for i in range(5)]
    report = find_leaks(samples, Split((3, 4), (0, 1, 2)), crops)
    assert report.duplicates == (("set/4", "set/1"),)
    assert report.contradictions == (("set/1", "set/4"),)
    assert report.to_json()["leaks"] is True


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("change", [(1.0, 0), (1.0, 14), (0.85, 0), (1.1, -10)])
def test_a_copy_turned_mirrored_or_brightened_is_found(turns: int, mirrored: bool, change: tuple[float, int]) -> None:
    crops = pictures(5)
    copy = np.rot90(crops[1][:, ::-1] if mirrored else crops[1], turns) * change[0] + change[1]
    _, code = cv2.imencode(".jpg", np.clip(copy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])
    crops[4] = cv2.imdecode(code, cv2.IMREAD_COLOR)
    samples = [sample(i, group=f"g{i}", block=f"b{i}") for i in range(5)]
    report = find_leaks(samples, Split((3, 4), (0, 1, 2)), crops)
    assert report.duplicates == (("set/4", "set/1"),)


def test_copies_on_one_side_are_no_leak() -> None:
    crops = pictures(4)
    crops[1] = crops[0]
    samples = [sample(i, group=f"g{i}", block=f"b{i}") for i in range(4)]
    assert not find_leaks(samples, Split((0, 1), (2, 3)), crops).found


@given(st.integers(0, 1000))
def test_different_pictures_are_not_copies(seed: int) -> None:
    assert near_duplicates(pictures(12, seed)) == []


def test_blocks_that_show_the_same_cell_become_one() -> None:
    crops = pictures(5)
    crops[3] = crops[1]
    crops[4] = crops[3]
    samples = [sample(i, group=f"g{i}", block=f"b{i}") for i in range(5)]
    assert [item.block for item in join_copies(samples, crops)] == ["b0", "b1", "b2", "b1", "b1"]


def test_folds_keep_blocks_whole_and_hold_every_sample_once() -> None:
    samples = [
        sample(i, group=f"g{i // 3}", block=f"b{i // 6}", label=(i // 6) % 2, source="ab"[i % 2]) for i in range(120)
    ]
    fold_of = assign_folds(samples, 5)
    for block in {item.block for item in samples}:
        assert len({int(fold) for item, fold in zip(samples, fold_of, strict=True) if item.block == block}) == 1
    splits = fold_splits(fold_of)
    assert sorted(index for split in splits for index in split.held_out) == list(range(120))
    for split in splits:
        assert not set(split.train) & set(split.held_out)
        assert {samples[index].label for index in split.held_out} == {0, 1}


def test_folds_do_not_depend_on_the_order_of_samples() -> None:
    samples = [sample(i, group=f"g{i}", block=f"b{i // 4}", label=(i // 4) % 2) for i in range(48)]
    order = np.random.default_rng(0).permutation(48)
    straight = assign_folds(samples, 4)
    shuffled = assign_folds([samples[i] for i in order], 4)
    assert (straight[order] == shuffled).all()


def test_all_groups_in_one_block_cannot_be_split() -> None:
    samples = [sample(i, group=f"g{i}", block="b0", label=i % 2) for i in range(10)]
    with pytest.raises(UsageError, match="cannot make 3 folds"):
        assign_folds(samples, 3)


def test_a_class_in_a_single_block_cannot_be_held_out() -> None:
    samples = [sample(i, group=f"g{i}", block=f"b{i // 5}", label=int(i < 5)) for i in range(20)]
    with pytest.raises(UsageError, match="no ALL cell"):
        assign_folds(samples, 2)


@pytest.mark.parametrize(("labels", "missing"), [((), "ALL and non-ALL"), ((0, 0), "no ALL"), ((1, 1), "no non-ALL")])
def test_one_class_only_is_refused(labels: tuple[int, ...], missing: str) -> None:
    samples = [sample(i, group=f"g{i}", block=f"b{i}", label=label) for i, label in enumerate(labels)]
    with pytest.raises(UsageError, match=missing):
        require_both_classes(samples)
