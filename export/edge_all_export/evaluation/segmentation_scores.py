"""How well the segmentation does on the reference sets, against the masks, points and boxes that they carry.

Nothing here is tuned per set, and nothing needs TensorFlow. A score of an image is computed for that image alone; the
figure of a set is the mean, or a share of counted cells, with a 95 % interval from a bootstrap over the images.
"""

from __future__ import annotations

import csv
import itertools
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.errors import InputNotFoundError
from edge_all.imaging import read_image
from edge_all.results import BoundingBox, Cell, RgbImage, Segmentation
from edge_all.segmentation import segment
from edge_all_export.datasets.boxes import box_overlap, marked_images

__all__ = [
    "ScoreRow",
    "SegmentationScores",
    "Segmenter",
    "dice",
    "evaluate_segmentation",
    "match_boxes",
    "red_cell_radius",
    "score_row",
]

Result = TypeVar("Result")
Segmenter = Callable[[RgbImage], Segmentation]
"""The segmentation that is judged."""

RESAMPLES = 2000
NUCLEUS, CYTOPLASM = 255, 128
"""Grey levels of segmentation_wbc's masks."""
MATCHING_IOU = 0.5
TIMED_FIELDS = 10
"""Large fields that are timed, each decoded and segmented in turn."""
YARDSTICK_FIELDS = 3
"""Of these, the fields on which plain k-means is timed too; it takes seconds."""
BOXED_SETS = {"bccd": "BCCD", "raabin": "Raabin"}
"""Sets with boxes, by their folders, and what they are called."""
FEWEST_RED_CELLS = 4
"""Marked red cells of an image from which their size is known."""
RIGHT_SIZE = 1.25
BOX_GOALS = {"BCCD": (0.97, 0.95)}
"""Recall and precision to be reached."""
_SHARES = frozenset(
    {
        "nucleus Dice",
        "whole-cell Dice",
        "blasts with a candidate of their own",
        "white cells found, IoU 0.5 (recall)",
        "candidates that are white cells (precision)",
        "fields whose red cells are measured right within a quarter",
    }
)
LARGE_FIELD = 5_000_000
"""Pixels from which a field counts as large."""


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One line of the table.

    Attributes:
        measure: what was measured.
        dataset: on which set.
        value: the figure.
        low, high: its 95 % interval.
        images: how many images it rests on.
        objects: how many cells it rests on; for masks as many as images.
        goal: what it should reach at least, or for ``at_most`` at most; None where it is only reported.
        at_most: whether smaller is better.
        way: which segmentation, where several are compared.
    """

    measure: str
    dataset: str
    value: float
    low: float
    high: float
    images: int
    objects: int
    goal: float | None = None
    at_most: bool = False
    way: str = ""

    @property
    def is_share(self) -> bool:
        """Whether the figure lies between 0 and 1, and more is better."""
        return self.measure in _SHARES

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.at_most else self.value >= self.goal


@dataclass(frozen=True, slots=True)
class SegmentationScores:
    """All lines, in the order in which they are shown."""

    rows: tuple[ScoreRow, ...]

    def to_json(self) -> dict[str, Any]:
        """The lines as JSON-ready values."""
        return {"rows": [{**asdict(row), "reached": row.reached} for row in self.rows]}


def evaluate_segmentation(
    data_root: Path, segmenter_of: Callable[[str], Segmenter] = lambda _: segment, way: str = "", *, every: int = 1
) -> SegmentationScores:
    """Score the segmentation on every reference set that lies under a folder.

    Args:
        data_root: with any of ``allidb1``, ``allidb2``, ``segmentation_wbc``, ``bccd`` and ``raabin``.
        segmenter_of: what is judged on a laboratory, by the laboratory's name in
            `edge_all_export.outlines.known_cells.LABORATORIES`: one that never saw it, where laboratories are left out.
        way: what it is called in the rows.
        every: one image in so many is scored; where that is not each, nothing is timed.

    Raises:
        InputNotFoundError: none of them is there.
    """
    parts: dict[str, Callable[[Path, Callable[[str], Segmenter], int], list[ScoreRow]]] = {
        "allidb2": _score_allidb2,
        "segmentation_wbc": _score_segmentation_wbc,
        "allidb1": _score_allidb1,
        "bccd": _score_boxes,
        "raabin": _score_boxes,
    }
    present = [name for name in parts if (data_root / name).is_dir()]
    if not present:
        raise InputNotFoundError(
            f"{data_root} holds none of {', '.join(parts)}.", "Point --data at the folder above the data sets."
        )
    rows = [row for name in present for row in parts[name](data_root / name, segmenter_of, every)]
    return SegmentationScores(tuple(replace(row, way=way) for row in rows))


def dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Twice the common area of two masks over the sum of areas (Dice, Ecology 26, 1945); 1 where both are empty."""
    total = int(found.sum()) + int(truth.sum())
    return 1.0 if total == 0 else 2.0 * int((found & truth).sum()) / total


