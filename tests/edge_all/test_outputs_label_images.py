from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge_all.outputs.label_images import write_label_images
from edge_all.results import Segmentation


def test_sixteen_bits_survive(tmp_path: Path) -> None:
    cells = np.zeros((30, 40), np.uint16)
    cells[5:20, 5:20] = 300
    cells[25:, 30:] = 65535
    nuclei = np.where(cells == 300, cells, 0).astype(np.uint16)
    cells_path, nuclei_path = write_label_images(tmp_path / "out", "a", Segmentation((), cells, nuclei))
    assert (cells_path.name, nuclei_path.name) == ("a.cells.png", "a.nuclei.png")
    for path, labels in ((cells_path, cells), (nuclei_path, nuclei)):
        read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert read is not None
        assert read.dtype == np.uint16
        np.testing.assert_array_equal(read, labels)
