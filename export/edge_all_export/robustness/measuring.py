"""How many cells, labels and verdicts survive each change of a set of real fields."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_all.api.screener import Screener
from edge_all.errors import InputNotFoundError
from edge_all.imaging import read_image
from edge_all.results import Cell, FieldResult, RgbImage, Verdict
from edge_all_export.robustness.changes import Change, Changed, FloatMatrix

__all__ = ["ChangeOutcome", "ReferenceField", "Survival", "compare_cells", "measure_robustness", "reference_fields"]

SAME_PLACE = 0.5
"""Two nuclei are the same cell where their middles lie nearer than this many radii of the larger one."""
WHOLLY_SHOWN = 0.995
"""Share of a cell's box that has to show specimen after a change for the cell to count."""


@dataclass(frozen=True, slots=True)
class Survival:
    """What became of the cells of one field.

    Attributes:
        cells: that were there before, and that the change leaves wholly in view.
        lost, new: of these, that are gone; and that are there now and were not.
        relabelled: that are there before and after, with another label.
        negated: of these, called ALL before and non-ALL now: quietly negative.
        all_cells: called ALL afterwards, wherever they are.
    """

    cells: int
    lost: int
    new: int
    relabelled: int
    negated: int
    all_cells: int


@dataclass(frozen=True, slots=True)
class ChangeOutcome:
    """One row of the table.

    Attributes:
        change: which.
        survivals: of each field, in order.
        slides: that each field belongs to.
        verdicts: of each slide, by its name.
        said: for each field, whether it is now unusable or bears a warning that it did not bear before.
    """

    change: Change
    survivals: tuple[Survival, ...]
    slides: tuple[str, ...]
    verdicts: dict[str, Verdict]
    said: tuple[bool, ...]

    def to_json(self) -> dict[str, Any]:
        """The row as JSON-ready values."""
        return {
            "kind": self.change.kind,
            "change": self.change.name,
            "fields": [asdict(one) for one in self.survivals],
            "slides": list(self.slides),
            "verdicts": dict(self.verdicts),
            "said": list(self.said),
        }


@dataclass(frozen=True, slots=True)
class ReferenceField:
    """One of the fields that are changed.

    Attributes:
        path: where it is.
        slide: ``patients`` or ``healthy``.
    """

    path: Path
    slide: str


FIELDS = (
    ("patients", "allidb1/fields/*_1.jpg", 6),
    ("healthy", "allidb1/fields/*_0.jpg", 2),
    ("healthy", "bccd/images/*.jpg", 2),
    ("healthy", "raabin/images/*.jpg", 2),
)
"""Slide, where its fields lie, and how many of these, spread evenly over every second one."""


def reference_fields(data_root: Path, *, parity: int = 1) -> list[ReferenceField]:
    """Twelve fields of three laboratories.

    Args:
        data_root: folder of the reference sets.
        parity: 1 for fields that took no part in choosing constants, 0 for those that did.

    Raises:
        InputNotFoundError: a set is missing.
    """
    chosen: list[ReferenceField] = []
    for slide, pattern, count in FIELDS:
        paths = sorted(data_root.glob(pattern))
        numbers = (int(digits.group()) if (digits := re.search(r"[0-9]{2,}", path.name)) else 0 for path in paths)
        order = range(len(paths)) if "raabin" in pattern else numbers
        every_second = [path for path, number in zip(paths, order, strict=True) if number % 2 == parity]
        if len(every_second) < count:
            raise InputNotFoundError(
                f"{data_root} holds too few of {pattern}.", "Point --data at the folder above the reference sets."
            )
        step = len(every_second) / count
        chosen += [ReferenceField(every_second[int((number + 0.5) * step)], slide) for number in range(count)]
    return chosen


def measure_robustness(
    fields: Sequence[ReferenceField],
    screener: Screener,
    changes: Sequence[Change],
    progress: Callable[[int], None] = lambda _done: None,
) -> tuple[ChangeOutcome, list[ChangeOutcome]]:
    """Change every field in every way, and judge it again.

    Args:
        fields: the fields.
        screener: judges them.
        changes: in the order of the table.
        progress: told how many fields have been judged.

    Returns:
        The fields as they are, and each change.

    Raises:
        ImageError: a field cannot be read.
    """
    before: list[FieldResult] = []
    after: list[list[tuple[FieldResult, Survival]]] = [[] for _ in changes]
    for number, field in enumerate(fields):
        pixels = read_image(field.path)
        original = judged(screener, pixels, field.slide)
        before.append(original)
        for row, change in enumerate(changes):
            changed = change.apply(pixels)
            result = judged(screener, changed.pixels, field.slide)
            after[row].append((result, compare_cells(original.candidates, result.candidates, changed)))
            progress(number * len(changes) + row + 1)
    unchanged = Change("as it is", "", True, lambda pixels: Changed(pixels, np.eye(2, 3)))
    same = [Survival(len(field.candidates), 0, 0, 0, 0, called_all(field.candidates)) for field in before]
    outcomes = [
        outcome_of(change, before, [field for field, _ in row], [survival for _, survival in row], screener)
        for change, row in zip(changes, after, strict=True)
    ]
    return outcome_of(unchanged, before, before, same, screener), outcomes


