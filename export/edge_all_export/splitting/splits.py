"""Which samples train and which are held out: whole blocks only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_all.errors import UsageError
from edge_all_export.datasets.samples import Sample

__all__ = ["Split", "assign_folds", "fold_splits", "require_both_classes"]


_Strata = Counter[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Split:
    """One division of a list of samples.

    Attributes:
        train: indices of the samples trained on.
        held_out: indices of the samples kept apart.
    """

    train: tuple[int, ...]
    held_out: tuple[int, ...]


def assign_folds(samples: Sequence[Sample], folds: int) -> NDArray[np.int64]:
    """Deal whole blocks to folds so that each fold gets its share of every source and class.

    The largest block goes first, each to the fold that lacks its samples most; the outcome depends on nothing but the
    samples.

    Returns:
        ``int64 [samples]``: the fold of each sample, from 0.

    Raises:
        UsageError: there are fewer blocks than folds, or a class does not reach every fold's training side.
    """
    blocks: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        blocks.setdefault(sample.block, []).append(index)
    if folds < 2 or len(blocks) < folds:
        raise UsageError(
            f"{len(blocks)} blocks of samples cannot make {folds} folds.",
            "Use at least 2 folds, and no more than there are blocks (runs of fields, subjects or folders).",
        )
    strata: list[tuple[str, int]] = [(sample.source, sample.label) for sample in samples]
    total: _Strata = Counter(strata)
    held: list[_Strata] = [Counter() for _ in range(folds)]
    fold_of = np.zeros(len(samples), np.int64)
    for _, members in sorted(blocks.items(), key=lambda item: (-len(item[1]), item[0])):
        content: _Strata = Counter(strata[index] for index in members)
        chosen = min(
            range(folds), key=[(*_crowding(fold, content, total), at) for at, fold in enumerate(held)].__getitem__
        )
        held[chosen] += content
        fold_of[members] = chosen
    for fold in range(folds):
        require_both_classes([sample for sample, of in zip(samples, fold_of, strict=True) if of != fold])
    return fold_of


def _crowding(fold: _Strata, content: _Strata, total: _Strata) -> tuple[float, int]:
    """How full a fold already is of what a block holds; then how full it is."""
    filled = sum((fold[key] / total[key]) * (count / total[key]) for key, count in content.items())
    return filled, sum(fold.values())


def fold_splits(fold_of: NDArray[np.int64]) -> list[Split]:
    """The split that holds out each fold in turn."""
    return [
        Split(tuple(np.flatnonzero(fold_of != fold).tolist()), tuple(np.flatnonzero(fold_of == fold).tolist()))
        for fold in range(int(fold_of.max()) + 1)
    ]


def require_both_classes(samples: Sequence[Sample]) -> None:
    """Check that there is something to tell apart.

    Raises:
        UsageError: no samples, or one class only.
    """
    present = {sample.label for sample in samples}
    if present != {0, 1}:
        missing = " and ".join(name for label, name in ((1, "ALL"), (0, "non-ALL")) if label not in present)
        raise UsageError(
            f"The training side has no {missing} cell ({len(samples)} cells in all).",
            "Training needs both classes; check the folders' names, the labels and the split.",
        )
