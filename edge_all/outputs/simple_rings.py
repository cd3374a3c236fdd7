"""Outlines that touch or cross themselves, as rings that do not.

Where a cell is one pixel wide, the line around it goes there and back; and an outline with fewer corners than pixels
may cross itself. OGC Simple Features calls such polygons invalid, and QuPath refuses a whole file for one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["simple_rings"]

Ring = list[tuple[int, int]]


def simple_rings(contour: Sequence[tuple[int, int]]) -> list[Ring]:
    """A closed polygon as polygons that touch themselves nowhere, and each other in points at most.

    One that is simple is left as it is. Another is filled and traced again pixel by pixel, and taken apart wherever the
    line comes back to a pixel; parts without area are dropped. The rings miss the polygon by a pixel at most.

    Args:
        contour: x, y of its corners, the first not repeated.

    Returns:
        Rings, their first point not repeated; none where the polygon encloses nothing.
    """
    points = np.asarray(contour, np.int64).reshape(-1, 2)
    if len(points):
        points = points[(points != np.concatenate([points[-1:], points[:-1]])).any(axis=1)]
    if len(points) < 3:
        return []
    if not _touches_itself(points):
        return [[(x, y) for x, y in points.tolist()]] if _twice_the_area(points) else []
    corner = points.min(axis=0)
    mask = np.zeros((points.max(axis=0) - corner + 1)[::-1], np.uint8)
    cv2.fillPoly(mask, [(points - corner).astype(np.int32)], 1)
    traced, _ = cv2.findContours(
        mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(int(corner[0]), int(corner[1]))
    )
    parts = [part for line in traced for part in _apart(map(tuple, line[:, 0].tolist()))]
    return [_straightened(part) for part in parts if _twice_the_area(np.asarray(part, np.int64))]


def _touches_itself(points: NDArray[np.int64]) -> bool:
    """Whether two sides have more in common than the corner between them."""
    starts, ends = points, _following(points)
    along = ends - starts
    # A spike: the next side runs back along this one.
    following = _following(along)
    if ((_cross(along, following) == 0) & ((along * following).sum(axis=1) < 0)).any():
        return True
    # Only sides whose boxes meet are looked at: few of all pairs.
    low, high = np.minimum(starts, ends).T, np.maximum(starts, ends).T
    begun = (low[0][:, None] <= high[0]) & (low[1][:, None] <= high[1])
    one, other = np.divmod(np.flatnonzero(begun & begun.T), len(points))
    apart = (other - one > 1) & (other - one < len(points) - 1)
    one, other = one[apart], other[apart]
    # They meet where the ends of each lie on both sides of the other, or on it.
    return bool((_parted(starts, ends, one, other) & _parted(starts, ends, other, one)).any())


def _parted(
    starts: NDArray[np.int64], ends: NDArray[np.int64], by: NDArray[np.intp], which: NDArray[np.intp]
) -> NDArray[np.bool_]:
    along = ends[by] - starts[by]
    first, second = _cross(along, starts[which] - starts[by]), _cross(along, ends[which] - starts[by])
    return np.asarray(np.sign(first) * np.sign(second) <= 0, np.bool_)


def _cross(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0], np.int64)


def _apart(line: Iterable[tuple[int, int]]) -> list[Ring]:
    """A closed line of pixels, taken apart where it comes back to one of them."""
    parts: list[Ring] = []
    walked: Ring = []
    places: dict[tuple[int, int], int] = {}
    for point in line:
        if point in places:
            start = places[point]
            parts.append(walked[start:])
            for gone in walked[start + 1 :]:
                del places[gone]
            del walked[start + 1 :]
        else:
            places[point] = len(walked)
            walked.append(point)
    parts.append(walked)
    return parts


def _straightened(ring: Ring) -> Ring:
    """A ring without the pixels that lie on a straight line between their neighbours."""
    kept = []
    for before, (x, y), after in zip((ring[-1], *ring[:-1]), ring, (*ring[1:], ring[0]), strict=True):
        if (x - before[0], y - before[1]) != (after[0] - x, after[1] - y):
            kept.append((x, y))
    return kept


def _following(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each row's next one in a circle; `numpy.roll` takes five times as long over so few."""
    return np.concatenate([rows[1:], rows[:1]])


def _twice_the_area(points: NDArray[np.int64]) -> int:
    return abs(int(_cross(points, _following(points)).sum()))