def judged(screener: Screener, pixels: RgbImage, slide: str) -> FieldResult:
    """What was found in a field, without its pixels: hundreds are kept."""
    return FieldResult.from_json(screener.screen(pixels, slide=slide).to_json())


def outcome_of(
    change: Change,
    before: Sequence[FieldResult],
    after: Sequence[FieldResult],
    survivals: Sequence[Survival],
    screener: Screener,
) -> ChangeOutcome:
    """The row of one change."""
    slides = {field.slide: [other for other in after if other.slide == field.slide] for field in before}
    return ChangeOutcome(
        change,
        tuple(survivals),
        tuple(field.slide for field in before),
        {name: screener.judge_slide(fields).verdict for name, fields in slides.items()},
        tuple(said_more(old, new) for old, new in zip(before, after, strict=True)),
    )


def said_more(before: FieldResult, after: FieldResult) -> bool:
    """Whether a reader learns of a field that something is wrong with it now."""
    if before.quality is None or after.quality is None:
        return after.quality is None
    return after.status != "ok" or bool(set(after.quality.warnings) - set(before.quality.warnings))


def compare_cells(before: Sequence[Cell], after: Sequence[Cell], changed: Changed) -> Survival:
    """Pair the candidates of a field with those of its changed image, the nearest first."""
    scale = math.sqrt(abs(np.linalg.det(changed.matrix[:, :2])))
    places = [moved(cell.nucleus_centroid, changed.matrix) for cell in before]
    shown = [in_view(moved_box(cell.bbox, changed.matrix), changed) for cell in before]
    distances = sorted(
        (math.dist(place, cell.nucleus_centroid), old, new)
        for old, place in enumerate(places)
        for new, cell in enumerate(after)
        if math.dist(place, cell.nucleus_centroid)
        < SAME_PLACE * max(nucleus_radius(before[old]) * scale, nucleus_radius(cell))
    )
    partner: dict[int, int] = {}
    for _, old, new in distances:
        if old not in partner and new not in partner.values():
            partner[old] = new
    taken = set(partner.values())
    strangers = [cell for new, cell in enumerate(after) if new not in taken]
    kept = [old for old in range(len(before)) if shown[old]]
    labels = [(before[old].label, after[partner[old]].label) for old in kept if old in partner]
    return Survival(
        cells=len(kept),
        lost=sum(old not in partner for old in kept),
        new=sum(in_view(cell.bbox, changed) for cell in strangers),
        relabelled=sum(old != new for old, new in labels),
        negated=labels.count(("ALL", "non-ALL")),
        all_cells=called_all(after),
    )


def called_all(cells: Sequence[Cell]) -> int:
    """How many cells are called ALL."""
    return sum(cell.label == "ALL" for cell in cells)


def nucleus_radius(cell: Cell) -> float:
    """Radius of the disc of the nucleus's area."""
    return math.sqrt(cell.nucleus_area / math.pi)


def moved(point: tuple[float, float], matrix: FloatMatrix) -> tuple[float, float]:
    """Where a point is after the change."""
    x, y = matrix @ (*point, 1.0)
    return float(x), float(y)


def moved_box(box: tuple[int, int, int, int], matrix: FloatMatrix) -> tuple[int, int, int, int]:
    """The upright box around a moved box."""
    x, y, width, height = box
    corners = [moved(corner, matrix) for corner in ((x, y), (x + width, y), (x, y + height), (x + width, y + height))]
    left, top = (math.floor(min(corner[axis] for corner in corners)) for axis in (0, 1))
    right, bottom = (math.ceil(max(corner[axis] for corner in corners)) for axis in (0, 1))
    return left, top, right - left, bottom - top


def in_view(box: tuple[int, int, int, int], changed: Changed) -> bool:
    """Whether a box shows nothing but specimen in the changed image."""
    x, y, width, height = box
    specimen = changed.specimen
    if specimen is None:
        return True
    inside = specimen[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)]
    return float(inside.sum()) >= WHOLLY_SHOWN * width * height
