"""A slide's report in words: the same sections in HTML and in PDF."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from edge_all.outputs.result_words import probability_words
from edge_all.station.reports.slide_report import SlideReport
from edge_all.station.review.cells import ReviewedCell
from edge_all.wording.percentages import percent, percent_range

__all__ = ["Section", "caption", "sections", "title_words"]

_STATUS = {
    "preliminary": "Preliminary: not signed",
    "final": "Final: signed",
    "amended": "Amended: signed again",
}


@dataclass(frozen=True, slots=True)
class Section:
    """A table of two columns under a title."""

    title: str
    rows: tuple[tuple[str, str], ...]


def title_words(report: SlideReport) -> str:
    """What stands above all."""
    return f"Slide {report.view.slide.code}"


def sections(report: SlideReport) -> tuple[Section, ...]:
    """All that the first page says, in its order; a section that has nothing to say is left out."""
    every = (
        Section("Result", _result(report)),
        Section("Signature", _signatures(report)),
        Section("Cells", _cells(report)),
        Section("What people changed", _changes(report)),
        Section("Readers", _readers(report)),
        Section("Made with", _method(report)),
    )
    return tuple(one for one in every if one.rows)


def caption(cell: ReviewedCell) -> str:
    """What stands under a cell: where it lies, what it is, and who says so."""
    where = f"field {cell.field}"
    if cell.found is not None and cell.found.probability is not None:
        where = f"{where}, {probability_words(cell.found)}"
    if cell.excluded:
        return f"{where}, excluded"
    return where if cell.kind is None else f"{where}, {cell.kind} by {cell.decided_by}"


def _time(at: str) -> str:
    """A time of an event to the minute."""
    return f"{at[:16].replace('T', ' ')} UTC"


def _result(report: SlideReport) -> tuple[tuple[str, str], ...]:
    result = report.view.tally.result
    fraction = "no cell was judged"
    if result.all_fraction is not None and result.all_fraction_interval is not None:
        low, high = result.all_fraction_interval
        fraction = f"{percent(result.all_fraction)} ({percent_range(low, high)})"
    return (
        ("Status", _STATUS[report.status]),
        ("Verdict", result.verdict),
        ("Because", result.reason),
        ("ALL cells among those judged", fraction),
        ("By the software alone", f"{report.software.verdict}: {report.software.reason}"),
        *(("Note", warning) for warning in result.warnings),
    )


def _signatures(report: SlideReport) -> tuple[tuple[str, str], ...]:
    signed = tuple(
        (
            f"{'First' if one.reading == 1 else 'Second'} reader",
            f"{one.name}, {_time(one.at)}: {one.meaning}. {one.reason}",
        )
        for one in report.signatures
    )
    opened = tuple(("Opened again", f"{one.name}, {_time(one.at)}: {one.reason}") for one in report.amendments)
    return (*signed, *opened)


def _cells(report: SlideReport) -> tuple[tuple[str, str], ...]:
    tally = report.view.tally
    kinds = sorted(tally.kinds.items(), key=lambda one: -one[1])
    fields = tally.result.fields
    return (
        *((name, str(number)) for name, number in kinds),
        ("excluded by a person", str(tally.excluded)),
        ("added by a person", str(tally.drawn)),
        ("Fields", f"{fields['ok']} judged, {fields['unusable']} not fit to be judged, {fields['error']} not readable"),
    )


def _changes(report: SlideReport) -> tuple[tuple[str, str], ...]:
    counts = Counter((one.software or "not judged", one.counts_as, one.by or "?") for one in report.changes)
    return tuple(
        (f"{number} cells", f"{software} by the software, {now} by {by}")
        for (software, now, by), number in counts.most_common()
    )


def _readers(report: SlideReport) -> tuple[tuple[str, str], ...]:
    agreement = report.view.tally.agreement
    rows = []
    if agreement.compared:
        kappa = "" if agreement.kappa is None else f", kappa {agreement.kappa:.2f}"
        rows.append(("Software and reader agree", f"on {agreement.same} of {agreement.compared} cells{kappa}"))
    if report.disagreements:
        rows.append(("The two readers differ", f"on {len(report.disagreements)} cells"))
    return tuple(rows)


def _method(report: SlideReport) -> tuple[tuple[str, str], ...]:
    rows: list[tuple[str, str]] = []
    for model in report.view.models:
        identity, limits = model.identity, model.thresholds
        thresholds = f"non-ALL below {limits.non_all_below:.3g}, ALL from {limits.all_from:.3g}"
        rows += [
            ("Model", f"{identity.name} {identity.version} ({identity.variant})"),
            ("Network's SHA-256", identity.sha256),
            ("Card's SHA-256", identity.card_sha256),
            ("Thresholds", f"{thresholds}, false positives up to {percent(limits.false_positive_rate)}"),
        ]
    return (*rows, ("Audit chain", report.chain_sha256), ("Made", _time(report.made_at)))
