"""When is the verdict of a slide settled, so that its remaining fields need not be looked at?

A test made for one look does not bear a look after every field: sooner or later false positives alone pass it. The two
tests here do. Each is the likelihood ratio of the cells so far, averaged over all rates that its null hypothesis
excludes. Where that hypothesis holds, this average starts at 1 and never grows in expectation, so that it reaches
``1 / level`` at any time with a probability of at most ``level`` (Ville 1939; Robbins, Ann. Math. Stat. 41, 1970).

This rests on one assumption: the cells are taken as independent draws from their slide. Where the fields of a slide
differ in kind, as between the thin end of a smear and its body, the first ones can settle it wrongly.
"""

from __future__ import annotations

import functools
import math
from collections import Counter, defaultdict

from edge_all.model.card import Thresholds
from edge_all.results import CellLabel, FieldSummary, Verdict
from edge_all.slides.repeats import SeenFields
from edge_all.slides.verdict import (
    CUSTOMARY_COUNT,
    DEFINING_BLAST_SHARE,
    SIGNIFICANCE,
    chance_of_at_least,
    decide,
    is_rather_unlike,
)

__all__ = ["SettledSlides", "evidence_above", "settled_verdict", "share_to_exclude"]

EXCLUSION_LEVEL = 0.025
"""A slide with the share of `share_to_exclude` is settled as not detected no more often than this; it is the chance
that lies above a 95 % interval."""
FULL_COUNT = 200
"""White cells of a full differential, the larger of the customary counts."""


def evidence_above(successes: int, total: int, rate: float) -> float:
    """How strongly a count speaks against a rate of success of at most ``rate``, whenever it is looked at.

    The likelihood ratio ``(q / rate)**successes * ((1 - q) / (1 - rate))**(total - successes)``, averaged evenly over
    the alternatives ``rate < q < 1``. One more draw multiplies that of any such q by 1 in expectation where the true
    rate is ``rate``, and by less where it is smaller; so the average is a supermartingale under all of the null
    hypothesis. The integral is an incomplete beta function, which for whole numbers is a sum of binomial chances.

    Args:
        successes: draws that succeeded, 0 to ``total``.
        total: draws.
        rate: 0 to 1.

    Returns:
        The e-value, from 0; infinite where the null hypothesis makes the count impossible or nearly so.
    """
    if rate == 0.0 and successes:
        return math.inf
    # Each term is the chance of j successes in one draw more, over the chance of the count itself; all are positive, so
    # that nothing cancels, and what is too large for a float is infinite.
    term = evidence = 1.0 / (total + 1 - successes)
    for j in range(successes, 0, -1):
        term *= j * (1.0 - rate) / ((total + 2 - j) * rate)
        evidence += term
    return evidence


@functools.cache
def share_to_exclude(rate: float) -> float:
    """The share of ALL calls that must be excluded before the rest of a slide may be left as not detected.

    It is the smallest that a full count would call suspicious, so that stopping early does not miss what looking on
    would have found; at most the share that defines the disease.

    Args:
        rate: the classifier's false-positive rate.
    """
    suspicious = (count for count in range(1, FULL_COUNT) if chance_of_at_least(count, FULL_COUNT, rate) < SIGNIFICANCE)
    return min(next(suspicious, FULL_COUNT) / FULL_COUNT, DEFINING_BLAST_SHARE)


def settled_verdict(blasts: int, indeterminate: int, judged: int, rate: float, unlike: int = 0) -> Verdict | None:
    """The verdict that further cells of the slide need not be waited for.

    Args:
        blasts: cells called ALL.
        indeterminate: cells that could not be decided.
        judged: all judged cells, both of these included.
        rate: the classifier's false-positive rate.
        unlike: cells rather unlike what the model has learned.

    Returns:
        ``suspicious`` or ``not detected``, always what `judge_slide` says of the same cells; None
        where more cells are needed.
    """
    settled: Verdict
    if evidence_above(blasts, judged, rate) >= 1 / SIGNIFICANCE:
        settled = "suspicious"
    elif (
        judged >= CUSTOMARY_COUNT
        # Every indeterminate cell counts as ALL: what is asked is whether the others are more than they may be.
        and evidence_above(judged - blasts - indeterminate, judged, 1 - share_to_exclude(rate)) >= 1 / EXCLUSION_LEVEL
    ):
        settled = "not detected"
    else:
        return None
    verdict, _ = decide(blasts, judged, indeterminate, rate, unlike)
    return settled if verdict == settled else None


class SettledSlides:
    """The slides whose verdict is settled by the fields that were added; ask with ``in``."""

    def __init__(self, thresholds: Thresholds | None) -> None:
        """Begin with no slide settled.

        Args:
            thresholds: of the variant that judges the cells; None where no slide is ever to count as settled.
        """
        self._thresholds = thresholds
        self._labels: defaultdict[str, Counter[CellLabel | None]] = defaultdict(Counter)
        self._unlike: Counter[str] = Counter()
        self._settled: set[str] = set()
        self._seen = SeenFields()

    def __contains__(self, slide: str) -> bool:
        return slide in self._settled

    def add(self, field: FieldSummary) -> None:
        """Take the cells of one more field into account."""
        if self._thresholds is None or self._seen.first_of(field) is not None:
            return
        labels = self._labels[field.slide]
        labels.update(cell.label for cell in field.candidates)
        self._unlike[field.slide] += sum(is_rather_unlike(cell) for cell in field.candidates)
        blasts, indeterminate = labels["ALL"], labels["indeterminate"]
        judged = blasts + indeterminate + labels["non-ALL"]
        # Not for good: a run that is resumed adds all the fields of the earlier one before it asks.
        self._settled.discard(field.slide)
        rate = self._thresholds.false_positive_rate
        if settled_verdict(blasts, indeterminate, judged, rate, self._unlike[field.slide]):
            self._settled.add(field.slide)
