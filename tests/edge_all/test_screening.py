"""The pipeline judges rendered fields, keeps their order, and is not stopped by a bad one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.classification.classifier import Classifier
from edge_all.imaging import read_image
from edge_all.imaging.display import CELL_SIDE
from edge_all.inputs import find_images
from edge_all.model.package import load_package
from edge_all.preprocessing import Background, PreprocessingSpec, crop_cells
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import FieldResult
from edge_all.screening import field_screening, pixel_scale
from edge_all.screening.field_screening import prepare_field, screen_fields

SPEC = SmearSpec(blasts=3, lymphocytes=1, platelets=2)


@pytest.fixture
def classifier(tiny_package: Path) -> Classifier:
    return Classifier(load_package(tiny_package))


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed."""
    folder = tmp_path_factory.mktemp("fields") / "slide"
    folder.mkdir()
    for seed in range(4):
        field = render_field(seed, width=560, height=560, spec=SPEC)
        cv2.imwrite(str(folder / f"field{seed}.png"), field.pixels[..., ::-1])
    (folder / "field1b.png").write_bytes(b"no image at all")
    return folder


def results(folder: Path, classifier: Classifier) -> list[FieldResult]:
    return [field.result for field in screen_fields(find_images([folder]), classifier)]


def without_timings(fields: Sequence[FieldResult]) -> list[dict[str, object]]:
    return [{**field.to_json(), "timings_ms": None} for field in fields]


def test_fields_come_out_in_order_and_a_bad_one_says_so(slide: Path, classifier: Classifier) -> None:
    fields = results(slide, classifier)
    assert [Path(field.image).name for field in fields] == [
        "field0.png", "field1.png", "field1b.png", "field2.png", "field3.png",
    ]  # fmt: skip
    assert [field.status for field in fields] == ["ok", "ok", "error", "ok", "ok"]
    assert fields[2].error is not None
    assert "field1b.png" in fields[2].error


def test_every_cell_gets_its_own_probability(slide: Path, classifier: Classifier) -> None:
    sources = find_images([slide])
    fields = list(screen_fields(sources, classifier, activations=True))
    for source, field in zip(sources, fields, strict=True):
        prepared = prepare_field(source, classifier.spec)
        for cell, crop in zip(field.result.candidates, prepared.crops.pixels, strict=True):
            (alone,) = classifier.judge(crop[None], activations=True)
            assert (cell.probability, cell.label) == (alone.probability, alone.label)
            assert cell.out_of_distribution == alone.out_of_distribution
            assert alone.activation is not None
            assert np.array_equal(field.activations[cell.id], alone.activation)
        apart = {cell.probability for cell in field.result.candidates}
        assert len(apart) == len(field.result.candidates), "cells that are alike would prove nothing"


def test_every_candidate_is_judged_and_nothing_else(slide: Path, classifier: Classifier) -> None:
    fields = results(slide, classifier)
    assert sum(len(field.candidates) for field in fields) >= 8
    for cell in (cell for field in fields for cell in field.cells):
        assert (cell.probability is not None) == (cell.kind == "candidate") == (cell.label is not None)
        assert (cell.reason is not None) == (cell.kind == "rejected")


@pytest.mark.parametrize(
    ("size", "background", "own"),
    [(64, "keep", False), (CELL_SIDE, "keep", True), (CELL_SIDE, "blank", False), (200, "keep", True)],
)
def test_people_are_shown_what_the_network_saw_large_enough_and_with_its_neighbours(
    slide: Path, size: int, background: Background, own: bool
) -> None:
    source = find_images([slide / "field0.png"])[0]
    prepared = prepare_field(source, PreprocessingSpec(size, 2.0, background))
    whole = crop_cells(
        read_image(source.path), prepared.result.candidates, None, PreprocessingSpec(max(size, CELL_SIDE), 2.0)
    )
    assert len(whole) >= 2
    # For the eye they are shrunk in a sixth of the time; another place, white point or neighbour differs by far more.
    assert prepared.squares.shape == whole.shape
    assert np.abs(prepared.squares.astype(int) - whole).mean(axis=(1, 2, 3)).max() < (0.1 if own else 3)
    assert (prepared.squares is prepared.crops.pixels) == own, "no second copy is kept"


