from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_all.errors import InputError, InputNotFoundError, UsageError
from edge_all_calibration.labelled_cells.cells import (
    LabelledCells,
    balanced_choice,
    load_cells,
    require_disjoint,
    without_copies,
)


def make(labels: list[bool], groups: list[str]) -> LabelledCells:
    crops = np.random.default_rng(len(labels)).integers(0, 256, (len(labels), 4, 4, 3), dtype=np.uint8)
    return LabelledCells(crops, np.array(labels, np.bool_), np.array(groups, np.str_), np.array(groups, np.str_))


def test_what_is_saved_is_what_is_read(tmp_path: Path, save_cells: Callable[..., None]) -> None:
    cells = make([True, False, True], ["a", "b", "b"])
    save_cells(tmp_path / "cells.npz", cells)
    again = load_cells(tmp_path / "cells.npz")
    for field in dataclasses.fields(cells):
        assert np.array_equal(getattr(again, field.name), getattr(cells, field.name))
    assert [file.name for file in tmp_path.iterdir()] == ["cells.npz"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"text"])
def test_what_is_no_cell_set_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "cells.npz"
    file.write_bytes(content)
    with pytest.raises(InputError):
        load_cells(file)


def test_a_damaged_or_incomplete_cell_set_is_refused(tmp_path: Path, save_cells: Callable[..., None]) -> None:
    file = tmp_path / "cells.npz"
    with pytest.raises(InputNotFoundError):
        load_cells(file)
    np.savez(file, crops=np.zeros((1, 4, 4, 3), np.uint8), labels=[1])
    with pytest.raises(InputError, match="groups"):
        load_cells(file)
    np.savez(file, crops=np.zeros((1, 4, 4, 3), np.uint8), labels=[2], groups=["a"], slides=["a"])
    with pytest.raises(InputError, match="0 and 1"):
        load_cells(file)
    save_cells(file, make([True, False], ["a", "b"]))
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(InputError):
        load_cells(file)


def test_a_pickle_in_a_cell_set_is_not_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "cells.npz", crops=np.array([object()], object), labels=[1], groups=["a"], slides=["a"])
    with pytest.raises(InputError, match="not a cell set"):
        load_cells(tmp_path / "cells.npz")


def test_crops_of_another_form_are_refused() -> None:
    with pytest.raises(InputError, match="uint8"):
        LabelledCells(np.zeros((1, 4, 5, 3), np.uint8), np.array([True]), np.array(["a"]), np.array(["a"]))


def test_parts_that_share_a_group_or_a_picture_are_refused(draw: Callable[..., LabelledCells]) -> None:
    first, second = draw(range(2)), draw(range(2, 4))
    require_disjoint({"training": first, "test": second})
    with pytest.raises(UsageError, match="group 01"):
        require_disjoint({"training": first, "test": draw(range(1, 3))})
    copied = dataclasses.replace(second, crops=np.concatenate([first.crops[:1], second.crops[1:]]))
    with pytest.raises(UsageError, match="1 picture"):
        require_disjoint({"training": first, "test": copied})
    assert len(without_copies(copied, first)) == len(copied) - 1


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from("abcd")), min_size=1, max_size=60),
    st.integers(min_value=1, max_value=70),
)
def test_a_choice_is_balanced_over_classes_and_groups(members: list[tuple[bool, str]], wanted: int) -> None:
    cells = make([label for label, _ in members], [group for _, group in members])
    chosen = balanced_choice(cells, wanted)
    assert len(chosen) == len(set(chosen.tolist())) == min(wanted, len(cells))
    taken = Counter(cells.labels[chosen].tolist())
    there = Counter(cells.labels.tolist())
    for label in (True, False):
        # A class falls behind the other only when it has no more cells.
        assert taken[label] == there[label] or taken[label] >= taken[not label] - 1
        per_group = Counter(cells.groups[chosen][cells.labels[chosen] == label].tolist())
        full = Counter(cells.groups[cells.labels == label].tolist())
        for group in full:
            assert per_group[group] == full[group] or per_group[group] >= max(per_group.values(), default=0) - 1
