"""From the cells of a slide to a verdict, with the doubt that the count leaves.

A bare percentage misleads: 0 ALL cells in 200 still allow 1.9 %, and 20 % of 100 means 13 to 29 %. Every fraction
therefore carries its Wilson interval, and the verdict asks three questions of the counts:

* Does the model know this slide at all? Where most of its cells lie beyond what the model has learned, the slide is
  ``indeterminate`` whatever the network says of them.
* If so, are there more ALL cells than the classifier's own false positives explain? Then the slide is ``suspicious``.
* If not, does the interval exclude the share of blasts that defines the disease, even if every indeterminate cell
  were one? Only then is it ``not detected``.

Everything between is ``indeterminate``, and says why.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from edge_all.model.card import Thresholds
from edge_all.results import FieldSummary, SlideResult, Verdict
from edge_all.slides.common_scale import on_scale
from edge_all.slides.repeats import repeated_fields
from edge_all.wording.percentages import percent, percent_range
from edge_all.wording.plurals import counted

__all__ = [
    "CUSTOMARY_COUNT",
    "DEFINING_BLAST_SHARE",
    "SIGNIFICANCE",
    "SLIDE_LIMIT",
    "UNKNOWN_SHARE",
    "decide",
    "is_rather_unlike",
    "judge_slide",
    "suspicious_first",
    "wilson_interval",
]

DEFINING_BLAST_SHARE = 0.20
"""Share of blasts from which acute leukaemia is customarily diagnosed (WHO classification; for ALL 20 to 25 %)."""
SIGNIFICANCE = 0.01
"""A slide is suspicious when false positives alone give as many ALL cells less often than this."""
CUSTOMARY_COUNT = 100
"""A differential counts 100 or 200 white cells; under 100 the result carries a warning."""
SLIDE_LIMIT = 0.5
"""Of the relative distance, beyond which a cell speaks against its slide: one cell may be odd, half of them may not.
Share of a left-out laboratory's slides that are called unknown, and of those of known ones, by groups held out
(`edge-all evaluate strangers`): with 0.67 0.19 of ALL-IDB's 75 fields and 0.41 of Taleqani's 69 groups, 0.00 and 0.00;
with 0.5 0.63 and 0.64, 0.01 and 0.01; with 0.4 0.89 and 0.80, 0.04 and 0.03. That was when it was chosen; what 0.5
comes to with the segmentation of today is in docs/ml-engineer.md."""
UNKNOWN_SHARE = 0.5
"""A slide of which more than this share of the cells is unlike what the model has learned is unknown to it: its median
cell is. How often that finds a stranger and how often it wrongs a laboratory's own slides stands with the limit of a
laboratory, `edge_all_calibration.probability.appearance.CAP`."""
UNKNOWN_SLIDE = "The stain or camera of this slide is unlike those that the model has learned"
Z_95 = 1.959963984540054


def wilson_interval(successes: int, total: int) -> tuple[float, float]:
    """95 % score interval of a proportion (Wilson, J. Am. Stat. Assoc. 22, 1927).

    Raises:
        ValueError: when ``total`` is not positive or ``successes`` lies outside 0 to ``total``.
    """
    if total <= 0 or not 0 <= successes <= total:
        raise ValueError(f"{successes} of {total} is not a proportion")
    share = successes / total
    squared = Z_95**2 / total
    centre = (share + squared / 2) / (1 + squared)
    half = Z_95 / (1 + squared) * math.sqrt(share * (1 - share) / total + squared / (4 * total))
    # At the ends the bound is exact; rounding must not push it past the share itself.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == total else min(1.0, centre + half)
    return low, high


def chance_of_at_least(successes: int, total: int, rate: float) -> float:
    """Probability of ``successes`` or more in ``total`` independent trials at ``rate`` (binomial tail)."""
    if rate <= 0.0 or rate >= 1.0:
        return 1.0 if successes == 0 or rate >= 1.0 else 0.0

    def probability_of(k: int) -> float:
        # In logarithms: the binomial coefficient of a large slide does not fit a float.
        ways = math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1)
        return math.exp(ways + k * math.log(rate) + (total - k) * math.log1p(-rate))

    return min(1.0, max(0.0, 1.0 - math.fsum(probability_of(k) for k in range(successes))))


def judge_slide(
    slide: str, fields: Sequence[FieldSummary], thresholds: Thresholds, *, not_looked_at: int = 0
) -> SlideResult:
    """Take the fields of one slide together.

    Args:
        slide: its name.
        fields: all its fields that were looked at, those that could not be judged included; of those that show the
            same picture the cells are counted once.
        thresholds: of the variant that judged the cells; its false-positive rate enters the verdict.
        not_looked_at: number of its images that were left out because the verdict was settled before.
    """
    by_status = Counter(field.status for field in fields)
    repeated = repeated_fields(fields)
    counted = [field for field in fields if field.image not in repeated]
    by_label = Counter(cell.label for field in counted for cell in field.candidates)
    rejected = sum(cell.kind == "rejected" for field in counted for cell in field.cells)
    blasts, judged = by_label["ALL"], sum(by_label[label] for label in ("ALL", "non-ALL", "indeterminate"))

    interval = wilson_interval(blasts, judged) if judged else None
    verdict, reason = decide(
        blasts,
        judged,
        by_label["indeterminate"],
        thresholds.false_positive_rate,
        sum(is_rather_unlike(cell) for field in counted for cell in field.candidates),
    )
    if not by_status["ok"]:
        reason = "No field of this slide could be judged."
    return SlideResult(
        slide=slide,
        fields={status: by_status[status] for status in ("ok", "error", "unusable")},
        cells={
            "ALL": blasts,
            "non-ALL": by_label["non-ALL"],
            "indeterminate": by_label["indeterminate"],
            "rejected": rejected,
        },
        all_fraction=blasts / judged if judged else None,
        all_fraction_interval=interval,
        verdict=verdict,
        reason=reason,
        warnings=(
            *_warnings(by_status["error"], by_status["unusable"], judged, not_looked_at),
            *_on_repeated(repeated),
            *on_scale(counted),
        ),
        images_not_looked_at=not_looked_at,
        repeated_fields=repeated,
    )


def suspicious_first(slides: Iterable[SlideResult]) -> list[SlideResult]:
    """What a person must look at before what can wait, as report and terminal show it; otherwise in the order given."""
    order: tuple[Verdict, ...] = ("suspicious", "indeterminate", "not detected")
    return sorted(slides, key=lambda slide: order.index(slide.verdict))


class _Judged(Protocol):
    @property
    def out_of_distribution(self) -> float | None:
        """As in `edge_all.results.Cell`."""


def is_rather_unlike(cell: _Judged) -> bool:
    """Whether a cell, by its features or by how it looks, is rather unlike what the model has learned.

    Such a cell keeps its label and speaks against its slide; only beyond 1 is it called unlike, and indeterminate.
    """
    return cell.out_of_distribution is not None and cell.out_of_distribution > SLIDE_LIMIT


def decide(blasts: int, judged: int, indeterminate: int, rate: float, unlike: int = 0) -> tuple[Verdict, str]:
    """The verdict on a count of cells, and why.

    Args:
        blasts: cells called ALL.
        judged: all judged cells, the indeterminate included.
        indeterminate: cells that could not be decided.
        rate: the classifier's false-positive rate.
        unlike: cells rather unlike what the model has learned, see `is_rather_unlike`.
    """
    if judged == 0:
        return "indeterminate", "No white cell was found, which is not the same as finding no disease."
    low, high = wilson_interval(blasts, judged)
    found = f"{blasts} of {counted(judged, 'cell')} {'is' if judged == 1 else 'are'} ALL ({percent_range(low, high)})"
    if unlike > UNKNOWN_SHARE * judged:
        return "indeterminate", f"{UNKNOWN_SLIDE} ({unlike} of {counted(judged, 'cell')}): look at it yourself."
    if blasts and chance_of_at_least(blasts, judged, rate) < SIGNIFICANCE:
        return "suspicious", f"{found}, more than the classifier's false positives (up to {percent(rate)}) explain."
    if high > DEFINING_BLAST_SHARE:
        false = f"the classifier's false positives (up to {percent(rate)})"
        # More cells bring the interval closer to the share: below a fifth they exclude it, above the rate they are
        # more than false positives explain; between the two nothing is gained by them.
        if blasts <= DEFINING_BLAST_SHARE * judged:
            why = f"too few cells to exclude {percent(DEFINING_BLAST_SHARE, 0)}. Capture more fields."
        elif blasts > rate * judged:
            why = f"too few cells to tell from {false}. Capture more fields."
        else:
            why = f"{false} could be as many. Look at these cells."
        return "indeterminate", f"{found}: {why}"
    if wilson_interval(blasts + indeterminate, judged)[1] > DEFINING_BLAST_SHARE:
        are, them = ("is", "it") if indeterminate == 1 else ("are", "them")
        return "indeterminate", f"{found}, but {indeterminate} more {are} indeterminate: look at {them}."
    return "not detected", f"{found}, no more than the classifier's false positives (up to {percent(rate)}) explain."


def _warnings(errors: int, unusable: int, judged: int, not_looked_at: int) -> tuple[str, ...]:
    warnings = []
    if not_looked_at:
        warnings.append(
            f"Stopped early, as asked, when the verdict was settled. Images not looked at: {not_looked_at}. "
            "The ALL fraction is that of the cells until then; its interval does not allow for the stopping."
        )
    if errors:
        warnings.append(f"Images that could not be read: {errors}.")
    if unusable:
        warnings.append(f"Fields that were not fit to be judged: {unusable}.")
    if 0 < judged < CUSTOMARY_COUNT:
        warnings.append(f"White cells judged: only {judged}; a differential counts {CUSTOMARY_COUNT} to 200.")
    return tuple(warnings)


def _on_repeated(repeated: Mapping[str, str]) -> tuple[str, ...]:
    if not repeated:
        return ()
    again, first = next(iter(repeated.items()))
    return (
        (
            f"Fields that show the same picture as another: {len(repeated)} (for example {again} = {first}). "
            "Their cells count once in the verdict and its figures; where cells are shown or listed, all are."
        ),
    )
