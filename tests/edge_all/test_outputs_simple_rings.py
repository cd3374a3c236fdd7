from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, Polygon

from edge_all.outputs.simple_rings import simple_rings

corner = st.tuples(st.integers(0, 24), st.integers(0, 24))


@settings(max_examples=400)
@given(st.lists(corner, max_size=14))
def test_any_polygon_becomes_valid_ones(contour: list[tuple[int, int]]) -> None:
    rings = simple_rings(contour)
    assert MultiPolygon([Polygon(ring) for ring in rings]).is_valid
    if len(contour) > 2 and Polygon(contour).is_valid and Polygon(contour).area:
        assert len(rings) == 1
        assert Polygon(rings[0]).equals(Polygon(contour))


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.4, 0.6, 0.75]))
def test_the_outline_of_any_mask_becomes_valid_and_keeps_to_it(seed: int, share: float) -> None:
    mask = (np.random.default_rng(seed).random((14, 14)) < share).astype(np.uint8)
    lines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for line in lines:
        outline = [(int(x), int(y)) for x, y in line[:, 0]]
        rings = simple_rings(outline)
        assert MultiPolygon([Polygon(ring) for ring in rings]).is_valid
        filled = np.zeros_like(mask)
        cv2.fillPoly(filled, [line], 1)
        assert all(filled[y, x] for ring in rings for x, y in ring)


def test_two_bodies_on_a_thread_are_two_rings_and_the_thread_is_dropped() -> None:
    # A square, a line of one pixel there and back, and another square.
    contour = [(0, 0), (4, 0), (4, 2), (9, 2), (9, 0), (13, 0), (13, 4), (9, 4), (9, 2), (4, 2), (4, 4), (0, 4)]
    assert not Polygon(contour).is_valid
    rings = simple_rings(contour)
    # The corner where the thread leaves is drawn as a slope.
    assert sorted(Polygon(ring).area for ring in rings) == [17, 17]
    assert not any(Polygon(ring).contains(Point(6, 2)) for ring in rings)


@pytest.mark.parametrize("contour", [[], [(3, 3)], [(3, 3), (9, 3)], [(3, 3), (5, 3), (9, 3)]])
def test_what_encloses_nothing_has_no_ring(contour: list[tuple[int, int]]) -> None:
    assert simple_rings(contour) == []
