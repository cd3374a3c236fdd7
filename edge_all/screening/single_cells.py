"""Judging images that show one cell each, as they come from another device or a data set.

Such a crop goes through the same segmentation and the same preprocessing as a field; the cell in its centre is the one
that is judged, whatever margin the crop was cut with.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from edge_all.classification.classifier import Classifier, Judgement
from edge_all.classification.decision_rule import is_out_of_distribution
from edge_all.errors import EdgeAllError, internal_error
from edge_all.imaging.sources import ReadableImage
from edge_all.preprocessing import PreprocessingSpec, crop_cell
from edge_all.quality import assess_quality
from edge_all.results import Cell, CellLabel, RgbImage, Segmentation
from edge_all.screening.rounds import prepared_in_rounds
from edge_all.segmentation import segment
from edge_all.segmentation.cut_out import put_on_glass
from edge_all.segmentation.doubts import UNCERTAIN, fault
from edge_all.segmentation.learned_outlines import Outlines
from edge_all.slides.verdict import is_rather_unlike

__all__ = [
    "RATHER_UNLIKE",
    "SCALE_UNKNOWN",
    "UNLIKE",
    "ClassifiedCrop",
    "CropResult",
    "PreparedCrop",
    "central_cell",
    "classify_crops",
    "judge_crops",
    "prepare_crop",
]

SCALE_UNKNOWN = "Too little lies around the cell to tell the scale."
"""So were 26 of 55 cells of 9 ALL-IDB1 fields that were cut out as a run saves them, before the reliability of a
measured size was fitted; 22 of these bore the label that they have in their field, of the other 29 all but one."""
UNLIKE = "The cell is unlike those that the model has learned, and indeterminate whatever its probability."
RATHER_UNLIKE = "The cell is rather unlike those that the model has learned: look whether you would give it this label."
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
        note: what a reader should know, for example that the cell looks like a platelet, that there are others, or that
            it is indeterminate for being unlike what the model has learned; None otherwise.
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


@dataclass(frozen=True, slots=True)
class ClassifiedCrop:
    """A judged single-cell image.

    Attributes:
        result: the judgement.
        failure: what was raised where ``result.status`` is ``error``.
    """

    result: CropResult
    failure: EdgeAllError | None = None


@dataclass(frozen=True, slots=True)
class PreparedCrop:
    """A single-cell image with its cell cut out, before it is classified.

    Attributes:
        result: not judged yet.
        crop: ``uint8 [size, size, 3]`` RGB; None where there is nothing to judge.
        failure: as in `ClassifiedCrop`.
    """

    result: CropResult
    crop: RgbImage | None = None
    failure: EdgeAllError | None = None


def classify_crops(
    sources: Iterable[ReadableImage], classifier: Classifier, outlines: Outlines = "learned"
) -> Generator[ClassifiedCrop, None, None]:
    """Judge single-cell images, in their order, each as soon as it has arrived.

    One that cannot be judged yields a result that says so.

    Args:
        sources: the images.
        classifier: judges the cells.
        outlines: as for `edge_all.segmentation.segment`.
    """

    def prepare(source: ReadableImage) -> PreparedCrop:
        return prepare_crop(source, classifier.spec, outlines)

    def is_full(crops: Sequence[PreparedCrop]) -> bool:
        return len(crops) >= CROPS_PER_ROUND

    # Not on several threads: these images are small, and the network has the cores.
    with closing(prepared_in_rounds(sources, prepare, is_full, workers=1, ahead=CROPS_PER_ROUND)) as rounds:
        for together in rounds:
            yield from judge_crops(together, classifier)


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


def prepare_crop(source: ReadableImage, spec: PreprocessingSpec, outlines: Outlines = "learned") -> PreparedCrop:
    """Decode, assess and segment one image, and cut out the cell in its middle; everything but the classifier.

    Errors become the result's status.
    """
    try:
        return _prepare(source, spec, outlines)
    except EdgeAllError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - one image must not end a run of thousands
        failure = internal_error(source.image, error)
    return PreparedCrop(CropResult(source.image, "error", error=str(failure)), None, failure)


def _prepare(source: ReadableImage, spec: PreprocessingSpec, outlines: Outlines) -> PreparedCrop:
    laid = put_on_glass(source.opened().decode().pixels)
    pixels = laid.pixels
    quality = assess_quality(laid.smear, specimen=laid.specimen)
    if not quality.usable:
        return PreparedCrop(CropResult(source.image, "unusable", error=" ".join(quality.reasons)))
    segmentation = segment(pixels, specimen=laid.specimen, outlines=outlines)
    reason = fault(segmentation)
    if reason is not None:
        return PreparedCrop(CropResult(source.image, "unusable", error=reason))
    cell = central_cell(segmentation)
    if cell is None:
        return PreparedCrop(
            CropResult(source.image, "unusable", error="No white cell was found in the middle of the image.")
        )
    crop = crop_cell(pixels, cell, segmentation.cell_labels, spec)
    note = " ".join(filter(None, (laid.note, _note(segmentation, cell)))) or None
    return PreparedCrop(CropResult(source.image, "ok", note=note), crop)


def _note(segmentation: Segmentation, judged: Cell) -> str | None:
    notes = []
    if judged.reason is not None:
        notes.append(f"In a field this object would be rejected: {judged.reason}.")
    if segmentation.red_cell_error >= UNCERTAIN:
        notes.append(SCALE_UNKNOWN)
    others = sum(cell.kind == "candidate" and cell.id != judged.id for cell in segmentation.cells)
    if others:
        notes.append(f"The image holds {others + 1} cells; the one in the middle was judged.")
    return " ".join(notes) or None


def _likeness(judgement: Judgement) -> str | None:
    if judgement.out_of_distribution is not None and is_out_of_distribution(judgement.out_of_distribution):
        return UNLIKE
    return RATHER_UNLIKE if is_rather_unlike(judgement) else None


def judge_crops(crops: Sequence[PreparedCrop], classifier: Classifier) -> Iterator[ClassifiedCrop]:
    """Judge some cells together, from `prepare_crop` with the classifier's ``spec``."""
    cut = [one.crop for one in crops if one.crop is not None]
    judgements = iter(classifier.judge(np.stack(cut)) if cut else ())
    for one in crops:
        result = one.result
        if one.crop is not None:
            judgement = next(judgements)
            result = replace(
                result,
                probability=judgement.probability,
                label=judgement.label,
                out_of_distribution=judgement.out_of_distribution,
                note=" ".join(filter(None, (result.note, _likeness(judgement)))) or None,
            )
        yield ClassifiedCrop(result, one.failure)
