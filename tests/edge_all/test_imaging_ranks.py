"""Medians and percentiles that are NumPy's."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_all.imaging.ranks import median_of, percentile_of, percentile_of_levels

PERCENTS = st.sampled_from([0, 25, 40, 50, 75, 90, 95, 98, 99, 99.9, 100])
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=30)


@given(levels=hnp.arrays(np.uint8, SHAPES), percent=PERCENTS)
def test_percentiles_of_levels_are_those_of_numpy(levels: np.ndarray, percent: float) -> None:
    assert percentile_of_levels(levels, percent) == float(np.percentile(levels, percent))


@given(levels=hnp.arrays(np.uint8, (8, 9)), mask=hnp.arrays(np.uint8, (8, 9)), percent=PERCENTS)
def test_only_pixels_in_the_mask_count(levels: np.ndarray, mask: np.ndarray, percent: float) -> None:
    if mask.any():
        assert percentile_of_levels(levels, percent, mask) == float(np.percentile(levels[mask > 0], percent))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@given(data=st.data(), percent=PERCENTS)
def test_percentiles_and_medians_of_numbers_are_those_of_numpy(kind: type, data: st.DataObject, percent: float) -> None:
    values = data.draw(hnp.arrays(kind, SHAPES, elements=st.floats(-1000, 1000, width=32)))
    # In 32 bits NumPy has rounded the rank in several ways over its versions.
    assert percentile_of(values, percent) == pytest.approx(float(np.percentile(values, percent)), rel=1e-4, abs=1e-4)
    assert median_of(values) == pytest.approx(float(np.median(values)), rel=1e-6)


def test_percentiles_of_many_numbers_are_those_of_numpy_to_the_bit() -> None:
    random = np.random.default_rng(1)
    for size in (1, 2, 5, 1000, 77_777):
        values = random.normal(size=size)
        for kind in (np.float32, np.float64):
            own = values.astype(kind)
            for percent in (25, 98, 99.9):
                assert percentile_of(own, percent) == float(np.percentile(own, percent))
            assert median_of(own) == float(np.median(own))


def test_they_leave_masked_arrays_alone() -> None:
    code = (
        "import sys, numpy as np; from edge_all.imaging import ranks\n"
        "ranks.median_of(np.ones(3)), ranks.percentile_of(np.ones(3), 50)\n"
        "ranks.percentile_of_levels(np.ones((3, 3), np.uint8), 50)\n"
        "print('numpy.ma' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
