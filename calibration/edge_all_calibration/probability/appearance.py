"""Fit what the cells of each known laboratory look like; see `edge_all.classification.appearance`.

Each laboratory has its own mean and covariance, because one that knows two cameras varies more than one that knows one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_all.classification.appearance import TRAITS, Appearance, traits_of
from edge_all.model.package import ModelPackage
from edge_all.results import RgbImage
from edge_all_calibration.labelled_cells.cells import LabelledCells

__all__ = [
    "FEWEST_CELLS",
    "describe_laboratories",
    "fit_appearance",
    "known_cells",
    "picture_digests",
    "save_appearance",
    "with_laboratory",
]

FEWEST_CELLS = 2 * TRAITS
"""Cells of a laboratory below which it is passed over: they do not tell how much it varies."""
POOLED = 0.05
"""Least weight of the covariance that all laboratories have in common."""
QUANTILE = 0.99
"""Of cells of the laboratory that took no part in describing it."""
CAP = 0.65
"""A laboratory's limit is at most so many medians of all limits, or a small and varied one would take in the world.
How many strangers are recognised with it, and how often known laboratories are wronged, is printed by
`edge-all evaluate strangers` and stands in docs/ml-engineer.md. With 0.5 (and the slide's limit at 0.67) 0.68 of
ALL-IDB's fields and 0.61 of Taleqani's groups were recognised; 0.65 and a slide's limit of 0.5 give that as well (0.73
and 0.67), without calling more single cells unknown: 4 % of ALL-IDB's cells at home with 0.5, 3 % with 0.65.
"""
CELL_MARGIN = 1.5
"""Times these: so far may one cell go, while a slide is unknown where its median cell passes half of that
(`edge_all.slides.verdict.SLIDE_LIMIT`). Of 53 blasts of ALL-IDB1 fields that took no part, in blocks of their own, 11 %
lie beyond a limit without the margin, 3.8 % with 1.25, 1.9 % with 1.5, none with 2; of a stranger's cells (Taleqani)
0.97, 0.92, 0.85, 0.73."""
FOLDS = 5


def fit_appearance(cells: LabelledCells) -> Appearance | None:
    """Describe the laboratories of labelled cells.

    Args:
        cells: of the laboratories that the network knows; groups are kept together when the limits are found.

    Returns:
        None where no laboratory is named that has `FEWEST_CELLS`.
    """
    return describe_laboratories(traits_of(cells.crops), cells.laboratories, cells.groups)


def describe_laboratories(
    traits: NDArray[np.float64], laboratories: NDArray[np.str_], groups: NDArray[np.str_]
) -> Appearance | None:
    """`fit_appearance` for cells whose traits are known already.

    Args:
        traits: ``float64 [n, TRAITS]``, see `edge_all.classification.appearance.traits_of`.
        laboratories: of each cell.
        groups: of each cell.
    """
    names, counts = np.unique(laboratories, return_counts=True)
    known = [str(name) for name, count in zip(names, counts, strict=True) if name and count >= FEWEST_CELLS]
    if not known:
        return None
    members = {name: laboratories == name for name in known}
    means, precisions = _described({name: traits[chosen] for name, chosen in members.items()})
    limits = np.array([_own_limit(name, members, traits, groups) for name in known])
    return Appearance(tuple(known), means, precisions, CELL_MARGIN * np.minimum(limits, CAP * np.median(limits)))


def with_laboratory(appearance: Appearance | None, name: str, traits: NDArray[np.float64]) -> Appearance:
    """The appearance with one laboratory more, of which few cells are known.

    Args:
        appearance: of the others; None where there are none.
        name: of the new one; takes the place of one of this name.
        traits: ``float64 [n, TRAITS]`` of its cells, n > 1.
    """
    if appearance is None:
        return Appearance((name,), *_described({name: traits}), np.array([CELL_MARGIN * _chi_squared_limit()]))
    kept = [index for index, known in enumerate(appearance.laboratories) if known != name]
    pooled = np.mean([np.linalg.inv(precision) for precision in appearance.precisions], axis=0)
    precision = np.linalg.inv(_blended(traits, pooled))
    return Appearance(
        (*(appearance.laboratories[index] for index in kept), name),
        np.concatenate([appearance.means[kept], traits.mean(axis=0)[None]]),
        np.concatenate([appearance.precisions[kept], precision[None]]),
        np.append(appearance.limits[kept], np.median(appearance.limits)),
    )


def picture_digests(crops: RgbImage) -> NDArray[np.uint64]:
    """What tells crops apart, ``uint64 [n]``: the first bytes of their SHA-256, which show nothing of them."""
    return np.array(
        [int.from_bytes(hashlib.sha256(crop.tobytes()).digest()[:8], "little") for crop in crops], np.uint64
    )


def known_cells(package: ModelPackage) -> NDArray[np.uint64] | None:
    """`picture_digests` of the cells that a package was trained on or adapted to; None where it does not say."""
    file = package.appearance_file
    if file is None:
        return None
    with np.load(file, allow_pickle=False) as arrays:
        return np.asarray(arrays["known"], np.uint64) if "known" in arrays else None


def save_appearance(file: Path, appearance: Appearance, known: NDArray[np.uint64] | None, crops: RgbImage) -> None:
    """Write the package's npz.

    Args:
        file: to write.
        appearance: of the laboratories.
        known: of cells that are known already, see `known_cells`; None where that is not known, and then it stays so.
        crops: cells that are known from now on.
    """
    arrays = {
        "laboratories": np.array(appearance.laboratories, np.str_),
        "means": appearance.means,
        "precisions": appearance.precisions,
        "limits": appearance.limits,
    }
    if known is not None:
        arrays["known"] = np.unique(np.concatenate([known, picture_digests(crops)]))
    with file.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def _described(traits: Mapping[str, NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and precision of each laboratory."""
    pooled = np.mean([np.cov(values.T) for values in traits.values()], axis=0)
    means = np.stack([values.mean(axis=0) for values in traits.values()])
    return means, np.stack([np.linalg.inv(_blended(values, pooled)) for values in traits.values()])


