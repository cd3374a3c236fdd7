"""Where the tags of cells stand, so that clumped cells can still be told apart."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Rectangle", "place_tags"]

Rectangle = tuple[int, int, int, int]
"""left, top, right, bottom; right and bottom lie outside."""

TAG_OVER_TAG = 20
"""A tag over another tag can be read no more; over a cell it hides some of it. How many times worse the first is."""


def place_tags(
    boxes: Sequence[Rectangle], sizes: Sequence[tuple[int, int]], width: int, height: int
) -> tuple[Rectangle, ...]:
    """Put one tag beside each box: above, below, right, left or in the middle, where it hides least.

    The boxes are served in their order; each tag takes the first of the best places, given those already taken.

    Args:
        boxes: of the cells.
        sizes: width and height of the tag of each.
        width: of the picture; tags are moved inside it.
        height: of the picture.

    Returns:
        The place of each tag.
    """
    taken: list[Rectangle] = []
    for box, size in zip(boxes, sizes, strict=True):
        places = [_inside(place, width, height) for place in _beside(box, size)]
        taken.append(min(places, key=lambda place: _shared(place, boxes) + TAG_OVER_TAG * _shared(place, taken)))
    return tuple(taken)


def _beside(box: Rectangle, size: tuple[int, int]) -> list[Rectangle]:
    left, top, right, bottom = box
    width, height = size
    column, row = (left + right - width) // 2, (top + bottom - height) // 2
    corners = [(column, top - height), (column, bottom), (right, row), (left - width, row), (column, row)]
    return [(x, y, x + width, y + height) for x, y in corners]


def _inside(place: Rectangle, width: int, height: int) -> Rectangle:
    """The place moved into the picture; at the left and top edge where it does not fit at all."""
    left = max(0, min(place[0], width - (place[2] - place[0])))
    top = max(0, min(place[1], height - (place[3] - place[1])))
    return left, top, left + place[2] - place[0], top + place[3] - place[1]


def _shared(one: Rectangle, others: Sequence[Rectangle]) -> int:
    """Pixels that a rectangle shares with others."""
    left, top, right, bottom = one
    pixels = 0
    for x0, y0, x1, y1 in others:
        # Nearly all lie apart, which comparisons tell in a fraction of the time.
        if x0 < right and left < x1 and y0 < bottom and top < y1:
            pixels += (min(right, x1) - max(left, x0)) * (min(bottom, y1) - max(top, y0))
    return pixels
