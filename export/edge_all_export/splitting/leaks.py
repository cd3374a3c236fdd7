"""Does anything of the held-out side stand on the training side?

Three ways in which it can: the same group (a field, a patient), the same block (neighbouring fields that may be one
patient), and copies of a picture under two names, also turned, mirrored or brightened: whoever augments before the
split trains on what is held out. Copies are looked for by a perceptual hash and confirmed by comparing the
pictures, since small round cells have much alike a hash.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.imaging.fingerprints import SAME, SIDE, fingerprint, least_distances, packed
from edge_all.results import RgbImage
from edge_all_export.datasets.samples import Sample
from edge_all_export.splitting.splits import Split

__all__ = ["Fingerprints", "LeakReport", "find_leaks", "fingerprints", "join_copies", "near_duplicates"]

PICTURE_DIFFERENCE = 6.0
"""Mean absolute difference in grey levels, at 32x32, under which two pictures are copies, the orientation and the
brightness being fitted first."""
BRIGHTNESS = (0.5, 2.0)
"""By how much a copy may be stretched to fit; beyond it, pictures of little content would fit anything."""

COMPARED_SIDE = 32


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprints:
    """What is left of pictures when only copies are to be told: 3 KB each.

    Attributes:
        hashes: ``bool [n, 16, 16]``, see `edge_all.imaging.fingerprints`.
        small: ``uint8 [n, 32, 32, 3]``, the pictures shrunk.
    """

    hashes: NDArray[np.bool_]
    small: RgbImage

    @staticmethod
    def together(parts: Sequence[Fingerprints]) -> Fingerprints:
        """Those of several parts, in their order.

        Args:
            parts: one or more.
        """
        return Fingerprints(
            np.concatenate([part.hashes for part in parts]), np.concatenate([part.small for part in parts])
        )


@dataclass(frozen=True, slots=True)
class LeakReport:
    """What the two sides of a split share.

    Attributes:
        groups: groups that stand on both sides.
        blocks: blocks that stand on both sides.
        duplicates: pairs of sample ids, trained and held out, that show the same picture.
        contradictions: pairs of sample ids, wherever they stand, that show the same picture under two labels.
    """

    groups: tuple[str, ...]
    blocks: tuple[str, ...]
    duplicates: tuple[tuple[str, str], ...]
    contradictions: tuple[tuple[str, str], ...]

    @property
    def found(self) -> bool:
        """Do the two sides share anything?"""
        return bool(self.groups or self.blocks or self.duplicates)

    def summary(self) -> str:
        """One sentence part, naming the first of each."""
        parts = [
            f"{len(shared)} {name} on both sides (for example {shared[0]})"
            for name, shared in (("groups", self.groups), ("blocks", self.blocks))
            if shared
        ]
        if self.duplicates:
            first, second = self.duplicates[0]
            parts.append(
                f"{len(self.duplicates)} copies of pictures on both sides, turned or brightened ones included "
                f"(for example {first} = {second})"
            )
        return ", ".join(parts) or "nothing is shared"

    def to_json(self) -> dict[str, Any]:
        """``leaks.json``."""
        return {
            "leaks": self.found,
            "groups_on_both_sides": list(self.groups),
            "blocks_on_both_sides": list(self.blocks),
            "copies_on_both_sides": [list(pair) for pair in self.duplicates],
            "copies_with_two_labels": [list(pair) for pair in self.contradictions],
        }


def find_leaks(samples: Sequence[Sample], split: Split, crops: RgbImage) -> LeakReport:
    """Compare the two sides of a split.

    Args:
        samples: all labelled cells.
        split: indices into them.
        crops: ``uint8 [samples, s, s, 3]`` in their order.
    """
    train = [samples[index] for index in split.train]
    held_out = [samples[index] for index in split.held_out]
    side = dict.fromkeys(split.train, 0) | dict.fromkeys(split.held_out, 1)
    across, contradictions = [], []
    for first, second in near_duplicates(crops):
        pair = (samples[first].id, samples[second].id)
        if samples[first].label != samples[second].label:
            contradictions.append(pair)
        if {side.get(first), side.get(second)} == {0, 1}:
            across.append(pair if side[first] == 0 else pair[::-1])
    return LeakReport(
        groups=tuple(sorted({sample.group for sample in train} & {sample.group for sample in held_out})),
        blocks=tuple(sorted({sample.block for sample in train} & {sample.block for sample in held_out})),
        duplicates=tuple(across),
        contradictions=tuple(contradictions),
    )


def join_copies(samples: Sequence[Sample], crops: RgbImage | Fingerprints) -> tuple[Sample, ...]:
    """Make one block of all blocks that show the same cell, so that a split by blocks cannot divide its copies.

    Needed in earnest: fields 9 to 11 and 20 to 21 of ALL-IDB1 overlap on the slide and show the same blasts.

    Args:
        samples: all labelled cells.
        crops: ``uint8 [samples, s, s, 3]`` in their order, or their fingerprints.

    Returns:
        The samples, with the joined blocks under the name of the first of them.
    """
    chief = {sample.block: sample.block for sample in samples}

    def find(block: str) -> str:
        while chief[block] != block:
            block = chief[block]
        return block

    for first, second in near_duplicates(crops):
        one, other = sorted((find(samples[first].block), find(samples[second].block)))
        chief[other] = one
    return tuple(dataclasses.replace(sample, block=find(sample.block)) for sample in samples)


def fingerprints(crops: RgbImage) -> Fingerprints:
    """What `near_duplicates` compares, for those who cannot hold all pictures at once.

    Args:
        crops: ``uint8 [n, s, s, 3]``.
    """
    small = np.empty((len(crops), COMPARED_SIDE, COMPARED_SIDE, 3), np.uint8)
    hashes = np.empty((len(crops), SIDE, SIDE), np.bool_)
    for index, crop in enumerate(crops):
        small[index] = cv2.resize(crop, (COMPARED_SIDE, COMPARED_SIDE), interpolation=cv2.INTER_AREA)
        hashes[index] = fingerprint(crop)
    return Fingerprints(hashes, small)


def near_duplicates(crops: RgbImage | Fingerprints) -> list[tuple[int, int]]:
    """Pairs of indices, the smaller first, whose pictures are copies of one another.

    Args:
        crops: ``uint8 [n, s, s, 3]``, or their fingerprints.
    """
    prints = crops if isinstance(crops, Fingerprints) else fingerprints(crops)
    known = np.array([packed(square) for square in prints.hashes], np.uint64).reshape(-1, 4)
    pairs: list[tuple[int, int]] = []
    for first, square in enumerate(prints.hashes):
        distances = least_distances(known[first + 1 :], square)
        pairs += [
            (first, int(second))
            for second in first + 1 + np.flatnonzero(distances <= SAME)
            if _difference(prints.small[first], prints.small[second]) < PICTURE_DIFFERENCE
        ]
    return pairs


def _difference(first: RgbImage, second: RgbImage) -> float:
    """Mean absolute difference in the orientation that fits best, the second brought to the brightness of the first."""
    one = first.astype(np.float64)
    sides = (second, second.transpose(1, 0, 2))
    return min(float(np.abs(one - _fitted(np.rot90(side, turns), one)).mean()) for side in sides for turns in range(4))


def _fitted(picture: NDArray[Any], to: NDArray[np.float64]) -> NDArray[np.float64]:
    """The picture, stretched and shifted to the contrast and brightness of another one."""
    levels = picture.astype(np.float64)
    gain = float(np.clip(to.std() / max(1e-6, levels.std()), *BRIGHTNESS))
    fitted: NDArray[np.float64] = (levels - levels.mean()) * gain + to.mean()
    return fitted
