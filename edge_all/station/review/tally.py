"""The count of a slide as it stands: verdict by the same rule as a run's, and how software and reader agree."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge_all.model.card import Thresholds
from edge_all.results import BoundingBox, CellKind, CellSummary, SlideResult
from edge_all.slides.verdict import UNKNOWN_SLIDE, judge_slide
from edge_all.station.review.cells import ReviewedCell
from edge_all.station.review.kinds import CountsAs
from edge_all.station.storage.found_fields import FoundField, JudgingModel
from edge_all.wording.percentages import percent_range

__all__ = ["FEWEST_FOR_KAPPA", "Agreement", "Tally", "agreement_of", "merged", "tally"]

FEWEST_FOR_KAPPA = 10
"""Under so many cells one more or less moves kappa by a tenth and more: no figure is given."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often two call the same cell the same.

    Attributes:
        compared: cells on which both have decided.
        same: of them, those that both call the same.
        kappa: Cohen's, beyond what chance alone gives (Educ. Psychol. Meas. 20, 1960); None where fewer than
            `FEWEST_FOR_KAPPA` cells are compared, or where one of the two calls every cell the same thing: it would
            be 0 or undefined, however well they agree.
        table: how many cells by what the first and the second call them.
    """

    compared: int
    same: int
    kappa: float | None
    table: Mapping[tuple[CountsAs, CountsAs], int]


@dataclass(frozen=True, slots=True)
class Tally:
    """A slide as it stands for one reader.

    Attributes:
        result: counts, ALL fraction with its interval, verdict and its reason, by what the cells count as now.
        kinds: how many cells by kind: as people call them, and where nobody has decided as the software does.
        to_look_at: cells that must be looked at before signing and have not been.
        decided: cells whose kind a person has decided.
        excluded: cells that a person has taken out of the count.
        drawn: cells that a person has added.
        agreement: between software and reader, over cells that both have decided, the software as ALL or non-ALL.
        settled: cells that the software had left undecided, and that a person has decided.
        seen_only: cells that the software judged and that a person has looked at, but not decided.
    """

    result: SlideResult
    kinds: Mapping[str, int]
    to_look_at: int
    decided: int
    excluded: int
    drawn: int
    agreement: Agreement
    settled: int
    seen_only: int


def tally(
    code: str, fields: Sequence[FoundField], cells: Sequence[ReviewedCell], models: Sequence[JudgingModel]
) -> Tally:
    """Count a slide.

    What a person has decided is no guess of the classifier's: its false-positive rate, which the verdict allows for, is
    that of the cells it decided alone, and how unlike its own cells such a cell is no longer speaks against the slide.

    Args:
        code: of the slide.
        fields: in force on it.
        cells: as they stand.
        models: that judged; of several, the one with the most false positives is allowed for.
    """
    by_place: defaultdict[str, list[CellSummary]] = defaultdict(list)
    confirmed = Counter(f"field {cell.field}" for cell in cells if cell.kind is not None and cell.counts_as == "ALL")
    for cell in cells:
        by_place[f"field {cell.field}"].append(_counted(cell))
    counted = [
        dataclasses.replace(
            one.summary,
            cells=tuple(by_place[one.summary.image]),
            status="ok" if by_place[one.summary.image] else one.summary.status,
        )
        # Of a picture that came twice, the first counts: that in which people have confirmed more.
        for one in sorted(fields, key=lambda field: -confirmed[field.summary.image])
    ]
    in_count = [cell for cell in cells if cell.counts_as != "left out"]
    alone = sum(cell.kind is None for cell in in_count)
    of_models = max((model.thresholds.false_positive_rate for model in models), default=0.0)
    rate = of_models * alone / max(1, len(in_count))
    return Tally(
        result=_with_the_confirmed(
            judge_slide(code, counted, Thresholds(0.0, 1.0, None, rate)),
            confirmed.total(),
        ),
        kinds=dict(Counter(cell.kind or cell.counts_as for cell in cells if not cell.excluded)),
        to_look_at=sum(cell.must_be_seen and not cell.seen for cell in cells),
        decided=sum(cell.kind is not None for cell in cells),
        excluded=sum(cell.excluded for cell in cells),
        drawn=sum(cell.found is None for cell in cells),
        agreement=agreement_of(
            (cell.software_label, cell.counts_as)
            for cell in cells
            if cell.software_label in ("ALL", "non-ALL") and _is_decided(cell)
        ),
        settled=sum(
            cell.software_label == "indeterminate" and _is_decided(cell) and cell.counts_as != "indeterminate"
            for cell in cells
        ),
        seen_only=sum(cell.software_label is not None and cell.seen and not _is_decided(cell) for cell in cells),
    )


def agreement_of(pairs: Iterable[tuple[CountsAs, CountsAs]]) -> Agreement:
    """How two agree, from what the first and the second call each cell."""
    return _agreement(Counter(pairs))


def merged(agreements: Iterable[Agreement]) -> Agreement:
    """How two agree over several slides, cell by cell."""
    table: Counter[tuple[CountsAs, CountsAs]] = Counter()
    for one in agreements:
        table.update(one.table)
    return _agreement(table)


def _agreement(table: Counter[tuple[CountsAs, CountsAs]]) -> Agreement:
    compared, same = table.total(), sum(count for (one, other), count in table.items() if one == other)
    first, second = Counter[CountsAs](), Counter[CountsAs]()
    for (one, other), count in table.items():
        first[one] += count
        second[other] += count
    kappa = None
    if compared >= FEWEST_FOR_KAPPA and min(len(first), len(second)) > 1:
        chance = sum(first[label] * second[label] for label in first) / compared**2
        kappa = (same / compared - chance) / (1 - chance)
    return Agreement(compared, same, kappa, dict(table))


def _with_the_confirmed(result: SlideResult, confirmed: int) -> SlideResult:
    """A slide with ALL cells that people have confirmed is suspicious, however few they are: those are no guess.

    What the software alone says of such a slide's stain stays as a warning.
    """
    if not confirmed or not result.cells["ALL"] or result.all_fraction_interval is None:
        return result
    judged = sum(result.cells[label] for label in ("ALL", "non-ALL", "indeterminate"))
    counted = f"{result.cells['ALL']} of {judged} cells are ALL ({percent_range(*result.all_fraction_interval)})"
    sure = min(confirmed, result.cells["ALL"])  # of a picture that came twice the cells count once
    reason = f"{counted}, and people have confirmed {sure} of them: a confirmed cell is no false positive."
    warnings = (*result.warnings, *([result.reason] if result.reason.startswith(UNKNOWN_SLIDE) else []))
    return dataclasses.replace(result, verdict="suspicious", reason=reason, warnings=warnings)


def _is_decided(cell: ReviewedCell) -> bool:
    """Whether a person has said what it is, or that it does not count: a look says neither."""
    return cell.kind is not None or cell.excluded


def _counted(cell: ReviewedCell) -> CellSummary:
    """A cell as the verdict counts it."""
    found = cell.found
    if found is not None and cell.kind is None and not cell.excluded:
        return found
    label = None if cell.counts_as == "left out" else cell.counts_as
    kind: CellKind = "rejected" if label is None else "candidate"
    if found is None:
        box: BoundingBox = cell.bbox
        centre = (box[0] + box[2] / 2, box[1] + box[3] / 2)
        return CellSummary(0, box, centre, round(cell.area), box, centre, 0, kind, label=label)
    return CellSummary(
        found.id,
        found.bbox,
        found.centroid,
        found.area,
        found.nucleus_bbox,
        found.nucleus_centroid,
        found.nucleus_area,
        kind,
        found.reason,
        found.probability,
        label,
    )
