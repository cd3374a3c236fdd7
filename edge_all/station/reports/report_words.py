"""A slide's report in words, in the language of who reads it: the same sections in HTML and in PDF."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from edge_all.outputs.result_words import probability_words
from edge_all.results import INTENDED_USE
from edge_all.station.reports.slide_report import SlideReport
from edge_all.station.review.cells import ReviewedCell
from edge_all.wording.language import Language

__all__ = ["Section", "caption", "intended_use_words", "notice_words", "sections", "status_words", "title_words"]


@dataclass(frozen=True, slots=True)
class Section:
    """A table of two columns under a title."""

    title: str
    rows: tuple[tuple[str, str], ...]


def title_words(report: SlideReport, say: Language) -> str:
    """What stands above all."""
    return say("Slide {code}", code=report.view.slide.code)


def intended_use_words(say: Language) -> str:
    """What the report is for: in English, as everywhere, and before that in the reader's language."""
    return INTENDED_USE if say(INTENDED_USE) == INTENDED_USE else f"{say(INTENDED_USE)} {INTENDED_USE}"


def notice_words(report: SlideReport, say: Language) -> str | None:
    """What everyone who sees the report must be told; None for nothing."""
    return None if report.notice is None else say.sentence(report.notice)


def status_words(report: SlideReport, say: Language) -> str:
    """How binding it is."""
    return {
        "preliminary": say("Preliminary: not signed"),
        "final": say("Final: signed"),
        "amended": say("Amended: signed again"),
    }[report.status]


def sections(report: SlideReport, say: Language) -> tuple[Section, ...]:
    """All that the first page says, in its order; a section that has nothing to say is left out."""
    every = (
        Section(say("Result"), _result(report, say)),
        Section(say("Signature"), _signatures(report, say)),
        Section(say("Cells"), _cells(report, say)),
        Section(say("What people changed"), _changes(report, say)),
        Section(say("Readers"), _readers(report, say)),
        Section(say("Made with"), _method(report, say)),
    )
    return tuple(one for one in every if one.rows)


def caption(cell: ReviewedCell, say: Language) -> str:
    """What stands under a cell: its name, as in cells.csv, where it lies, what it is, and who says so, or why not."""
    where = f"{cell.id}, {say('field {field}', field=cell.field)}"
    if cell.found is not None and cell.found.reason is not None:
        where = f"{where}, {say.sentence(cell.found.reason)}"
    if cell.found is not None and cell.found.probability is not None:
        where = f"{where}, {say.figure(probability_words(cell.found))}"
    if cell.excluded:
        return f"{where}, {say('excluded')}"
    if cell.kind is None:
        return where
    return say("{where}, {kind} by {name}", where=where, kind=say(cell.kind), name=cell.decided_by)


def _time(at: str, say: Language) -> str:
    """A time of an event to the minute."""
    return f"{say.minute(datetime.fromisoformat(at))} UTC"


def _result(report: SlideReport, say: Language) -> tuple[tuple[str, str], ...]:
    result = report.view.tally.result
    fraction = say("no cell was judged")
    if result.all_fraction is not None and result.all_fraction_interval is not None:
        fraction = f"{say.percent(result.all_fraction)} ({say.percent_range(*result.all_fraction_interval)})"
    return (
        (say("Status"), status_words(report, say)),
        (say("Verdict"), say(result.verdict)),
        (say("Because"), say.sentences(result.reason)),
        (say("ALL cells among those judged"), fraction),
        (say("By the software alone"), f"{say(report.software.verdict)}: {say.sentences(report.software.reason)}"),
        *((say("Note"), say.sentences(warning)) for warning in result.warnings),
    )


def _signatures(report: SlideReport, say: Language) -> tuple[tuple[str, str], ...]:
    signed = tuple(
        (
            say("First reader") if one.reading == 1 else say("Second reader"),
            f"{one.name}, {_time(one.at, say)}: {say(one.meaning)}. {one.reason}",
        )
        for one in report.signatures
    )
    again = say("Opened again")
    return (*signed, *((again, f"{one.name}, {_time(one.at, say)}: {one.reason}") for one in report.amendments))


def _cells(report: SlideReport, say: Language) -> tuple[tuple[str, str], ...]:
    tally = report.view.tally
    kinds = sorted(tally.kinds.items(), key=lambda one: -one[1])
    fields = tally.result.fields
    became = say(
        "{ok} judged, {unusable} not fit to be judged, {error} not readable",
        ok=fields["ok"],
        unusable=fields["unusable"],
        error=fields["error"],
    )
    places = {field.place for field, found in report.view.fields if found.summary.image in tally.result.repeated_fields}
    repeated = sum(cell.field in places and not cell.excluded for cell in report.view.cells)
    of_these = say("of these in fields that repeat another, in no figure of the result")
    return (
        *((say(name), str(number)) for name, number in kinds),
        *(((of_these, str(repeated)),) if repeated else ()),
        (say("excluded by a person"), str(tally.excluded)),
        (say("added by a person"), str(tally.drawn)),
        (say("Fields"), became),
    )


def _changes(report: SlideReport, say: Language) -> tuple[tuple[str, str], ...]:
    counts = Counter((one.software or "not judged", one.counts_as, one.by or "?") for one in report.changes)
    return tuple(
        (
            say.counted("{n} cell", "{n} cells", number),
            say(
                "{before} by the software, {now} by {name}",
                before=say("not judged") if software == "not judged" else say(software),
                now=say(now),
                name=by,
            ),
        )
        for (software, now, by), number in counts.most_common()
    )


def _readers(report: SlideReport, say: Language) -> tuple[tuple[str, str], ...]:
    agreement = report.view.tally.agreement
    rows = []
    if agreement.compared:
        kappa = say("too few for kappa") if agreement.kappa is None else say.figure(f"kappa {agreement.kappa:.2f}")
        same = say("on {same} of {compared} decided cells", same=agreement.same, compared=agreement.compared)
        rows.append((say("Software and reader agree"), f"{same}, {kappa}"))
    if report.view.tally.settled:
        rows.append((say("Left undecided by the software, decided by the reader"), str(report.view.tally.settled)))
    if report.view.tally.seen_only:
        rows.append((say("Seen, not decided"), str(report.view.tally.seen_only)))
    if report.disagreements:
        rows.append(
            (say("The two readers differ"), say.counted("on {n} cell", "on {n} cells", len(report.disagreements)))
        )
    return tuple(rows)


def _method(report: SlideReport, say: Language) -> tuple[tuple[str, str], ...]:
    rows: list[tuple[str, str]] = []
    for model in report.view.models:
        identity, limits = model.identity, model.thresholds
        thresholds = say(
            "non-ALL below {low}, ALL from {high}, false positives up to {rate}",
            low=say.figure(f"{limits.non_all_below:.3g}"),
            high=say.figure(f"{limits.all_from:.3g}"),
            rate=say.percent(limits.false_positive_rate),
        )
        rows += [
            (say("Model"), f"{identity.name} {identity.version} ({identity.variant})"),
            (say("Network's SHA-256"), identity.sha256),
            (say("Card's SHA-256"), identity.card_sha256),
            (say("Thresholds"), thresholds),
        ]
    return (*rows, (say("Audit chain"), report.chain_sha256), (say("Made"), _time(report.made_at, say)))