def match_boxes(found: Sequence[BoundingBox], truth: Sequence[BoundingBox]) -> int:
    """How many boxes pair off one to one with an intersection over union of at least one half, the best pairs first."""
    pairs = sorted(
        ((box_overlap(one, other), i, j) for i, one in enumerate(found) for j, other in enumerate(truth)), reverse=True
    )
    used_found: set[int] = set()
    used_truth: set[int] = set()
    for overlap, i, j in pairs:
        if overlap >= MATCHING_IOU and i not in used_found and j not in used_truth:
            used_found.add(i)
            used_truth.add(j)
    return len(used_found)


def _score_allidb2(folder: Path, segmenter_of: Callable[[str], Segmenter], every: int) -> list[ScoreRow]:
    """Nuclei of the central cells. Only the nucleus that the mask is about counts; the masks leave neighbours out."""
    scores, find = [], segmenter_of("allidb")
    for image in sorted((folder / "crops").glob("*.tif"))[::every]:
        mask_file = folder / "nucleus_masks" / image.name
        if not mask_file.is_file():
            continue
        pixels = read_image(image)
        truth = read_image(mask_file)[..., 0] < NUCLEUS // 2
        if truth.shape == pixels.shape[:2]:
            scores.append(dice(_overlapping(find(pixels), truth, nuclei=True), truth))
    return [_mean("nucleus Dice", "ALL-IDB2", scores, goal=0.95)]


def _score_segmentation_wbc(folder: Path, segmenter_of: Callable[[str], Segmenter], every: int) -> list[ScoreRow]:
    rows = []
    for number, cell_goal in ((1, 0.96), (2, 0.85)):
        nuclei, cells, find = [], [], segmenter_of(f"segmentation_wbc {number}")
        for image in sorted((folder / f"dataset{number}").glob("*.bmp"))[::every]:
            levels = read_image(image.with_suffix(".png"))[..., 0]
            found = find(read_image(image))
            nuclei.append(dice(_overlapping(found, levels == NUCLEUS, nuclei=True), levels == NUCLEUS))
            whole = levels >= CYTOPLASM
            cells.append(dice(_overlapping(found, whole, nuclei=False), whole))
        rows.append(_mean("nucleus Dice", f"segmentation_wbc {number}", nuclei, goal=0.95))
        rows.append(_mean("whole-cell Dice", f"segmentation_wbc {number}", cells, goal=cell_goal))
    return rows


def _overlapping(found: Segmentation, truth: NDArray[np.bool_], *, nuclei: bool) -> NDArray[np.bool_]:
    """The mask of all candidates that touch the truth: its cell, and whatever was taken for a part of it."""
    labels = found.nucleus_labels if nuclei else found.cell_labels
    touching = set(np.unique(found.nucleus_labels[truth]).tolist()) - {0}
    numbers = [number for number in touching if found.cells[number - 1].kind == "candidate"]
    mask: NDArray[np.bool_] = np.isin(labels, numbers)
    return mask


def _score_allidb1(folder: Path, segmenter_of: Callable[[str], Segmenter], every: int) -> list[ScoreRow]:
    points: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    with (folder / "points.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            points[row["field"]].append((int(row["x"]), int(row["y"]), row["label"]))
    own, blasts, unmarked, find = [], [], [], segmenter_of("allidb")
    timings: list[tuple[float, float]] = []
    yardstick: list[float] = []
    for image in sorted((folder / "fields").glob("*.jpg"))[::every]:
        content = image.read_bytes()
        decode_ms, pixels = _timed(lambda content=content: read_image(content))  # type: ignore[misc]
        segment_ms, found = _timed(lambda pixels=pixels: find(pixels))  # type: ignore[misc]
        if pixels.shape[0] * pixels.shape[1] >= LARGE_FIELD and len(timings) < TIMED_FIELDS and every == 1:
            timings.append((decode_ms, segment_ms))
            if len(yardstick) < YARDSTICK_FIELDS:
                yardstick.append(_timed(lambda pixels=pixels: _plain_kmeans(pixels))[0] / decode_ms)  # type: ignore[misc]
        marked = points[image.name]
        in_field = [point for point in marked if point[2] == "blast"]
        blasts.append(len(in_field))
        own.append(_own_cells(found, in_field))
        holding = {int(found.cell_labels[y, x]) for x, y, _ in marked}
        unmarked.append(float(sum(cell.kind == "candidate" and cell.id not in holding for cell in found.cells)))
    rows = [
        _share("blasts with a candidate of their own", "ALL-IDB1", own, blasts, goal=0.95),
        _mean("candidates without a marked point, per field", "ALL-IDB1", unmarked),
    ]
    if timings:
        ratios = [segment_ms / decode_ms for decode_ms, segment_ms in timings]
        rows.append(_mean("time of segmenting / decoding, 5 megapixels", "ALL-IDB1", ratios, goal=1.0, at_most=True))
        rows.append(_mean("the same for plain full-pixel k-means", "ALL-IDB1", yardstick))
    return rows


def _own_cells(found: Segmentation, blasts: Sequence[tuple[int, int, str]]) -> int:
    """How many blast points lie in a candidate that holds no other blast point."""
    cells = [int(found.cell_labels[y, x]) for x, y, _ in blasts]
    count = Counter(cells)
    return sum(number > 0 and count[number] == 1 and found.cells[number - 1].kind == "candidate" for number in cells)


def _plain_kmeans(pixels: NDArray[np.uint8]) -> None:
    """The yardstick: k-means with k = 3 over every pixel in Lab, as tutorials have it."""
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float32)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    cv2.setRNGSeed(0)
    cv2.kmeans(lab, 3, np.empty((len(lab), 1), np.int32), stop, 1, cv2.KMEANS_PP_CENTERS)


