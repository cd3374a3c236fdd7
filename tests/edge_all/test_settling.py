"""A slide is left early only on evidence that bears a look after every cell, and only for the verdict that it has."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_all.model.card import Thresholds
from edge_all.results import Cell, CellLabel, FieldResult, Verdict
from edge_all.slides.settling import (
    EXCLUSION_LEVEL,
    FULL_COUNT,
    SettledSlides,
    evidence_above,
    settled_verdict,
    share_to_exclude,
)
from edge_all.slides.verdict import CUSTOMARY_COUNT, DEFINING_BLAST_SHARE, SIGNIFICANCE, decide, judge_slide

RATE = 0.04
THRESHOLDS = Thresholds(non_all_below=0.4, all_from=0.6, out_of_distribution=None, false_positive_rate=RATE)
COUNTS = st.integers(0, 300).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
RATES = st.floats(0.001, 0.99)
QUADRATURE = np.polynomial.legendre.leggauss(200)

Rule = Callable[[int, int, int], Verdict | None]


def field(*labels: CellLabel, slide: str = "s") -> FieldResult:
    box, middle, outline = (0, 0, 10, 10), (5.0, 5.0), ((0, 0), (9, 0), (9, 9))
    cells = tuple(
        Cell(number, box, middle, 80, box, middle, 30, "candidate", contour=outline, label=label)
        for number, label in enumerate(labels, 1)
    )
    return FieldResult("a.png", slide, "ok", width=10, height=10, cells=cells)


def at_one_look(blasts: int, indeterminate: int, judged: int) -> Verdict | None:
    """The rule that is not allowed: to stop at the first clear verdict of a test made for one look."""
    verdict, _ = decide(blasts, judged, indeterminate, RATE)
    return None if verdict == "indeterminate" else verdict


def at_any_look(blasts: int, indeterminate: int, judged: int) -> Verdict | None:
    return settled_verdict(blasts, indeterminate, judged, RATE)


def stops(rule: Rule, draws: NDArray[np.bool_], *, indeterminate: bool = False) -> list[tuple[Verdict | None, int]]:
    """Verdict and number of cells at which the rule, asked after every cell, leaves each slide.

    Args:
        rule: from blasts, indeterminate and judged cells to a verdict.
        draws: ``bool [slides, cells]``, which cells are called ALL, or are indeterminate.
        indeterminate: the second.
    """
    remembered = functools.cache(rule)

    def first(found: NDArray[np.int64]) -> tuple[Verdict | None, int]:
        for judged, count in enumerate(found.tolist(), 1):
            verdict = remembered(0, count, judged) if indeterminate else remembered(count, 0, judged)
            if verdict is not None:
                return verdict, judged
        return None, found.size

    return [first(found) for found in np.cumsum(draws, axis=1)]


def slides_of(share: float, *, slides: int, cells: int) -> NDArray[np.bool_]:
    return np.random.default_rng(0).random((slides, cells)) < share


@given(COUNTS, RATES)
def test_the_sum_is_the_average_of_the_likelihood_ratios(counts: tuple[int, int], rate: float) -> None:
    successes, total = counts
    nodes, weights = QUADRATURE
    q = rate + (1 - rate) * (nodes + 1) / 2
    ratios = successes * np.log(q / rate) + (total - successes) * np.log((1 - q) / (1 - rate))
    # Of probabilities that all lie in a corner of the range, the plain quadrature knows less than the sum.
    assume(ratios.max() < 600)
    expected = float(np.sum(weights * np.exp(ratios)) / 2)
    assert evidence_above(successes, total, rate) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(COUNTS, RATES, st.floats(0, 1))
def test_one_more_cell_never_adds_evidence_in_expectation_where_there_is_nothing_to_find(
    counts: tuple[int, int], rate: float, part: float
) -> None:
    successes, total = counts
    now = evidence_above(successes, total, rate)
    hit, miss = evidence_above(successes + 1, total + 1, rate), evidence_above(successes, total + 1, rate)
    assume(hit < math.inf)
    assert rate * hit + (1 - rate) * miss == pytest.approx(now, rel=1e-9)
    # Also where the true rate is lower, and may change from cell to cell.
    true = part * rate
    assert true * hit + (1 - true) * miss <= now * (1 + 1e-9)


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.01, RATE, 0.1])
def test_what_is_excluded_is_what_a_full_count_would_find(rate: float) -> None:
    found = round(share_to_exclude(rate) * FULL_COUNT)
    assert decide(found, FULL_COUNT, 0, rate)[0] == "suspicious"
    assert decide(found - 1, FULL_COUNT, 0, rate)[0] != "suspicious"


@pytest.mark.parametrize("rate", [0.2, 0.5, 1.0])
def test_the_share_that_defines_the_disease_is_always_excluded(rate: float) -> None:
    assert share_to_exclude(rate) == DEFINING_BLAST_SHARE


def test_evidence_begins_at_one() -> None:
    assert evidence_above(0, 0, RATE) == 1.0


def test_extreme_rates_and_large_slides_have_their_evidence() -> None:
    assert evidence_above(1, 10, 0.0) == math.inf
    assert evidence_above(0, 10, 0.0) == pytest.approx(1 / 11)
    assert evidence_above(10, 10, 1.0) <= 1.0
    assert evidence_above(19_000, 20_000, 0.01) == math.inf
    assert evidence_above(100, 20_000, 0.5) == pytest.approx(0.0, abs=1e-3)


def test_a_look_after_every_cell_keeps_the_level_of_suspicion_which_the_plain_verdict_does_not() -> None:
    slides = slides_of(RATE, slides=2_000, cells=500)
    wrong = [verdict == "suspicious" for verdict, _ in stops(at_any_look, slides)]
    margin = 3 * math.sqrt(SIGNIFICANCE * (1 - SIGNIFICANCE) / len(wrong))
    assert np.mean(wrong) <= SIGNIFICANCE + margin
    # Also without the other verdict, which takes most of these slides out of the way at the 100th cell.
    evidence = functools.cache(evidence_above)
    reached = [
        any(evidence(count, judged, RATE) >= 1 / SIGNIFICANCE for judged, count in enumerate(found, 1))
        for found in np.cumsum(slides, axis=1).tolist()
    ]
    assert np.mean(reached) <= SIGNIFICANCE + margin
    naive = [verdict == "suspicious" for verdict, _ in stops(at_one_look, slides)]
    assert np.mean(naive) > 2 * SIGNIFICANCE + margin


def test_a_look_after_every_cell_keeps_the_level_of_exclusion_which_the_plain_verdict_does_not() -> None:
    slides = slides_of(share_to_exclude(RATE), slides=2_000, cells=500)
    wrong = [verdict == "not detected" for verdict, _ in stops(at_any_look, slides, indeterminate=True)]
    margin = 3 * math.sqrt(EXCLUSION_LEVEL * (1 - EXCLUSION_LEVEL) / len(wrong))
    assert np.mean(wrong) <= EXCLUSION_LEVEL + margin
    naive = [verdict == "not detected" for verdict, _ in stops(at_one_look, slides, indeterminate=True)]
    assert np.mean(naive) > 2 * EXCLUSION_LEVEL + margin


def test_clear_slides_are_settled_by_few_cells() -> None:
    for share, verdict, most in ((0.0, "not detected", CUSTOMARY_COUNT), (0.6, "suspicious", 10)):
        found = stops(at_any_look, slides_of(share, slides=300, cells=300))
        assert {settled for settled, _ in found} == {verdict}
        assert np.median([cells for _, cells in found]) <= most


@given(COUNTS, st.floats(0, 1), st.floats(0, 1))
def test_what_is_settled_is_what_the_slide_is_judged(counts: tuple[int, int], part: float, rate: float) -> None:
    blasts, judged = counts
    indeterminate = round(part * (judged - blasts))
    verdict = settled_verdict(blasts, indeterminate, judged, rate)
    assert verdict in {None, decide(blasts, judged, indeterminate, rate)[0]}
    assert verdict != "indeterminate"
    if verdict == "not detected":
        assert judged >= CUSTOMARY_COUNT


@given(COUNTS, st.floats(0.0001, 0.99))
def test_evidence_for_all_cells_is_always_a_suspicious_verdict(counts: tuple[int, int], rate: float) -> None:
    blasts, judged = counts
    assume(evidence_above(blasts, judged, rate) >= 1 / SIGNIFICANCE)
    assert settled_verdict(blasts, 0, judged, rate) == "suspicious"


def test_indeterminate_cells_count_against_exclusion_and_not_for_suspicion() -> None:
    assert settled_verdict(0, 0, 100, RATE) == "not detected"
    assert settled_verdict(0, 19, 100, RATE) is None
    assert settled_verdict(0, 100, 100, RATE) is None


def test_tests_that_disagree_with_the_verdict_settle_nothing() -> None:
    # Enough to exclude a suspicious share for good, and more than false positives explain at one look, not at any.
    assert evidence_above(1_897, 2_000, 1 - share_to_exclude(RATE)) >= 1 / EXCLUSION_LEVEL
    assert decide(103, 2_000, 0, RATE)[0] == "suspicious"
    assert settled_verdict(103, 0, 2_000, RATE) is None


def test_fewer_cells_than_a_differential_counts_never_exclude() -> None:
    assert evidence_above(99, 99, 1 - share_to_exclude(RATE)) >= 1 / EXCLUSION_LEVEL
    assert settled_verdict(0, 0, 99, RATE) is None


def test_slides_are_counted_apart_and_agree_with_their_verdict() -> None:
    slides = SettledSlides(THRESHOLDS)
    ill, well = field("ALL", "ALL", "ALL", slide="ill"), field(*["non-ALL"] * 50, slide="well")
    for one in (ill, well):
        slides.add(one)
    assert "ill" in slides
    assert "well" not in slides
    slides.add(well)
    assert "well" in slides
    assert "never seen" not in slides
    assert judge_slide("ill", [ill], THRESHOLDS).verdict == "suspicious"
    assert judge_slide("well", [well, well], THRESHOLDS).verdict == "not detected"


def test_what_an_earlier_run_judged_beyond_can_open_a_slide_again() -> None:
    slides = SettledSlides(THRESHOLDS)
    slides.add(field("ALL", "ALL", "ALL"))
    slides.add(field(*["non-ALL"] * 40))
    assert "s" not in slides


def test_without_thresholds_nothing_is_ever_settled() -> None:
    slides = SettledSlides(None)
    slides.add(field(*["ALL"] * 50))
    assert "s" not in slides


@pytest.mark.parametrize(
    ("rate", "blasts_alone", "blasts_of_100", "cells_without_blast", "cells_with_5_indeterminate"),
    [(0.01, 2, 7, 151, 431), (0.04, 2, 14, 100, 186), (0.1, 3, 23, 100, 100)],
)
def test_how_many_cells_settle_a_slide(
    rate: float, blasts_alone: int, blasts_of_100: int, cells_without_blast: int, cells_with_5_indeterminate: int
) -> None:
    """In figures, not by the constants of the rule: a looser level settles a slide by fewer cells."""

    def first(verdict: Verdict, counts: Callable[[int], tuple[int, int, int]], start: int) -> int:
        return next(n for n in range(start, 1000) if settled_verdict(*counts(n), rate) == verdict)

    assert first("suspicious", lambda n: (n, 0, n), 1) == blasts_alone
    assert first("suspicious", lambda n: (n, 0, 100), 0) == blasts_of_100
    assert first("not detected", lambda n: (0, 0, n), 1) == cells_without_blast
    assert first("not detected", lambda n: (0, 5, n), 5) == cells_with_5_indeterminate


def test_the_levels_are_those_that_the_documents_promise() -> None:
    assert (SIGNIFICANCE, EXCLUSION_LEVEL, DEFINING_BLAST_SHARE, CUSTOMARY_COUNT, FULL_COUNT) == (
        0.01, 0.025, 0.20, 100, 200,
    )  # fmt: skip
