"""Pictures that show no smear at all are not judged as one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import edge_all
from edge_all.results import RgbImage


def page_of_text(ink: tuple[int, int, int]) -> RgbImage:
    rng = np.random.default_rng(0)
    page = np.full((1200, 900, 3), 250, np.uint8)
    for line in range(30):
        words = "".join(rng.choice(list("abcdefghij klmnopqrstuvw xyz"), 50))
        cv2.putText(page, words, (30, 40 + 38 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.9, ink, 2, cv2.LINE_AA)
    return page


def purple_discs() -> RgbImage:
    rng = np.random.default_rng(1)
    slide = np.full((1000, 1300, 3), 235, np.uint8)
    for _ in range(60):
        place = int(rng.integers(60, 1240)), int(rng.integers(60, 940))
        cv2.circle(slide, place, int(rng.integers(25, 45)), (110, 50, 150), -1, cv2.LINE_AA)
    return slide


def tissue() -> RgbImage:
    """Pink all over, with many small purple nuclei, as in haematoxylin-eosin."""
    rng = np.random.default_rng(2)
    tissue = np.clip(np.full((1000, 1300, 3), (220, 150, 200)) + rng.normal(0, 6, (1000, 1300, 3)), 0, 255)
    tissue = tissue.astype(np.uint8)
    for _ in range(500):
        place = int(rng.integers(0, 1300)), int(rng.integers(0, 1000))
        axes = int(rng.integers(8, 14)), int(rng.integers(6, 10))
        cv2.ellipse(tissue, place, axes, float(rng.integers(0, 180)), 0, 360, (90, 50, 140), -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(tissue, (0, 0), 1), np.uint8)


@pytest.mark.parametrize(
    "picture",
    [page_of_text((30, 30, 30)), page_of_text((60, 30, 120)), purple_discs(), tissue()],
    ids=["black text", "violet text", "discs", "tissue"],
)
def test_what_is_no_smear_gets_no_verdict(picture: RgbImage) -> None:
    screener = edge_all.Screener()
    field = screener.screen(picture)
    assert screener.judge_slide([field]).verdict == "indeterminate"
