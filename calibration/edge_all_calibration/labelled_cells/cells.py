"""Labelled cells, ready for the network, and the rule that no group of them plays two parts.

A cell set is what calibration and the gate work on: crops as `edge_all.preprocessing` cuts them, the truth, and the
*group* each cell belongs to: the smallest unit that may not be divided between training, calibration and test (a
patient; where that is not known, a block of neighbouring fields). Cells of one group look alike, so a group on both
sides of a split makes every figure too good.
"""

from __future__ import annotations

import dataclasses
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_all.errors import InputError, InputNotFoundError, UsageError

__all__ = [
    "LabelledCells",
    "balanced_choice",
    "load_cells",
    "require_both_classes",
    "require_disjoint",
    "without_copies",
]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCells:
    """Labelled cells.

    Attributes:
        crops: ``uint8 [n, size, size, 3]`` RGB, cut by `edge_all.preprocessing`.
        labels: ``bool [n]``, True is ALL.
        groups: ``str [n]``, the unit that may not be divided between training, calibration and test.
        slides: ``str [n]``, the slide, or where that is not known the field, that a verdict would be about.
        laboratories: ``str [n]``, where each cell was stained and photographed; empty where that is not known.
    """

    crops: NDArray[np.uint8]
    labels: NDArray[np.bool_]
    groups: NDArray[np.str_]
    slides: NDArray[np.str_]
    laboratories: NDArray[np.str_] = dataclasses.field(default_factory=lambda: np.zeros(0, np.str_))

    def __post_init__(self) -> None:
        shape = self.crops.shape
        if self.crops.dtype != np.uint8 or len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3:
            raise InputError(
                f"Crops must be uint8 [n, size, size, 3], not {self.crops.dtype} {list(shape)}.",
                "Cut them with edge_all.preprocessing.crop_cell.",
            )
        # None known, perhaps because other cells were put in the place of those that it was not known of.
        if not any(self.laboratories.tolist()):
            object.__setattr__(self, "laboratories", np.full(len(self.crops), "", np.str_))
        columns = (self.crops, self.labels, self.groups, self.slides, self.laboratories)
        lengths = {len(values) for values in columns}
        if len(lengths) != 1:
            raise InputError(
                f"Crops, labels, groups and slides differ in length ({sorted(lengths)}).", "Give one of each per cell."
            )

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def input_size(self) -> int:
        """Side of the crops in pixels."""
        return int(self.crops.shape[1])

    def subset(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> LabelledCells:
        """The cells that a mask or an index array names."""
        return LabelledCells(
            self.crops[chosen],
            self.labels[chosen],
            self.groups[chosen],
            self.slides[chosen],
            self.laboratories[chosen],
        )

    def counts(self) -> dict[str, int]:
        """Numbers for cards and reports: cells, of which ALL, groups and slides."""
        return {
            "cells": len(self),
            "ALL": int(self.labels.sum()),
            "non-ALL": int((~self.labels).sum()),
            "groups": len(set(self.groups.tolist())),
            "slides": len(set(self.slides.tolist())),
        }


def load_cells(file: Path) -> LabelledCells:
    """Read a cell set: an ``.npz`` with ``crops``, ``labels``, ``groups`` and ``slides`` as of `LabelledCells`.

    Raises:
        InputNotFoundError: no such file.
        InputError: the file is no cell set, or holds no cell.
    """
    if not file.is_file():
        raise InputNotFoundError(
            f"There are no cells at {file}.",
            "Give an npz with crops, labels, groups and slides.",
        )
    try:
        # Without pickle: a cell set from elsewhere must not run code. The stream is ours, because numpy leaves
        # its own open when the archive is damaged.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            labels = arrays["labels"]
            if labels.dtype != np.bool_ and not np.isin(labels, (0, 1)).all():
                raise InputError(f"Labels in {file} are not 0 and 1.", "1 is ALL, 0 is not.")
            cells = LabelledCells(
                arrays["crops"],
                labels.astype(np.bool_),
                arrays["groups"].astype(np.str_),
                arrays["slides"].astype(np.str_),
                # Sets of before 0.1.0 do not know them.
                arrays["laboratories"].astype(np.str_) if "laboratories" in arrays else np.zeros(0, np.str_),
            )
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{file} is not a cell set ({error}).", "It must be an npz with crops, labels, groups and slides."
        ) from error
    if len(cells) == 0:
        raise InputError(f"{file} holds no cell.", "Give a set with ALL and non-ALL cells.")
    return cells


def require_both_classes(cells: LabelledCells, purpose: str) -> None:
    """Refuse cells of one class only.

    Raises:
        UsageError: every cell is ALL, or none is.
    """
    blasts = int(cells.labels.sum())
    if blasts in (0, len(cells)):
        only = "ALL" if blasts else "non-ALL"
        raise UsageError(f"All {len(cells)} cells for {purpose} are {only}.", "Give cells of both classes.")


def require_disjoint(parts: dict[str, LabelledCells]) -> None:
    """Refuse parts that share a group, or the same picture under another name.

    Args:
        parts: cell sets by the part they play (``training``, ``calibration``, ``test``).

    Raises:
        UsageError: two parts overlap; the message names the groups.
    """
    names = list(parts)
    pictures = {name: {crop.tobytes() for crop in cells.crops} for name, cells in parts.items()}
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            shared = sorted(set(parts[first].groups.tolist()) & set(parts[second].groups.tolist()))
            if shared:
                shown = ", ".join(shared[:5]) + (", …" if len(shared) > 5 else "")
                raise UsageError(
                    f"The {first} and {second} cells share {len(shared)} group(s): {shown}.",
                    "Split by patient or by blocks of fields, so that no group is in both.",
                )
            copies = len(pictures[first] & pictures[second])
            if copies:
                raise UsageError(
                    f"{copies} picture(s) are among both the {first} and the {second} cells.",
                    "Remove the copies from one of them.",
                )


def without_copies(cells: LabelledCells, of: LabelledCells) -> LabelledCells:
    """The cells whose picture is not among others; public data sets hold some pictures twice under two names."""
    known = {crop.tobytes() for crop in of.crops}
    return cells.subset(np.array([crop.tobytes() not in known for crop in cells.crops], np.bool_))


def balanced_choice(cells: LabelledCells, wanted: int) -> NDArray[np.intp]:
    """Choose cells evenly over classes and, within each class, over groups.

    Quantisation ranges follow what they are shown; a set in which one stain or one class prevails would clip the
    others. The choice is deterministic: groups take turns, in the order of their names, until enough are chosen.

    Returns:
        Sorted indices of ``min(wanted, len(cells))`` cells.
    """
    queues = {label: _turns(np.flatnonzero(cells.labels == label), cells.groups) for label in (True, False)}
    chosen: list[int] = []
    while len(chosen) < min(wanted, len(cells)):
        for queue in queues.values():
            if queue and len(chosen) < wanted:
                chosen.append(queue.pop(0))
    return np.array(sorted(chosen), np.intp)


def _turns(indices: NDArray[np.intp], groups: NDArray[np.str_]) -> list[int]:
    """The indices in an order that takes one from each group in turn."""
    seen: Counter[str] = Counter()
    order: list[tuple[int, str, int]] = []
    for index in _spread(indices):
        group = str(groups[index])
        order.append((seen[group], group, int(index)))
        seen[group] += 1
    return [index for _, _, index in sorted(order)]


def _spread(indices: NDArray[np.intp]) -> Sequence[int]:
    """The indices shuffled in a fixed way: neighbours in a file are neighbours on the slide."""
    return [int(index) for index in np.random.default_rng(0).permutation(indices)]
