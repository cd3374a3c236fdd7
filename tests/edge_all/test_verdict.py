"""The verdict follows from the counts, and says what the counts cannot exclude."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_all.model.card import Thresholds
from edge_all.results import Cell, CellLabel, FieldResult, FieldStatus
from edge_all.slides.verdict import chance_of_at_least, decide, judge_slide, wilson_interval

THRESHOLDS = Thresholds(non_all_below=0.4, all_from=0.6, out_of_distribution=None, false_positive_rate=0.03)


def cell(number: int, label: CellLabel | None) -> Cell:
    return Cell(
        id=number,
        bbox=(0, 0, 10, 10),
        centroid=(5.0, 5.0),
        area=80,
        nucleus_bbox=(2, 2, 6, 6),
        nucleus_centroid=(5.0, 5.0),
        nucleus_area=30,
        contour=((0, 0), (10, 0), (10, 10)),
        kind="rejected" if label is None else "candidate",
        reason="platelet" if label is None else None,
        label=label,
    )


def field(all_cells: int, others: int, doubtful: int = 0, rejected: int = 0) -> FieldResult:
    labels: list[CellLabel | None] = ["ALL"] * all_cells + ["non-ALL"] * others + ["indeterminate"] * doubtful
    labels += [None] * rejected
    cells = tuple(cell(number, label) for number, label in enumerate(labels, 1))
    return FieldResult("a.png", "s", "ok", width=10, height=10, cells=cells)


@given(st.integers(1, 500).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_the_interval_holds_the_share_and_stays_within_0_and_1(counts: tuple[int, int]) -> None:
    successes, total = counts
    low, high = wilson_interval(successes, total)
    assert 0.0 <= low <= successes / total <= high <= 1.0


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"), [(0, 200, 0.0, 0.0188), (20, 100, 0.1334, 0.2888), (10, 10, 0.7225, 1.0)]
)
def test_the_interval_agrees_with_published_values(successes: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(successes, total) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("successes", "total"), [(1, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(successes: int, total: int) -> None:
    with pytest.raises(ValueError, match="not a proportion"):
        wilson_interval(successes, total)


def test_the_binomial_tail_is_exact() -> None:
    assert chance_of_at_least(0, 5, 0.1) == 1.0
    assert chance_of_at_least(1, 5, 0.1) == pytest.approx(1 - 0.9**5)
    assert chance_of_at_least(5, 5, 0.1) == pytest.approx(1e-5)
    assert chance_of_at_least(1, 5, 0.0) == 0.0


def test_large_slides_do_not_overflow() -> None:
    assert chance_of_at_least(2_500, 5_000, 0.5) == pytest.approx(0.5, abs=0.01)
    assert chance_of_at_least(4_000, 5_000, 0.01) == pytest.approx(0.0, abs=1e-9)


def test_many_all_cells_are_suspicious() -> None:
    slide = judge_slide("s", [field(12, 10), field(3, 1, rejected=4)], THRESHOLDS)
    assert slide.verdict == "suspicious"
    assert slide.cells == {"ALL": 15, "non-ALL": 11, "indeterminate": 0, "rejected": 4}
    assert slide.all_fraction == pytest.approx(15 / 26)


def test_as_many_as_false_positives_explain_is_not_detected() -> None:
    assert judge_slide("s", [field(2, 98)], THRESHOLDS).verdict == "not detected"


def test_few_cells_exclude_nothing() -> None:
    slide = judge_slide("s", [field(0, 5)], THRESHOLDS)
    assert slide.verdict == "indeterminate"
    assert "too few" in slide.reason
    assert any("only 5" in warning for warning in slide.warnings)


@pytest.mark.parametrize(
    ("blasts", "judged", "rate", "why"),
    [
        (1, 10, 0.0769, "too few cells to exclude 20 %. Capture more fields."),
        (
            4,
            9,
            0.36,
            "too few cells to tell from the classifier's false positives (up to 36.0 %). Capture more fields.",
        ),
        (160, 400, 0.4, "the classifier's false positives (up to 40.0 %) could be as many. Look at these cells."),
    ],
)
def test_more_fields_are_asked_for_only_where_they_help(blasts: int, judged: int, rate: float, why: str) -> None:
    verdict, reason = decide(blasts, judged, 0, rate)
    assert verdict == "indeterminate"
    assert reason.endswith(f": {why}")


def test_many_indeterminate_cells_leave_the_slide_indeterminate() -> None:
    slide = judge_slide("s", [field(0, 60, doubtful=10)], THRESHOLDS)
    assert slide.verdict == "indeterminate"
    assert "0 of 70 cells are ALL (0.0 to 5.2 %), but 10 more are indeterminate" in slide.reason
    assert judge_slide("s", [field(0, 68, doubtful=2)], THRESHOLDS).verdict == "not detected"


def test_nothing_judged_is_never_negative() -> None:
    nothing_found = judge_slide("s", [field(0, 0)], THRESHOLDS)
    all_failed = judge_slide("s", [FieldResult("a.png", "s", "error", error="broken")], THRESHOLDS)
    for slide in (nothing_found, all_failed):
        assert slide.verdict == "indeterminate"
        assert slide.all_fraction is None
        assert slide.all_fraction_interval is None
    assert all_failed.fields == {"ok": 0, "error": 1, "unusable": 0}


@pytest.mark.parametrize(("judged", "warned"), [(99, True), (100, False)])
def test_fewer_cells_than_a_differential_counts_are_warned_of(judged: int, warned: bool) -> None:
    warnings = judge_slide("s", [field(0, judged)], THRESHOLDS).warnings
    assert any("White cells judged" in warning for warning in warnings) is warned


@pytest.mark.parametrize("status", ["error", "unusable"])
def test_a_single_field_that_was_not_judged_is_warned_of(status: FieldStatus) -> None:
    slide = judge_slide("s", [field(0, 100), FieldResult("b.png", "s", status, error="why")], THRESHOLDS)
    assert len(slide.warnings) == 1
    assert slide.warnings[0].endswith(": 1.")
