from __future__ import annotations

import pytest

from edge_all.imaging.display import (
    LARGEST_SIDE,
    READABLE_SIDE,
    SHOWN_SIDE,
    display_scale,
    display_size,
    whole_reduction,
)


@pytest.mark.parametrize("step", [1, 7, 97])
def test_every_field_is_shown_readable_and_no_larger_than_a_screen(step: int) -> None:
    for width in range(1, 200 * step, step):
        for height in (1, width // 2 + 1, width):
            size = display_size(width, height)
            assert READABLE_SIDE <= max(size) <= LARGEST_SIDE
            scale = display_scale(width, height)
            assert all(abs(shown - scale * side) <= 1 for shown, side in zip(size, (width, height), strict=True))


def test_a_field_shrunk_by_a_whole_number_has_what_is_shown_of_it() -> None:
    for width in range(1, 20_000, 13):
        whole, shown = whole_reduction(width, width // 2), display_size(width, width // 2)[0]
        assert whole == 1 or width // whole >= max(SHOWN_SIDE, shown)
        assert width < 2 * LARGEST_SIDE or whole > 1, "it would be kept much larger than it is shown"
