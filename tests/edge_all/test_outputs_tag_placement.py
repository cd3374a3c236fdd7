from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_all.outputs.tag_placement import Rectangle, place_tags


def apart(one: Rectangle, other: Rectangle) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_a_lone_tag_stands_above() -> None:
    assert place_tags([(100, 100, 160, 160)], [(40, 20)], 1000, 1000) == ((110, 80, 150, 100),)


def test_at_the_upper_edge_it_stands_below() -> None:
    assert place_tags([(100, 0, 160, 60)], [(40, 20)], 1000, 1000) == ((110, 60, 150, 80),)


def test_a_place_that_is_taken_is_not_taken_again() -> None:
    first, second = place_tags([(100, 100, 160, 160)] * 2, [(40, 20)] * 2, 1000, 1000)
    assert apart(first, second)


def test_tags_of_a_clump_do_not_cover_each_other() -> None:
    boxes = [(500 + 80 * x, 400 + 80 * y, 580 + 80 * x, 480 + 80 * y) for y in range(4) for x in range(5)]
    tags = place_tags(boxes, [(70, 24)] * len(boxes), 1600, 1200)
    assert all(apart(one, other) for one, other in itertools.combinations(tags, 2))


BOXES = st.tuples(st.integers(-20, 320), st.integers(-20, 320), st.integers(1, 200), st.integers(1, 200))
SIZES = st.tuples(st.integers(1, 120), st.integers(1, 40))


@settings(deadline=None)
@given(st.lists(st.tuples(BOXES, SIZES), max_size=12))
def test_every_cell_has_a_tag_of_its_size_inside_the_picture(cells: list[tuple[Rectangle, tuple[int, int]]]) -> None:
    boxes = [(x, y, x + width, y + height) for (x, y, width, height), _ in cells]
    sizes = [size for _, size in cells]
    tags = place_tags(boxes, sizes, 300, 300)
    assert [(right - left, bottom - top) for left, top, right, bottom in tags] == sizes
    assert all(left >= 0 and top >= 0 and right <= 300 and bottom <= 300 for left, top, right, bottom in tags)
