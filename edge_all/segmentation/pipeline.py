"""The whole way from a field to its cells."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.results import Cell, LabelImage, RgbImage, Segmentation
from edge_all.segmentation.colour_clustering import LIGHTNESS_WEIGHT, balance_table, cluster_colours, lab_of
from edge_all.segmentation.nuclei import refine_nucleus
from edge_all.segmentation.separation import separate
from edge_all.segmentation.whole_cells import grow_cells

__all__ = ["segment"]

WORK_PIXELS = 1_500_000
COARSE_PIXELS = 350_000


def segment(pixels: RgbImage, *, microns_per_pixel: float | None = None) -> Segmentation:
    """Find the white cells of one field."""
    height, width = pixels.shape[:2]
    factor = max(1, math.ceil(math.sqrt(height * width / WORK_PIXELS)))
    work = shrink(pixels, factor)
    step = max(1, math.ceil(math.sqrt(work.shape[0] * work.shape[1] / COARSE_PIXELS)))
    coarse = shrink(work, step)
    model, keys = cluster_colours(coarse)
    cell_labels = np.zeros((height, width), np.uint16)
    nucleus_labels = np.zeros((height, width), np.uint16)
    if model.centres is None:
        return Segmentation((), cell_labels, nucleus_labels)
    mask = cv2.medianBlur(model.nucleus_table[keys], 3)
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    radius = float(np.percentile(distance[mask > 0], 98)) if mask.any() else 0.0
    if microns_per_pixel is not None:
        radius = 4.0 / (microns_per_pixel * factor * step)
    if radius < 2:
        return Segmentation((), cell_labels, nucleus_labels)
    reach = max(1, round(0.4 * radius))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    count, groups, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(mask, kernel))
    table = balance_table(model.ground)
    found: list[tuple[NDArray[np.bool_], NDArray[np.bool_], int, int]] = []
    margin = round(1.3 * radius * step)
    for index in range(1, count):
        x, y, w, h, _ = (int(value) * step for value in stats[index])
        left, top = max(0, x - margin), max(0, y - margin)
        right, bottom = min(work.shape[1], x + w + margin), min(work.shape[0], y + h + margin)
        cx, cy = left // step, top // step
        left, top = cx * step, cy * step
        here = groups[cy : -(-bottom // step), cx : -(-right // step)] == index
        seed = (mask[cy : -(-bottom // step), cx : -(-right // step)] > 0) & here
        window = work[top:bottom, left:right]
        seed_fine = cv2.resize(
            seed.astype(np.uint8), (here.shape[1] * step, here.shape[0] * step), interpolation=cv2.INTER_NEAREST
        )[: window.shape[0], : window.shape[1]].astype(bool)
        if np.count_nonzero(seed) < 0.15 * radius**2:
            continue
        lab = lab_of(cv2.LUT(cv2.GaussianBlur(window, (0, 0), 0.8), table)) * np.float32([LIGHTNESS_WEIGHT, 1, 1])
        nucleus = refine_nucleus(lab, seed_fine)
        parts = separate(nucleus, radius * step)
        cells = grow_cells(lab, parts, model.centres * np.float32([LIGHTNESS_WEIGHT, 1, 1]), radius * step)
        found.extend(
            (parts == part, cells == part, left, top)
            for part in range(1, int(parts.max()) + 1)
            if (parts == part).any()
        )
    return assemble(found, factor, radius * step * factor, cell_labels, nucleus_labels)


def shrink(pixels: RgbImage, factor: int) -> RgbImage:
    """Shrink by a whole number, averaging."""
    if factor == 1:
        return np.ascontiguousarray(pixels)
    size = (max(1, pixels.shape[1] // factor), max(1, pixels.shape[0] // factor))
    smaller: RgbImage = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return smaller


def assemble(
    found: list[tuple[NDArray[np.bool_], NDArray[np.bool_], int, int]],
    factor: int,
    radius: float,
    cell_labels: LabelImage,
    nucleus_labels: LabelImage,
) -> Segmentation:
    """Number the cells and paint them at the field's size."""
    height, width = cell_labels.shape

    def centre(item: tuple[NDArray[np.bool_], NDArray[np.bool_], int, int]) -> tuple[float, float]:
        rows, columns = np.nonzero(item[1])
        return float(rows.mean() + item[3]), float(columns.mean() + item[2])

    cells: list[Cell] = []
    for nucleus, whole, left, top in sorted(found, key=centre):
        number = len(cells) + 1
        x, y = left * factor, top * factor
        big = (whole.shape[1] * factor, whole.shape[0] * factor)
        shapes = []
        for shape in (whole, nucleus):
            grown = cv2.resize(shape.astype(np.float32), big, interpolation=cv2.INTER_LINEAR) > 0.5
            shapes.append(grown[: height - y, : width - x])
        whole_fine, nucleus_fine = shapes
        rows = slice(y, y + whole_fine.shape[0])
        columns = slice(x, x + whole_fine.shape[1])
        whole_fine = whole_fine & (cell_labels[rows, columns] == 0)
        nucleus_fine = nucleus_fine & whole_fine
        if not nucleus_fine.any():
            continue
        cell_labels[rows, columns][whole_fine] = number
        nucleus_labels[rows, columns][nucleus_fine] = number
        contours, _ = cv2.findContours(
            whole_fine.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(x, y)
        )
        outline = cv2.approxPolyDP(max(contours, key=len), 1.0, closed=True)[:, 0]
        box, centroid, area = measure(whole_fine, x, y)
        nucleus_box, nucleus_centroid, nucleus_area = measure(nucleus_fine, x, y)
        touches = box[0] == 0 or box[1] == 0 or box[0] + box[2] == width or box[1] + box[3] == height
        reason = None
        if nucleus_area < 0.6 * radius**2 * math.pi * 0.5:
            reason = "platelet"
        elif touches and nucleus_area < 0.6 * radius**2 * math.pi:
            reason = "cut by the border"
        elif nucleus_area > 40 * radius**2 * math.pi:
            reason = "too large"
        cells.append(
            Cell(
                id=number,
                bbox=box,
                centroid=centroid,
                area=area,
                nucleus_bbox=nucleus_box,
                nucleus_centroid=nucleus_centroid,
                nucleus_area=nucleus_area,
                contour=tuple((int(px), int(py)) for px, py in outline),
                kind="candidate" if reason is None else "rejected",
                reason=reason,
            )
        )
    return Segmentation(tuple(cells), cell_labels, nucleus_labels)


def measure(shape: NDArray[np.bool_], x: int, y: int) -> tuple[tuple[int, int, int, int], tuple[float, float], int]:
    """Box, centroid and area of a mask whose origin lies at x, y."""
    moments = cv2.moments(shape.astype(np.uint8), binaryImage=True)
    bx, by, bw, bh = cv2.boundingRect(shape.astype(np.uint8))
    return (
        (bx + x, by + y, bw, bh),
        (moments["m10"] / moments["m00"] + x, moments["m01"] / moments["m00"] + y),
        int(moments["m00"]),
    )
