"""The label images of ``edge-all segment``: which pixel belongs to which cell."""

from __future__ import annotations

from pathlib import Path

from edge_all.outputs.pictures import write_label_png
from edge_all.results import Segmentation

__all__ = ["write_label_images"]


def write_label_images(folder: Path, stem: str, segmentation: Segmentation) -> tuple[Path, Path]:
    """Write whole cells and nuclei as 16-bit PNG of the field's own size.

    0 is ground; the same number is the same cell in both pictures and in the results.

    Args:
        folder: where to write.
        stem: from `edge_all.outputs.naming.unique_stems`.
        segmentation: of one field.

    Returns:
        The files ``<stem>.cells.png`` and ``<stem>.nuclei.png``.

    Raises:
        OutputError: a file cannot be written.
    """
    cells, nuclei = folder / f"{stem}.cells.png", folder / f"{stem}.nuclei.png"
    write_label_png(cells, segmentation.cell_labels)
    write_label_png(nuclei, segmentation.nucleus_labels)
    return cells, nuclei
