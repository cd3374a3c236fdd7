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
        hidden = [
            sum(_shared(place, other) for other in boxes) + TAG_OVER_TAG * sum(_shared(place, other) for other in taken)
            for place in places
        ]
        taken.append(places[hidden.index(min(hidden))])
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


def _shared(one: Rectangle, other: Rectangle) -> int:
    """Pixels that two rectangles share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0)
