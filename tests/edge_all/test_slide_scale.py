"""A field whose red cells were measured wrongly is not quietly negative: the other fields of its slide tell."""

from __future__ import annotations

import dataclasses

import pytest

from edge_all.model.card import Thresholds
from edge_all.results import Cell, CellKind, FieldResult, FieldSummary
from edge_all.slides.common_scale import large_platelets, on_scale, other_scales
from edge_all.slides.verdict import judge_slide
from edge_all.wording.language import Language

BOX = (10, 10, 30, 30)
THRESHOLDS = Thresholds(0.3, 0.7, None, 0.02)


def cell(number: int, nucleus: int = 5000, kind: CellKind = "candidate", reason: str | None = None) -> Cell:
    label = "non-ALL" if kind == "candidate" else None
    outline = ((10, 10), (40, 10), (25, 40))
    return Cell(number, BOX, (25, 25), 8000, BOX, (25, 25), nucleus, kind, reason, label=label, contour=outline)


def field(name: str, radius: float | None, *cells: Cell, error: float = 0.1, side: int = 1000) -> FieldSummary:
    return FieldResult(
        name, "s", "ok", width=side, height=800, cells=cells, red_cell_radius=radius, red_cell_error=error
    ).summary()


USUAL = [field(f"{number}.jpg", 40.0 + number, cell(1), cell(2)) for number in range(4)]


def test_fields_that_agree_say_nothing() -> None:
    assert on_scale([*USUAL, field("more.jpg", 55.0), field("less.jpg", 30.0)]) == ()


@pytest.mark.parametrize(("radius", "factor"), [(100.0, "2.4"), (20.0, "0.49")])
def test_a_field_of_another_scale_is_said_of_its_slide(radius: float, factor: str) -> None:
    odd = field("odd.jpg", radius)
    assert [one.image for one, _ in other_scales([odd, *USUAL])] == ["odd.jpg"]
    (sentence,) = judge_slide("s", [*USUAL, odd], THRESHOLDS).warnings[-1:]
    assert "odd.jpg" in sentence
    assert factor in sentence


def test_what_was_not_measured_and_other_cameras_are_not_compared() -> None:
    given = field("given.jpg", 100.0, error=0.0)
    unknown = field("unknown.jpg", None)
    guessed = field("guessed.jpg", 100.0, error=0.3)
    other_camera = field("small.jpg", 100.0, side=640)
    assert on_scale([*USUAL, given, unknown, guessed, other_camera]) == ()
    assert on_scale([USUAL[0], field("odd.jpg", 100.0)]) == (), "two fields do not tell which is odd"


def test_a_platelet_as_large_as_the_nuclei_of_the_slide_is_said() -> None:
    wrong = field("wrong.jpg", 43.0, cell(7, 4000, "rejected", "platelet"), cell(8, 600, "rejected", "platelet"))
    assert [(one.image, found.id) for one, found in large_platelets([*USUAL, wrong])] == [("wrong.jpg", 7)]
    (sentence,) = judge_slide("s", [*USUAL, wrong], THRESHOLDS).warnings[-1:]
    assert "no. 7 of wrong.jpg" in sentence
    assert not large_platelets([USUAL[0], wrong]), "two cells do not tell how large nuclei are"


def test_the_same_field_turned_is_of_the_same_camera() -> None:
    turned = dataclasses.replace(field("turned.jpg", 100.0), width=800, height=1000)
    assert len(other_scales([*USUAL, turned])) == 1


def test_the_sentences_are_known_in_german() -> None:
    odd = field("odd.jpg", 100.0, cell(3, 4000, "rejected", "platelet"))
    german = Language("de")
    for sentence in on_scale([*USUAL, odd]):
        assert german.sentence(sentence) != sentence


def test_the_size_of_red_cells_stands_in_results_and_comes_back() -> None:
    result = FieldResult("a.jpg", "s", "ok", cells=(cell(1),), red_cell_radius=41.25, red_cell_error=0.08)
    record = result.to_json()
    assert (record["red_cell_radius"], record["red_cell_error"]) == (41.25, 0.08)
    assert FieldResult.from_json(record) == result
    del record["red_cell_radius"], record["red_cell_error"]
    assert FieldResult.from_json(record).red_cell_radius is None
    (row,) = result.rows()
    assert row["red_cell_radius"] == 41.25
