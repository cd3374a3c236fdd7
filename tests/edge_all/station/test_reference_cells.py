"""Reference cells: the nearest confirmed ones, by the network's features."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.api.screener import Screener
from edge_all.errors import ImageError, UsageError
from edge_all.outputs.pictures import png_bytes
from edge_all.rendering.field import render_field
from edge_all.rendering.spec import SmearSpec
from edge_all.station.desk import Station
from edge_all.station.intake.judging import judge_of
from edge_all.station.network_crops import cut_found_cells
from edge_all.station.reference_cells import ReferenceCells
from edge_all.station.storage.found_fields import ImageFile, record_finding
from edge_all.station.storage.slide_records import find_or_add_slide


@pytest.fixture(params=["camera", "glass"])
def reviewed(
    request: pytest.FixtureRequest, station: Station, tmp_path: Path, make_tiny_package: Callable[..., Path]
) -> tuple[Station, ReferenceCells, list[str], Screener]:
    """A station with two slides that a real (if tiny) network has judged, the codes, and its reference cells."""
    screener = Screener(make_tiny_package(tmp_path / "package", white_point=request.param), device="cpu")
    judge = judge_of(screener)
    for number in (1, 2):
        path = tmp_path / f"{number}.png"
        spec = SmearSpec(blasts=3, neutrophils=2, lymphocytes=2)
        path.write_bytes(png_bytes(render_field(number, width=900, height=700, spec=spec).pixels))
        with station.database.write() as connection:
            slide = find_or_add_slide(connection, "/x", str(number))
            file = ImageFile(slide.id, str(path), 0, hashlib.sha256(path.read_bytes()).hexdigest())
            record_finding(connection, file, screener.screen(path), judge.model)
    codes = [one.slide.code for one in sorted(station.slides("Curie"), key=lambda one: one.slide.id)]
    return station, ReferenceCells(station, screener.classifier), codes, screener


def sign(station: Station, code: str) -> None:
    review = station.review(code, "Curie")
    review.sign("reviewed", "routine", review.mark_seen({one.id: 0 for one in review.view().cells}).view.last_seq)


def test_the_nearest_confirmed_cells_are_those_by_the_networks_features(
    reviewed: tuple[Station, ReferenceCells, list[str], Screener],
) -> None:
    station, references, (first, second), screener = reviewed
    view = station.review(second, "Curie").view()
    asked = next(cell for cell in view.cells if cell.software_label == "ALL")
    assert references.learn() == 0
    assert references.nearest(view, asked) == ()
    sign(station, first)
    other = station.review(first, "Curie").view()
    confirmed = [cell for cell in other.cells if cell.counts_as in ("ALL", "non-ALL") and cell.found]
    assert references.learn(most=2) == 2
    assert references.learn() == len(confirmed) - 2
    assert references.learn() == 0
    found = references.nearest(view, asked, count=100)
    assert {one.cell for one in found} == {cell.id for cell in confirmed}
    assert {(one.slide, one.by) for one in found} == {(first, "Curie")}
    # Once more, by hand.
    own = features_of(station, screener, view.fields[0], [asked.found])[0]
    others = features_of(station, screener, other.fields[0], [cell.found for cell in confirmed])
    likeness = {cell.id: float(row @ own) for cell, row in zip(confirmed, others, strict=True)}
    assert [one.cell for one in found] == sorted(likeness, key=lambda name: -likeness[name])
    assert [one.likeness for one in found] == pytest.approx(sorted(likeness.values(), reverse=True), abs=1e-5)


def features_of(station: Station, screener: Screener, field: object, cells: object) -> np.ndarray:
    current, found = field  # type: ignore[misc]
    crops = cut_found_cells(station, current, found, cells, screener.classifier.spec)  # type: ignore[arg-type]
    rows = screener.classifier.features(crops.pixels)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def test_a_cell_on_black_is_cut_as_it_was_when_it_was_judged(
    station: Station, tmp_path: Path, make_tiny_package: Callable[..., Path]
) -> None:
    screener = Screener(make_tiny_package(tmp_path / "package"), device="cpu")
    smear = render_field(5, width=500, height=500, spec=SmearSpec(blasts=1))
    x, y, width, height = smear.cells[0].bbox
    pixels = np.zeros((450, 450, 3), np.uint8)
    shown = cv2.ellipse(
        np.zeros((500, 500), np.uint8), ((x + width / 2, y + height / 2), (0.9 * width, 0.9 * height), 0.0), 1, -1
    )[y : y + height, x : x + width]
    window = pixels[200 - height // 2 :, 200 - width // 2 :][:height, :width]
    np.copyto(window, smear.pixels[y : y + height, x : x + width], where=shown[..., None] > 0)
    path = tmp_path / "cut out.png"
    path.write_bytes(png_bytes(pixels))
    result = screener.screen(path)
    (cell,) = result.candidates
    with station.database.write() as connection:
        slide = find_or_add_slide(connection, "/x", "1")
        file = ImageFile(slide.id, str(path), 0, hashlib.sha256(path.read_bytes()).hexdigest())
        record_finding(connection, file, result, judge_of(screener).model)
    ((field, found),) = station.review(slide.code, "Curie").view().fields
    summary = next(one for one in found.summary.cells if one.id == cell.id)
    (crop,) = cut_found_cells(station, field, found, [summary], screener.classifier.spec).pixels
    np.testing.assert_array_equal(crop, result.crop(cell))


def test_a_cell_is_not_its_own_reference(
    reviewed: tuple[Station, ReferenceCells, list[str], Screener],
) -> None:
    station, references, (first, _), _ = reviewed
    sign(station, first)
    references.learn()
    view = station.review(first, "Curie").view()
    asked = next(cell for cell in view.cells if cell.counts_as == "ALL")
    assert asked.id not in {one.cell for one in references.nearest(view, asked, count=100)}


def test_what_has_no_features_is_said(reviewed: tuple[Station, ReferenceCells, list[str], Screener]) -> None:
    station, references, (first, _), _ = reviewed
    review = station.review(first, "Curie")
    done = review.draw(1, (300.0, 300.0, 20.0), "ALL")
    with pytest.raises(UsageError, match="drawn"):
        references.nearest(done.view, done.cells[0])
    Path(done.view.fields[0][0].path or "").unlink()
    asked = next(cell for cell in done.view.cells if cell.counts_as == "ALL" and cell.found)
    with pytest.raises(ImageError, match="cannot be read"):
        references.nearest(done.view, asked)
    review.sign("reviewed", "r", review.mark_seen({one.id: 0 for one in review.view().cells}).view.last_seq)
    assert references.learn() == 0
