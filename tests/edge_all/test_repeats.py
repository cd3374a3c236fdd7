"""The same picture is known again however it was turned or brightened, counts once, and no other is taken for it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.imaging.fingerprints import SAME, fingerprint, from_text, least_distances, packed, to_text
from edge_all.model.card import Thresholds
from edge_all.outputs.report.galleries import Pictures
from edge_all.outputs.report.html_report import write_report
from edge_all.outputs.run_summary import RunSummary
from edge_all.results import Cell, FieldResult
from edge_all.slides.repeats import repeated_fields
from edge_all.slides.settling import SettledSlides
from edge_all.slides.verdict import judge_slide
from edge_all.wording.language import Language


def picture(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(40, 220, (12, 16, 3), np.uint8)
    return cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC)


def distance(one: np.ndarray, other: np.ndarray) -> int:
    return int(least_distances(packed(fingerprint(one))[None], fingerprint(other))[0])


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("change", [0, 14, -25])
def test_copies_in_all_orientations_and_brightness_are_the_same(turns: int, mirrored: bool, change: int) -> None:
    copy = np.rot90(picture(1)[:, ::-1] if mirrored else picture(1), turns)
    copy = np.clip(copy.astype(int) + change, 0, 255).astype(np.uint8)
    coded = cv2.imdecode(cv2.imencode(".jpg", np.ascontiguousarray(copy), [1, 60])[1], 1)
    assert distance(picture(1), coded) <= SAME


def test_other_pictures_are_not() -> None:
    assert min(distance(picture(1), picture(seed)) for seed in range(2, 60)) > SAME


def test_a_hash_survives_its_text() -> None:
    square = fingerprint(picture(3))
    assert np.array_equal(from_text(to_text(square)), square)


def field(name: str, pixels: np.ndarray, blasts: int, *, slide: str = "s") -> FieldResult:
    cell = Cell(1, (0, 0, 9, 9), (4, 4), 60, (1, 1, 7, 7), (4, 4), 40, "candidate", contour=((0, 0), (9, 0), (9, 9)))
    cells = tuple(dataclasses.replace(cell, id=number + 1, label="ALL", probability=0.9) for number in range(blasts))
    return FieldResult(name, slide, "ok", cells=cells, fingerprint=to_text(fingerprint(pixels)))


def test_a_repeated_field_counts_once_and_is_said() -> None:
    fields = [field("a", picture(1), 5), field("b", picture(2), 3), field("c", np.rot90(picture(1)), 5)]
    assert repeated_fields(fields) == {"c": "a"}
    slide = judge_slide("s", fields, Thresholds(0.5, 0.5, None, false_positive_rate=0.01))
    assert slide.cells["ALL"] == 8
    assert slide.fields["ok"] == 3
    assert any("c = a" in warning and "count once" in warning for warning in slide.warnings)
    assert slide.to_json()["repeated_fields"] == {"c": "a"}


def test_a_report_says_which_of_its_counts_hold_repeated_fields(tmp_path: Path) -> None:
    fields = (field("a", picture(1), 5), field("b", picture(2), 3), field("c", picture(1), 5))
    slide = judge_slide("s", fields, Thresholds(0.5, 0.5, None, false_positive_rate=0.01))
    write_report(tmp_path / "report.html", RunSummary(fields, (slide,)), Pictures(), language=Language("en"))
    report = (tmp_path / "report.html").read_text()
    assert "<b>8</b> ALL" in report
    assert "13 white cell candidates, 5 of them in fields that repeat another" in report
    assert "Called ALL (13)" in report
    assert "5 of them lie in fields that repeat another, and are in no count." in report
    assert "Shows the same picture as <bdi>a</bdi>: its cells are in no count." in report


def test_the_same_field_on_two_slides_is_no_repetition() -> None:
    assert repeated_fields([field("a", picture(1), 5), field("b", picture(1), 5, slide="t")]) == {}


def test_a_slide_is_not_settled_by_one_field_over_and_over() -> None:
    settled = SettledSlides(Thresholds(0.5, 0.5, None, false_positive_rate=0.2))
    for number in range(100):
        settled.add(field(f"copy {number}", picture(1), 2))
    assert "s" not in settled
    for number in range(100):
        settled.add(field(f"other {number}", picture(number + 10), 2))
    assert "s" in settled
