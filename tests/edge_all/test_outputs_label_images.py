from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge_all.files.run_folder import RunFolder
from edge_all.outputs.label_images import write_label_images
from edge_all.results import BoundingBox, Cell, Segmentation


def cell_at(bbox: BoundingBox, nucleus_bbox: BoundingBox) -> Cell:
    return Cell(1, bbox, (0.0, 0.0), 1, nucleus_bbox, (0.0, 0.0), 1, "candidate", contour=())


def test_sixteen_bits_survive(tmp_path: Path) -> None:
    cells = np.zeros((30, 40), np.uint16)
    cells[5:20, 5:20] = 300
    cells[25:, 30:] = 65535
    nuclei = np.where(cells == 300, cells, 0).astype(np.uint16)
    none, block = np.zeros((0, 0), np.uint8), np.ones((15, 15), np.uint8)
    filler, first, last = (
        cell_at((0, 0, 0, 0), (0, 0, 0, 0)),
        cell_at((5, 5, 15, 15), (5, 5, 15, 15)),
        cell_at((30, 25, 10, 5), (0, 0, 0, 0)),
    )
    found = Segmentation(
        (30, 40),
        (*[filler] * 299, first, *[filler] * 65234, last),
        (*[none] * 299, block, *[none] * 65234, np.ones((5, 10), np.uint8)),
        (*[none] * 299, block, *[none] * 65235),
    )
    write_label_images(RunFolder.for_images(tmp_path / "out", ["a.jpg"]), "a.jpg", found)
    for name, labels in (("a.cells.png", cells), ("a.nuclei.png", nuclei)):
        read = cv2.imread(str(tmp_path / "out" / name), cv2.IMREAD_UNCHANGED)
        assert read is not None
        assert read.dtype == np.uint16
        np.testing.assert_array_equal(read, labels)
