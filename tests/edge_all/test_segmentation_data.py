"""Floors of the segmentation on a sample of real images; the whole table is `edge-all evaluate segmentation`."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_all.imaging import read_image
from edge_all.results import Segmentation
from edge_all.segmentation import segment

pytestmark = pytest.mark.data


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return 2 * float((one & other).sum()) / max(1.0, float(one.sum() + other.sum()))


def most_common(labels: NDArray[np.uint16], truth: NDArray[np.bool_]) -> int:
    counts = np.bincount(labels[truth], minlength=2)
    counts[0] = 0
    return int(counts.argmax())


@pytest.mark.parametrize(("number", "nucleus_floor", "cell_floor"), [(1, 0.94, 0.94), (2, 0.94, 0.88)])
def test_masks_of_segmentation_wbc(data_root: Path, number: int, nucleus_floor: float, cell_floor: float) -> None:
    """The floors leave room for the sample; over all images they are 0.95 and 0.95, 0.96 and 0.85."""
    nuclei, cells = [], []
    for image in sorted((data_root / "segmentation_wbc" / f"dataset{number}").glob("*.bmp"))[::3]:
        levels = read_image(image.with_suffix(".png"))[..., 0]
        found = segment(read_image(image))
        cell = most_common(found.cell_labels, levels >= 128)
        nuclei.append(dice(found.nucleus_labels == cell, levels == 255) if cell else 0.0)
        cells.append(dice(found.cell_labels == cell, levels >= 128) if cell else 0.0)
    assert np.mean(nuclei) >= nucleus_floor
    assert np.mean(cells) >= cell_floor


def test_nuclei_of_allidb2(data_root: Path) -> None:
    scores = []
    for image in sorted((data_root / "allidb2" / "crops").glob("*.tif"))[::4]:
        mask = data_root / "allidb2" / "nucleus_masks" / image.name
        if mask.is_file():
            truth = read_image(mask)[..., 0] < 128
            scores.append(dice(segment(read_image(image)).nucleus_labels > 0, truth))
    assert np.mean(scores) >= 0.94


def test_blasts_of_allidb1_have_cells_of_their_own(data_root: Path) -> None:
    points: dict[str, list[tuple[int, int]]] = defaultdict(list)
    with (data_root / "allidb1" / "points.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["label"] == "blast":
                points[row["field"]].append((int(row["x"]), int(row["y"])))
    own = total = 0
    for field in sorted(points)[::3]:
        found = segment(read_image(data_root / "allidb1" / "fields" / field))
        cells = [int(found.cell_labels[y, x]) for x, y in points[field]]
        count = Counter(cells)
        own += sum(cell > 0 and count[cell] == 1 and found.cells[cell - 1].kind == "candidate" for cell in cells)
        total += len(cells)
    assert total > 80
    assert own / total >= 0.93


def test_white_cells_of_bccd(data_root: Path) -> None:
    matched = boxes = candidates = 0
    for image in sorted((data_root / "bccd" / "images").glob("*.jpg"))[::5]:
        truth = [
            tuple(int(item.findtext(f"bndbox/{side}", "0")) for side in ("xmin", "ymin", "xmax", "ymax"))
            for item in ET.parse(data_root / "bccd" / "annotations" / f"{image.stem}.xml").iter("object")  # noqa: S314
            if item.findtext("name") == "WBC"
        ]
        found = whole_boxes(segment(read_image(image)))
        matched += sum(max((overlap(box, other) for other in found), default=0.0) >= 0.5 for box in truth)
        boxes += len(truth)
        candidates += len(found)
    assert matched / boxes >= 0.93
    assert matched / candidates >= 0.90


def whole_boxes(found: Segmentation) -> list[tuple[int, ...]]:
    cells = (cell.bbox for cell in found.cells if cell.kind == "candidate")
    return [(x, y, x + width, y + height) for x, y, width, height in cells]


def overlap(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(0, width) * max(0, height)
    area = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return common / (area - common)
