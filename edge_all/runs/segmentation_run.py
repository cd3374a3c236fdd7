"""A segmentation run into a folder: what ``edge-all segment`` does."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_all.errors import InputError
from edge_all.files.folder_claim import claimed_folder, refuse_folder_of_images
from edge_all.files.run_folder import FIELDS_FILE, RunFolder
from edge_all.imaging.shrinking import Shrinking
from edge_all.inputs import ImageSource
from edge_all.outputs.jsonl import FieldsWriter
from edge_all.outputs.label_images import write_label_images
from edge_all.outputs.pictures import write_png
from edge_all.preprocessing import crop_window
from edge_all.quality import assess_quality
from edge_all.results import FieldResult
from edge_all.screening.pixel_scale import pixel_scale, segment_at_scale
from edge_all.segmentation.cut_out import put_on_glass
from edge_all.specimen import find_specimen

__all__ = ["CROP_FACTOR", "segment_to_folder"]

CROP_FACTOR = 2.0
"""Side of a crop in nucleus boxes: holds 99.6 % of a cell's pixels (segmentation_wbc, both sets)."""


def segment_to_folder(
    sources: Sequence[ImageSource], out: Path, *, microns_per_pixel: float | None = None
) -> Iterator[FieldResult]:
    """Segment images one by one, writing label images, crops of the candidates and ``fields.jsonl``.

    An image of poor quality is segmented all the same, and its result says what is poor.

    Args:
        sources: the images.
        out: the folder.
        microns_per_pixel: physical size of a pixel, where it is known.

    Yields:
        The result of each image as soon as it is on disk; no cell has a probability.

    Raises:
        OutputError: the folder is in use, holds another run or the images themselves, or cannot be written.
    """
    refuse_folder_of_images(out, (source.path for source in sources))
    folder = RunFolder.for_images(out, (source.image for source in sources))
    with claimed_folder(out, marker=FIELDS_FILE, resume=False), FieldsWriter(folder.fields) as fields_file:
        for source in sources:
            result = _segment_one(source, folder, microns_per_pixel)
            fields_file.write(result)
            yield result


def _segment_one(source: ImageSource, folder: RunFolder, microns_per_pixel: float | None) -> FieldResult:
    result = FieldResult(source.image, source.slide, "ok")
    try:
        image = source.opened().decode()
    except InputError as error:
        return dataclasses.replace(result, status="error", error=str(error))
    pixels = put_on_glass(image.pixels).pixels
    sizes = Shrinking(pixels)
    height, width = pixels.shape[:2]
    scale = pixel_scale(image, microns_per_pixel)
    specimen = find_specimen(sizes, width, height)
    quality = assess_quality(pixels, sizes=sizes, specimen=specimen)
    segmentation, result = segment_at_scale(
        pixels,
        sizes,
        specimen,
        dataclasses.replace(
            result,
            width=width,
            height=height,
            quality=dataclasses.replace(quality, warnings=(*image.notes, *scale.notes, *quality.warnings)),
            microns_per_pixel=scale.microns,
            microns_per_pixel_from=scale.origin,
        ),
    )
    write_label_images(folder, source.image, segmentation)
    for cell in result.candidates:
        window = crop_window(pixels, cell.nucleus_bbox, CROP_FACTOR)
        write_png(folder.lossless_crop(source.image, cell.id), window)
    return result
