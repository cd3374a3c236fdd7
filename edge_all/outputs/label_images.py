"""The label images of ``edge-all segment``: which pixel belongs to which cell."""

from __future__ import annotations

from edge_all.files.run_folder import RunFolder
from edge_all.outputs.pictures import write_label_png
from edge_all.results import Segmentation

__all__ = ["write_label_images"]


def write_label_images(folder: RunFolder, image: str, segmentation: Segmentation) -> None:
    """Write whole cells and nuclei as 16-bit PNG of the field's own size.

    0 is ground; the same number is the same cell in both pictures and in the results.

    Args:
        folder: of the run.
        image: the name of the field.
        segmentation: of that field.

    Raises:
        OutputError: a file cannot be written.
    """
    write_label_png(folder.cell_labels(image), segmentation.cell_labels)
    write_label_png(folder.nucleus_labels(image), segmentation.nucleus_labels)
