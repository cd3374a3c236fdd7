"""Fields out of a stream: one for each place at which the stage has come to rest, from a video file."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.errors import InputNotFoundError
from edge_all.imaging import read_image
from edge_all.rendering.field import render_field
from edge_all.rendering.spec import SmearSpec
from edge_all.results import RgbImage
from edge_all.station.intake.capturing import StillPictures, capture_fields

COMMAND = str(Path(sys.executable).with_name("edge-all"))
RATE = 20
SIDE = 320
PLACES = (0, 330, 660)


@pytest.fixture(scope="module")
def smear() -> RgbImage:
    """A strip of a smear, under which the camera moves."""
    return render_field(5, width=1000, height=700, spec=SmearSpec(blasts=2, neutrophils=2)).pixels[200 : 200 + SIDE]


def stage(smear: RgbImage, noise: float = 4.0) -> Iterator[RgbImage]:
    """What the camera sees: a second at each place, half a second of way between, and a short stop on the last way."""
    chance = np.random.default_rng(0)
    at = [PLACES[0]] * RATE
    for start, end in pairwise(PLACES):
        way = np.linspace(start, end, RATE // 2).astype(int).tolist()
        at += [*way, *[end] * RATE]
    for left in at:
        seen = smear[:, left : left + SIDE] + chance.normal(0, noise, (SIDE, SIDE, 3))
        yield np.clip(seen, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def video(smear: RgbImage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "stage.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE, (SIDE, SIDE))
    for seen in stage(smear):
        writer.write(cv2.cvtColor(seen, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def test_each_place_at_which_the_stage_rests_is_one_field(video: Path, smear: RgbImage, tmp_path: Path) -> None:
    taken = list(capture_fields(str(video), tmp_path / "slide", threading.Event()))
    assert [path.name for path in taken] == ["field-0001.png", "field-0002.png", "field-0003.png"]
    for path, left in zip(taken, PLACES, strict=True):
        difference = read_image(path).astype(int) - smear[:, left : left + SIDE].astype(int)
        assert np.abs(difference).mean() < 8
    again = list(capture_fields(str(video), tmp_path / "slide", threading.Event()))
    assert [path.name for path in again] == ["field-0004.png", "field-0005.png", "field-0006.png"]


def test_a_lamp_turned_up_noise_and_focus_are_no_movement(smear: RgbImage) -> None:
    still, chance = StillPictures(), np.random.default_rng(0)
    place = smear[:, :SIDE].astype(float)
    fields = 0
    for number in range(100):
        seen = place * (1 + 0.001 * number) + chance.normal(0, 5, place.shape)
        pixels = np.clip(seen, 0, 255).astype(np.uint8)
        if 40 <= number < 60:
            pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 2), np.uint8)
        fields += still.is_field(pixels, number / RATE)
    assert fields == 1


def test_a_stage_that_never_rests_gives_nothing(smear: RgbImage) -> None:
    still = StillPictures()
    assert not any(still.is_field(smear[:, left : left + SIDE], left / 10 / RATE) for left in range(0, 680, 10))


@pytest.mark.parametrize("source", ["97", "none.avi", __file__])
def test_what_gives_no_picture_is_said(source: str, tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="gives no picture"):
        next(capture_fields(source, tmp_path, threading.Event()))


def test_the_command_says_what_it_took(video: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [COMMAND, "capture", str(video), "-o", str(tmp_path / "slide")], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "3 fields"
    assert len(list((tmp_path / "slide").iterdir())) == 3
