"""Drift and agreement: said where something has changed, and only there."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from edge_all.results import FieldResult, Quality
from edge_all.station.desk import Station
from edge_all.station.reports.metrics import metrics_text
from edge_all.station.reports.monitoring import monitor
from edge_all.station.storage import found_fields
from edge_all.station.storage.found_fields import ImageFile, JudgingModel, record_finding
from edge_all.station.storage.slide_records import DEMO_FOLDER, SlideRecord, find_or_add_slide
from edge_all.wording.language import Language

CARD: dict[str, Any] = {
    "variants": {
        "fp32": {"gate": None},
        "int8": {"gate": {"variant": {"indeterminate": {"value": 0.033, "low": 0.023, "high": 0.048}}}},
    },
    "evaluation": {"test_figures_fp32": {"indeterminate": {"value": 0.026, "low": 0.017, "high": 0.039}}},
}
RECALIBRATED = {"indeterminate": {"value": 0.03, "low": 0.01, "high": 0.05}}


@pytest.fixture
def week(
    station: Station, a_field: Callable[..., FieldResult], judging: JudgingModel, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Judge thirty fields of ten cells on a day, with so many indeterminate ones, unlikeness and stain."""

    def judge(
        day: str,
        *,
        unsure: float = 0.02,
        unlike: float = 0.1,
        stain: float = 0.8,
        fields: int = 30,
        source: str = "/x",
        model: JudgingModel | None = None,
    ) -> None:
        monkeypatch.setattr(found_fields, "now", lambda: f"{day}T10:00:00.000+00:00")
        chance = random.Random(day)  # noqa: S311 - no secret
        for number in range(fields):
            labels = ["indeterminate" if chance.random() < unsure else "non-ALL" for _ in range(10)]
            quality = Quality(True, metrics={"stain": chance.gauss(stain, 0.02), "cast": chance.gauss(0.01, 0.002)})
            result = dataclasses.replace(a_field(labels, unlike=unlike), quality=quality)
            with station.database.write() as connection:
                slide = find_or_add_slide(connection, source, day, synthetic=source == DEMO_FOLDER)
                file = ImageFile(slide.id, f"{source}/{day}/{number}", 0, f"{source}{day}{number}")
                record_finding(connection, file, result, model or dataclasses.replace(judging, card=CARD))

    return judge


def test_weeks_like_the_first_give_no_notice(station: Station, week: Callable[..., None]) -> None:
    for day in ("2026-01-05", "2026-01-13", "2026-01-25"):
        week(day)
    found = monitor(station)
    assert [one.begins.isoformat() for one in found.weeks] == ["2026-01-05", "2026-01-12", "2026-01-19"]
    assert [one.judged for one in found.weeks] == [300] * 3
    assert found.notices == ()


def test_more_indeterminate_cells_than_on_the_card_are_said(station: Station, week: Callable[..., None]) -> None:
    week("2026-01-05")
    week("2026-01-12", unsure=0.15)
    (notice,) = monitor(station).notices
    assert "More cells are indeterminate" in notice
    assert "1.7 to 3.9 %" in notice


@pytest.mark.parametrize(
    ("changes", "then"),
    [
        ({}, "2.3 to 4.8 %"),
        # Of cells by which it was recalibrated nothing is known that FP32's old figures would say.
        ({"variants": {"int8": {"gate": None}}}, None),
        (
            {
                "variants": {},
                "evaluation": {"recalibrated_test_figures": {"indeterminate": {"low": 0.01, "high": 0.05}}},
            },
            "1.0 to 5.0 %",
        ),
    ],
)
def test_the_week_is_held_against_the_variant_that_judges(
    station: Station, week: Callable[..., None], judging: JudgingModel, changes: dict[str, Any], then: str | None
) -> None:
    identity = dataclasses.replace(judging.identity, variant="int8")
    week("2026-01-12", unsure=0.15, model=dataclasses.replace(judging, identity=identity, card=CARD | changes))
    assert [then in notice for notice in monitor(station).notices] == ([] if then is None else [True])


def test_a_stain_unlike_the_models_is_said(station: Station, week: Callable[..., None]) -> None:
    week("2026-01-05", unlike=0.9)
    (notice,) = monitor(station).notices
    assert "unlike" in notice


def test_a_changed_stain_is_said_once_there_are_enough_fields(station: Station, week: Callable[..., None]) -> None:
    week("2026-01-05")
    week("2026-01-12", stain=0.6, fields=10)
    assert monitor(station).notices == ()
    week("2026-01-13", stain=0.6, fields=20)
    (notice,) = monitor(station).notices
    assert "stain has changed" in notice


def test_rendered_slides_are_shown_and_compared_with_nothing(station: Station, week: Callable[..., None]) -> None:
    week("2026-01-05", unsure=0.5, unlike=0.9, stain=0.3, source=DEMO_FOLDER)
    found = monitor(station)
    assert [one.judged for one in found.weeks] == [300]
    (notice,) = found.notices
    assert "rendered itself" in notice
    assert "selbst gezeichnet" in Language("de").sentences(notice)
    # Beside a laboratory's own they hide nothing of it, and are not what it is held against.
    week("2026-01-05")
    assert monitor(station).notices == (notice,)
    week("2026-01-12", unsure=0.15)
    assert [one[:34] for one in monitor(station).notices] == [notice[:34], "More cells are indeterminate than "]


def test_an_empty_station_is_no_fault(station: Station) -> None:
    assert monitor(station).weeks == ()
    assert b"edge_all_store_bytes" in metrics_text(station)


def test_agreement_is_that_of_the_signed_slides(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    cells = review.view().cells
    one = next(cell for cell in cells if cell.software_label == "ALL")
    review.reclassify({one.id: 0}, "smudge")
    review.sign("reviewed", "routine", review.mark_seen({cell.id: 0 for cell in cells}).view.last_seq)
    (week,) = monitor(station).weeks
    assert week.agreement is not None
    assert (week.signed, week.agreement.compared, week.agreement.same) == (1, 1, 0)
    # As on the slide's page: of the other eight that the software judged, none was decided.
    assert (week.settled, week.seen_only) == (0, 8)
    tally = review.view().tally
    assert (week.settled, week.seen_only) == (tally.settled, tally.seen_only)


def test_figures_for_prometheus_name_nobody(station: Station, slide: SlideRecord) -> None:
    text = metrics_text(station).decode()
    assert 'edge_all_cells{label="ALL"} 2.0' in text
    assert 'edge_all_slides{stage="pending"} 1.0' in text
    assert slide.code not in text
    assert "Smith" not in text
    assert all(re.match(r"#|[a-z_]+(\{[^}]*\})? [\d.e+-]+$", line) for line in text.splitlines())