def test_a_turned_field_has_the_same_answers_and_its_maps_turned(
    slide: Path, tmp_path: Path, tiny_package_factory: Callable[..., Path]
) -> None:
    upright = Classifier(load_package(tiny_package_factory(white_point="glass", orientation="upright", factor=2.5)))
    pixels = cv2.imread(str(slide / "field0.png"))
    found = []
    for way, image in enumerate([pixels, pixels[::-1], pixels.swapaxes(0, 1)]):
        cv2.imwrite(str(tmp_path / f"{way}.png"), image)
        (field,) = screen_fields(find_images([tmp_path / f"{way}.png"]), upright, activations=True)
        cells = sorted(field.result.candidates, key=lambda cell: cell.probability or 0.0)
        found.append(([cell.probability for cell in cells], [field.activations[cell.id] for cell in cells]))
    (said, maps), (said_mirrored, mirrored), (said_transposed, transposed) = found
    assert len(set(said)) >= 2
    assert said == said_mirrored == said_transposed
    for one, other, third in zip(maps, mirrored, transposed, strict=True):
        assert np.ptp(one) > 0
        np.testing.assert_array_equal(other, one[::-1])
        np.testing.assert_array_equal(third, one.T)


def test_of_a_large_field_no_more_is_kept_than_is_shown(tmp_path: Path, classifier: Classifier) -> None:
    pixels = render_field(0, width=560, height=560, spec=SPEC).pixels
    cv2.imwrite(str(tmp_path / "large.png"), cv2.resize(pixels[..., ::-1], (2800, 2800)))
    (field,) = screen_fields(find_images([tmp_path / "large.png"]), classifier)
    assert field.result.width == 2800
    assert field.picture is not None
    assert field.picture.shape == (1400, 1400, 3)


def test_results_do_not_depend_on_how_fields_are_grouped(
    slide: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = without_timings(results(slide, classifier))
    monkeypatch.setattr(field_screening, "CELLS_PER_ROUND", 1)
    monkeypatch.setattr(field_screening, "available_cores", lambda: 4)
    assert without_timings(results(slide, classifier)) == together


def test_a_field_that_cannot_be_judged_is_unusable_and_never_negative(tmp_path: Path, classifier: Classifier) -> None:
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((300, 300, 3), np.uint8))
    (field,) = results(tmp_path / "black.png", classifier)
    assert field.status == "unusable"
    assert field.error
    assert field.cells == ()


def test_a_fault_of_ours_ends_one_field_and_not_the_run(
    slide: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(100))
    honest = pixel_scale.segment

    def sometimes(pixels: np.ndarray, **options: float | None) -> object:
        if next(calls) == 0:
            raise ZeroDivisionError("unlucky")
        return honest(pixels, **options)

    monkeypatch.setattr(pixel_scale, "segment", sometimes)
    fields = results(slide, classifier)
    assert [field.status for field in fields].count("error") == 2
    assert any("ZeroDivisionError" in (field.error or "") for field in fields)


def test_results_survive_their_json_form(slide: Path, classifier: Classifier) -> None:
    for field in results(slide, classifier):
        again = FieldResult.from_json(field.to_json())
        assert again.to_json() == field.to_json()


def test_what_is_to_be_doubted_of_the_cells_is_said_with_the_field(
    slide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_scale, "doubts", lambda found: (f"{len(found.cells)} cells are odd.",))
    source = find_images([slide / "field0.png"])[0]
    result = prepare_field(source, PreprocessingSpec(64, 2.0, "keep")).result
    assert result.quality is not None
    assert f"{len(result.cells)} cells are odd." in result.quality.warnings
