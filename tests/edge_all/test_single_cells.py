"""A crop is judged by the cell in its middle, whatever its margin."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.api.screener import Screener
from edge_all.classification.classifier import Classifier, Judgement
from edge_all.inputs import find_images
from edge_all.model.package import load_package
from edge_all.preprocessing import crop_cell, crop_window
from edge_all.rendering import SmearSpec, render_field
from edge_all.screening.single_cells import (
    RATHER_UNLIKE,
    SCALE_UNKNOWN,
    UNLIKE,
    CropResult,
    PreparedCrop,
    classify_crops,
    judge_crops,
)
from edge_all.segmentation import segment


@pytest.fixture
def classifier(tiny_package: Path) -> Classifier:
    return Classifier(load_package(tiny_package))


def write_crop(path: Path, factor: float) -> None:
    field = render_field(5, width=500, height=500, spec=SmearSpec(blasts=1))
    blast = next(cell for cell in field.cells if cell.kind == "blast")
    cv2.imwrite(str(path), crop_window(field.pixels, blast.bbox, factor)[..., ::-1])


def test_the_margin_of_a_crop_hardly_matters(tmp_path: Path, classifier: Classifier) -> None:
    for number, factor in enumerate((1.4, 2.0, 2.6)):
        write_crop(tmp_path / f"{number}.png", factor)
    crops = list(Screener.of(classifier).classify(find_images([tmp_path / f"{number}.png" for number in range(3)])))
    assert [crop.status for crop in crops] == ["ok"] * 3
    probabilities = [crop.probability for crop in crops if crop.probability is not None]
    assert max(probabilities) - min(probabilities) < 0.15


def test_an_image_without_a_cell_is_not_called_negative(tmp_path: Path, classifier: Classifier) -> None:
    field = render_field(1, width=250, height=250, spec=SmearSpec())
    cv2.imwrite(str(tmp_path / "red_cells.png"), field.pixels[..., ::-1])
    (crop,) = Screener.of(classifier).classify(find_images([tmp_path / "red_cells.png"]))
    assert crop.status == "unusable"
    assert crop.label is None
    assert crop.error


def test_the_note_says_how_many_cells_a_whole_field_holds(tmp_path: Path, classifier: Classifier) -> None:
    write_crop(tmp_path / "one.png", 3.2)
    field = render_field(1, width=600, height=600, spec=SmearSpec(blasts=4))
    cv2.imwrite(str(tmp_path / "many.png"), field.pixels[..., ::-1])
    wide = render_field(2, width=1200, height=1000, spec=SmearSpec(blasts=1)).pixels
    cv2.imwrite(str(tmp_path / "wide.png"), wide[..., ::-1])
    images = find_images([tmp_path / f"{name}.png" for name in ("many", "one", "wide")])
    many, one, wide_one = Screener.of(classifier).classify(images)
    assert many.note is not None
    assert many.note.endswith("The image holds 4 cells; the one in the middle was judged.")
    assert one.note is None
    assert SCALE_UNKNOWN not in (wide_one.note or "")


@pytest.mark.parametrize(
    ("unlike", "said"), [(None, None), (0.4, None), (0.7, RATHER_UNLIKE), (1.2, f"It is small. {UNLIKE}")]
)
def test_the_note_says_that_a_cell_is_unlike_what_the_model_has_learned(
    unlike: float | None, said: str | None, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classifier, "judge", lambda *_: (Judgement(0.97, "indeterminate", unlike),))
    note = "It is small." if said is not None and "small" in said else None
    crop = PreparedCrop(CropResult("a.png", "ok", note=note), np.zeros((8, 8, 3), np.uint8))
    (judged,) = judge_crops([crop], classifier)
    assert judged.result.note == said


def test_a_picture_with_nothing_around_its_cell_says_that_its_scale_is_not_known(
    tmp_path: Path, classifier: Classifier
) -> None:
    truth = (field := render_field(1, width=1200, height=1000, spec=SmearSpec(blasts=1))).cells[0]
    x, y = (round(value) for value in truth.centroid)
    tight = field.pixels[y - 65 : y + 65, x - 65 : x + 65]
    cv2.imwrite(str(tmp_path / "tight.png"), tight[..., ::-1])
    (result,) = Screener.of(classifier).classify(find_images([tmp_path / "tight.png"]))
    assert result.note == SCALE_UNKNOWN


def test_a_damaged_crop_does_not_stop_the_others(tmp_path: Path, classifier: Classifier) -> None:
    write_crop(tmp_path / "a.png", 2.0)
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    cv2.imwrite(str(tmp_path / "c.png"), np.full((200, 200, 3), 255, np.uint8))
    crops = list(Screener.of(classifier).classify(find_images([tmp_path / f"{name}.png" for name in "abc"])))
    assert [crop.status for crop in crops] == ["ok", "error", "unusable"]


def test_of_several_cells_the_one_in_the_middle_is_judged(tmp_path: Path, classifier: Classifier) -> None:
    field = render_field(3, width=700, height=700, spec=SmearSpec(blasts=4, lymphocytes=2))
    expected, last = [], []
    # Cut out so that another cell lies in the middle each time, with others around it.
    for number, truth in enumerate(field.cells):
        x, y = (round(value) for value in truth.centroid)
        pixels = cv2.copyMakeBorder(field.pixels, 250, 250, 250, 250, cv2.BORDER_REFLECT)[y : y + 500, x : x + 500]
        cv2.imwrite(str(tmp_path / f"{number}.png"), pixels[..., ::-1])
        segmentation = segment(np.ascontiguousarray(pixels))
        middle = min(segmentation.cells, key=lambda cell: math.dist(cell.centroid, (250, 250)))
        crop = crop_cell(pixels, middle, segmentation.cell_labels, classifier.spec)
        expected.append(classifier.judge(crop[None])[0].probability)
        last.append(middle.id in {1, len(segmentation.cells)})
    assert not any(last)
    images = find_images([tmp_path / f"{number}.png" for number in range(len(expected))])
    assert [crop.result.probability for crop in classify_crops(images, classifier)] == expected
