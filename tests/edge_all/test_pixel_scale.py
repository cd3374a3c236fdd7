"""The size of a pixel that a file states is used and said where it fits the field, and said where it does not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from edge_all.inputs import find_images
from edge_all.preprocessing import PreprocessingSpec
from edge_all.quality import SOFT_FOCUS, assess_quality
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import FieldResult
from edge_all.screening.field_screening import prepare_field

SMEAR = SmearSpec(blasts=3, lymphocytes=1, platelets=2)
SPEC = PreprocessingSpec(96, 2.0)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return render_field(0, width=560, height=560, spec=SMEAR).pixels


def screened(path: Path, pixels: np.ndarray, microns: float | None, given: float | None = None) -> FieldResult:
    options = {} if microns is None else {"resolution": (1 / microns, 1 / microns), "resolutionunit": "NONE"}
    text = None if microns is None else "ImageJ=1.54f\nunit=um\n"
    tifffile.imwrite(path, pixels, photometric="rgb", metadata=None, description=text, **options)
    (source,) = find_images([path])
    return prepare_field(source, SPEC, microns_per_pixel=given).result


@pytest.mark.parametrize(("sigma", "soft"), [(1.0, False), (3.0, True)])
def test_a_field_of_small_cells_is_soft_sooner(tmp_path: Path, sigma: float, soft: bool) -> None:
    """Of its edges in pixels alone nothing would be said."""
    large = render_field(0, width=1400, height=1000, spec=SmearSpec(blasts=5, lymphocytes=4)).pixels
    small = cv2.GaussianBlur(cv2.resize(large, (700, 500), interpolation=cv2.INTER_AREA), (0, 0), sigma)
    assert not assess_quality(np.asarray(small, np.uint8)).warnings
    result = screened(tmp_path / "soft.tif", np.asarray(small, np.uint8), None)
    assert result.quality is not None
    assert (SOFT_FOCUS in result.quality.warnings) is soft
    assert result.red_cell_radius == pytest.approx(21, abs=1)
    assert result.red_cell_error is not None
    assert result.red_cell_error < 0.1


def test_the_size_in_the_file_is_used_unless_it_is_given_or_cannot_be(tmp_path: Path, pixels: np.ndarray) -> None:
    plain = screened(tmp_path / "plain.tif", pixels, None)
    assert plain.candidates
    assert (plain.microns_per_pixel, plain.microns_per_pixel_from) == (None, None)
    fitting = next(
        size
        for size in (0.1, 0.15, 0.2, 0.3)
        if len(screened(tmp_path / "given.tif", pixels, None, size).candidates) == len(plain.candidates)
    )
    own = screened(tmp_path / "own.tif", pixels, fitting)
    assert own.microns_per_pixel == pytest.approx(fitting, rel=1e-3)
    assert own.microns_per_pixel_from == "ImageJ"
    assert len(own.candidates) == len(plain.candidates)

    for size in (0.02, 0.5, 0.8):
        absurd = screened(tmp_path / "absurd.tif", pixels, size)
        assert absurd.microns_per_pixel is None
        assert len(absurd.candidates) == len(plain.candidates)
        assert absurd.quality is not None
        assert any("was not used" in warning for warning in absurd.quality.warnings)

    both = screened(tmp_path / "both.tif", pixels, fitting * 2, given=fitting)
    assert (both.microns_per_pixel, both.microns_per_pixel_from) == (fitting, "given")
    assert both.quality is not None
    assert any("was given, which was used" in warning for warning in both.quality.warnings)