def _score_boxes(folder: Path, segmenter_of: Callable[[str], Segmenter], every: int) -> list[ScoreRow]:
    """White cells of a set with boxes; the folder has the laboratory's name."""
    matched, in_truth, in_found, sizes = [], [], [], []
    find, name = segmenter_of(folder.name), BOXED_SETS[folder.name]
    for image in itertools.islice(marked_images(folder), None, None, every):
        pixels = read_image(image.path)
        segmentation = find(pixels)
        found = [cell.bbox for cell in _candidates(segmentation)]
        matched.append(match_boxes(found, image.white))
        in_truth.append(len(image.white))
        in_found.append(len(found))
        marked = red_cell_radius(image.red, pixels.shape[1::-1])
        if marked is not None and segmentation.red_cell_radius > 0:
            sizes.append(segmentation.red_cell_radius / marked)
    goals = BOX_GOALS.get(name, (None, None))
    rows = [
        _share("white cells found, IoU 0.5 (recall)", name, matched, in_truth, goal=goals[0]),
        _share("candidates that are white cells (precision)", name, matched, in_found, goal=goals[1]),
    ]
    if sizes:
        # Boxes are a little wider than cells, alike in all images of a set.
        apart = np.abs(np.log(np.array(sizes) / np.median(sizes)))
        right = (apart < math.log(RIGHT_SIZE)).astype(float).tolist()
        rows.append(_mean("fields whose red cells are measured right within a quarter", name, right))
    return rows


def red_cell_radius(boxes: Sequence[BoundingBox], size: tuple[int, int]) -> float | None:
    """Median radius of the red cells that lie wholly in an image of this width and height; None where they are few."""
    whole = [
        math.sqrt(width * height) / 2
        for x, y, width, height in boxes
        if min(x, y) > 0 and x + width < size[0] and y + height < size[1]
    ]
    return float(np.median(whole)) if len(whole) >= FEWEST_RED_CELLS else None


def _candidates(found: Segmentation) -> tuple[Cell, ...]:
    return tuple(cell for cell in found.cells if cell.kind == "candidate")


def _timed(call: Callable[[], Result]) -> tuple[float, Result]:
    started = time.perf_counter()
    result = call()
    return (time.perf_counter() - started) * 1e3, result


def score_row(
    measure: str, dataset: str, above: Sequence[float], below: Sequence[float], objects: int, way: str
) -> ScoreRow:
    """A figure that is a sum over images divided by another one, with its interval, and without a goal.

    Args:
        measure: as of `ScoreRow`.
        dataset: as of `ScoreRow`.
        above: what is summed up, for each image.
        below: what it is divided by, for each image.
        objects: as of `ScoreRow`.
        way: as of `ScoreRow`.
    """
    return replace(_row(measure, dataset, above, below, objects, None, at_most=False), way=way)


def _mean(
    measure: str, dataset: str, values: Sequence[float], *, goal: float | None = None, at_most: bool = False
) -> ScoreRow:
    return _row(measure, dataset, values, [1.0] * len(values), len(values), goal, at_most=at_most)


def _share(
    measure: str, dataset: str, hits: Sequence[int], totals: Sequence[int], *, goal: float | None = None
) -> ScoreRow:
    return _row(measure, dataset, hits, totals, sum(totals), goal, at_most=False)


def _row(
    measure: str,
    dataset: str,
    above: Sequence[float],
    below: Sequence[float],
    objects: int,
    goal: float | None,
    *,
    at_most: bool,
) -> ScoreRow:
    """A ratio of sums over images, with its percentile interval over resampled images."""
    numerator, denominator = np.asarray(above, np.float64), np.asarray(below, np.float64)
    draws = np.random.default_rng(0).integers(0, len(numerator), (RESAMPLES, len(numerator)))
    sums = np.maximum(denominator[draws].sum(axis=1), 1e-9)
    low, high = np.percentile(numerator[draws].sum(axis=1) / sums, [2.5, 97.5])
    value = float(numerator.sum() / max(denominator.sum(), 1e-9))
    return ScoreRow(measure, dataset, value, float(low), float(high), len(numerator), objects, goal, at_most)