def _blended(traits: NDArray[np.float64], pooled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance of a laboratory, drawn to that of all the more the fewer its cells are."""
    weight = min(1.0, max(POOLED, TRAITS / len(traits)))
    blended = (1 - weight) * np.cov(traits.T) + weight * pooled
    # A trait that never varies, as in rendered images, must not make it singular.
    return np.asarray(blended + (1e-6 * np.trace(blended) / TRAITS + 1e-9) * np.eye(TRAITS), np.float64)


def _own_limit(
    name: str, members: Mapping[str, NDArray[np.bool_]], traits: NDArray[np.float64], groups: NDArray[np.str_]
) -> float:
    """The squared distance that all but one in a hundred unseen cells of a laboratory keep."""
    own = np.flatnonzero(members[name])
    _, number = np.unique(groups[own], return_inverse=True)
    # Groups are shuffled in a fixed way, because neighbours in a file are neighbours on the slide.
    folds = np.random.default_rng(0).permutation(int(number.max()) + 1)[number] % FOLDS
    found = []
    for fold in range(FOLDS):
        rest, out = own[folds != fold], own[folds == fold]
        if len(rest) > 1 and len(out):
            others = {other: traits[chosen] for other, chosen in members.items() if other != name}
            means, precisions = _described({name: traits[rest], **others})
            centred = traits[out] - means[0]
            found.append(np.einsum("ni,ij,nj->n", centred, precisions[0], centred))
    return float(np.quantile(np.concatenate(found), QUANTILE)) if found else _chi_squared_limit()


def _chi_squared_limit() -> float:
    """The limit that cells of normal distribution would keep (Wilson and Hilferty, PNAS 17, 1931)."""
    return float(TRAITS * (1 - 2 / (9 * TRAITS) + 2.326 * np.sqrt(2 / (9 * TRAITS))) ** 3)
