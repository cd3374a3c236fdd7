"""Images whose red and blue stand in each other's place are told from stains, and never judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edge_all
from edge_all.rendering import SmearSpec, render_field
from edge_all.rendering.stain import STAIN_NAMES, StainName
from edge_all.results import RgbImage
from edge_all.segmentation import segment
from edge_all.segmentation.doubts import channels_are_swapped


def field(stain: StainName, seed: int = 1) -> RgbImage:
    return render_field(seed, width=720, height=560, spec=SmearSpec(blasts=4, lymphocytes=2, stain=stain)).pixels


def swapped(pixels: RgbImage) -> RgbImage:
    return np.ascontiguousarray(pixels[..., ::-1])


@pytest.mark.parametrize("stain", STAIN_NAMES)
def test_no_stain_that_we_render_passes_for_swapped_channels(stain: StainName) -> None:
    assert not channels_are_swapped(segment(field(stain)))


@pytest.mark.parametrize("stain", STAIN_NAMES)
def test_no_cell_is_judged_in_swapped_channels(stain: StainName, tiny_package: Path) -> None:
    result = edge_all.Screener(model=tiny_package).screen(swapped(field(stain)))
    if result.status == "ok":
        assert not result.candidates  # nothing of a nucleus's colour is left: no verdict either
    else:
        assert result.status == "unusable"
        assert "red and blue are swapped" in str(result.error)


def test_a_slide_of_swapped_channels_is_never_negative_nor_suspicious(tiny_package: Path) -> None:
    screener = edge_all.Screener(model=tiny_package)
    fields = [screener.screen(swapped(field("grey", seed))) for seed in range(3)]
    assert screener.judge_slide(fields).verdict == "indeterminate"
    assert "unusable" in {one.status for one in fields}


def test_one_cell_in_swapped_channels_is_not_classified(tiny_package: Path) -> None:
    pixels = render_field(4, width=220, height=220, spec=SmearSpec(blasts=1)).pixels
    result = edge_all.Screener(model=tiny_package).classify(swapped(pixels))
    assert result.status == "unusable"
