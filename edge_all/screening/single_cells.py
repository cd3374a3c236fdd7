"""Judging images that show one cell each, as they come from another device or a data set.

Such a crop goes through the same segmentation and the same preprocessing as a field; the cell in its centre is the one
that is judged, whatever margin the crop was cut with.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from edge_all.classification.classifier import Classifier
from edge_all.errors import InputError
from edge_all.imaging import read_image
from edge_all.inputs import ImageSource
from edge_all.preprocessing import PreprocessingSpec, crop_cell
from edge_all.quality import assess_quality
from edge_all.results import Cell, CellLabel, RgbImage, Segmentation
from edge_all.segmentation import segment

__all__ = ["CropResult", "central_cell", "classify_crops"]

CROPS_PER_ROUND = 64
"""Crops judged together; bounds the memory."""


@dataclass(frozen=True, slots=True)
class CropResult:
    """The judgement of one single-cell image.

    Attributes:
        image: its name.
        status: ``ok``, ``error`` (could not be read) or ``unusable`` (no cell that could be judged).
        error: what went wrong; None when ok.
        probability: calibrated probability of ALL; None unless ok.
        label: the decision; None unless ok.
        out_of_distribution: as in `edge_all.results.Cell`.
        note: what a reader should know, for example that the cell looks like a platelet, or that there are others; None
            otherwise.
    """

    image: str
    status: Literal["ok", "error", "unusable"]
    error: str | None = None
    probability: float | None = None
    label: CellLabel | None = None
    out_of_distribution: float | None = None
    note: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The judgement as JSON-ready values."""
        record = asdict(self)
        for name in ("probability", "out_of_distribution"):
            if record[name] is not None:
                record[name] = round(record[name], 6)
        return record


def classify_crops(sources: Iterable[ImageSource], classifier: Classifier) -> Iterator[CropResult]:
    """Judge single-cell images, in their order; one that cannot be judged yields a result that says so."""
    waiting: list[tuple[CropResult, RgbImage | None]] = []
    for source in sources:
        waiting.append(_prepare(source, classifier.spec))
        if len(waiting) == CROPS_PER_ROUND:
            yield from _judge_together(waiting, classifier)
            waiting = []
    yield from _judge_together(waiting, classifier)


def central_cell(segmentation: Segmentation) -> Cell | None:
    """The cell that covers the image's centre, else the nearest one that reaches into its middle half; None without."""
    height, width = segmentation.cell_labels.shape
    covering = int(segmentation.cell_labels[height // 2, width // 2])
    if covering:
        return segmentation.cells[covering - 1]

    def distance(cell: Cell) -> float:
        return math.dist(cell.centroid, (width / 2, height / 2))

    nearest = min(segmentation.cells, key=lambda cell: (cell.kind == "rejected", distance(cell)), default=None)
    return nearest if nearest is not None and distance(nearest) < min(width, height) / 4 else None


def _prepare(source: ImageSource, spec: PreprocessingSpec) -> tuple[CropResult, RgbImage | None]:
    try:
        pixels = read_image(source.path)
    except InputError as error:
        return CropResult(source.image, "error", error=str(error)), None
    quality = assess_quality(pixels)
    if not quality.usable:
        return CropResult(source.image, "unusable", error=" ".join(quality.reasons)), None
    segmentation = segment(pixels)
    cell = central_cell(segmentation)
    if cell is None:
        return CropResult(source.image, "unusable", error="No white cell was found in the middle of the image."), None
    return CropResult(source.image, "ok", note=_note(segmentation, cell)), crop_cell(
        pixels, cell, segmentation.cell_labels, spec
    )


def _note(segmentation: Segmentation, judged: Cell) -> str | None:
    notes = []
    if judged.reason is not None:
        notes.append(f"In a field this object would be rejected: {judged.reason}.")
    others = sum(cell.kind == "candidate" and cell.id != judged.id for cell in segmentation.cells)
    if others:
        notes.append(f"The image holds {others + 1} cells; the one in the middle was judged.")
    return " ".join(notes) or None


def _judge_together(
    waiting: Sequence[tuple[CropResult, RgbImage | None]], classifier: Classifier
) -> Iterator[CropResult]:
    crops = [crop for _, crop in waiting if crop is not None]
    judgements = iter(classifier.judge(np.stack(crops)) if crops else ())
    for result, crop in waiting:
        if crop is None:
            yield result
        else:
            judgement = next(judgements)
            yield CropResult(
                result.image,
                "ok",
                probability=judgement.probability,
                label=judgement.label,
                out_of_distribution=judgement.out_of_distribution,
                note=result.note,
            )
