"""A segmentation run into a folder: what ``edge-all segment`` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_all.api.segmenting import segment_field
from edge_all.errors import InputError
from edge_all.files.folder_claim import claimed_folder, refuse_folder_of_images
from edge_all.files.run_folder import FIELDS_FILE, RunFolder
from edge_all.inputs import ImageSource
from edge_all.outputs.jsonl import FieldsWriter
from edge_all.outputs.label_images import write_label_images
from edge_all.outputs.pictures import write_png
from edge_all.preprocessing import crop_window
from edge_all.results import FieldResult, SegmentationWay

__all__ = ["CROP_FACTOR", "segment_to_folder"]

CROP_FACTOR = 2.0
"""Side of a crop in nucleus boxes: holds 99.6 % of a cell's pixels (segmentation_wbc, both sets)."""


def segment_to_folder(
    sources: Sequence[ImageSource],
    out: Path,
    *,
    microns_per_pixel: float | None = None,
    segmentation: SegmentationWay = "learned",
) -> Iterator[FieldResult]:
    """Segment images one by one, writing label images, crops of the candidates and ``fields.jsonl``.

    An image of poor quality is segmented all the same, and its result says what is poor.

    Args:
        sources: the images.
        out: the folder.
        microns_per_pixel: physical size of a pixel, where it is known.
        segmentation: as for `edge_all.segment`.

    Yields:
        The result of each image as soon as it is on disk; no cell has a probability.

    Raises:
        OutputError: the folder is in use, holds another run or the images themselves, or cannot be written.
    """
    refuse_folder_of_images(out, (source.path for source in sources))
    folder = RunFolder.for_images(out, (source.image for source in sources))
    with claimed_folder(out, marker=FIELDS_FILE, resume=False), FieldsWriter(folder.fields) as fields_file:
        for source in sources:
            result = _segment_one(source, folder, microns_per_pixel, segmentation)
            fields_file.write(result)
            yield result


def _segment_one(
    source: ImageSource, folder: RunFolder, microns_per_pixel: float | None, segmentation: SegmentationWay
) -> FieldResult:
    try:
        field = segment_field(source, microns_per_pixel=microns_per_pixel, segmentation=segmentation)
    except InputError as error:
        return FieldResult(source.image, source.slide, "error", error=str(error))
    write_label_images(folder, source.image, field.segmentation)
    for cell in field.result.candidates:
        window = crop_window(field.pixels, cell.nucleus_bbox, CROP_FACTOR)
        write_png(folder.lossless_crop(source.image, cell.id), window)
    return field.result
