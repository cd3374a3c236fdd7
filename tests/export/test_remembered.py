"""What images were segmented is kept between commands, to the bit, and is only a convenience."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_all.errors import CorruptImageError
from edge_all.files.cache_folder import CACHE_VARIABLE
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import Segmentation
from edge_all_export.datasets import locating, remembered
from edge_all_export.datasets.locating import segmented


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    pixels = render_field(3, width=500, height=420, spec=SmearSpec(blasts=3, platelets=2)).pixels
    cv2.imwrite(str(tmp_path / "field.png"), pixels[..., ::-1])
    return tmp_path / "field.png"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often something was segmented."""
    made: list[int] = []
    segment = locating.segment

    def counted(pixels: np.ndarray, **known: Any) -> Segmentation:  # noqa: ANN401 - as `segment`
        made.append(1)
        return segment(pixels, **known)

    monkeypatch.setattr(locating, "segment", counted)
    return made


def test_the_second_look_is_the_first_to_the_bit(image: Path, calls: list[int]) -> None:
    (first, *size), (second, *again) = segmented(image), segmented(image)
    assert len(calls) == 1
    assert size == again == [420, 500]
    assert second.cells == first.cells
    assert len(first.cells) >= 3
    for name in ("cell_labels", "nucleus_labels"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    values = [field.name for field in dataclasses.fields(first) if not field.name.endswith("_masks")]
    assert {"shape", "red_cell_radius"} <= set(values)
    assert {name: getattr(second, name) for name in values} == {name: getattr(first, name) for name in values}


def test_another_image_size_or_code_is_segmented_anew(
    image: Path, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    segmented(image)
    segmented(image, (600, 504))
    monkeypatch.setattr(remembered, "_code", lambda: "another segmentation")
    segmented(image)
    image.write_bytes(image.read_bytes() + b" ")
    segmented(image)
    assert len(calls) == 4


def test_a_damaged_entry_is_segmented_anew_and_mended(image: Path, calls: list[int], tmp_path: Path) -> None:
    first, *_ = segmented(image)
    (entry,) = (tmp_path / "cache" / "segmented").iterdir()
    for damaged in (b"", b"PK\x03\x04", entry.read_bytes()[:200]):
        entry.write_bytes(damaged)
        assert segmented(image)[0].cells == first.cells
    assert len(calls) == 4
    segmented(image)
    assert len(calls) == 4


def test_without_a_place_for_it_everything_goes_on(
    image: Path, calls: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    segmented(image)
    monkeypatch.setattr(remembered, "cache_folder", lambda: None)
    segmented(image)
    assert len(calls) == 2


def test_entries_that_nobody_asked_for_are_removed(image: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "segmented"
    folder.mkdir(parents=True)
    for name, days in (("old", 90), ("young", 10)):
        (folder / f"{name}.npz").write_bytes(b"")
        then = time.time() - days * 86400
        os.utime(folder / f"{name}.npz", (then, then))
    segmented(image)
    assert not (folder / "old.npz").exists()
    assert (folder / "young.npz").exists()


def test_what_cannot_be_read_is_said_as_ever(image: Path) -> None:
    image.write_bytes(b"")
    with pytest.raises(CorruptImageError, match=r"field\.png is empty"):
        segmented(image)
