"""What is reported of a slide, as values: the one source of every form of a report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from edge_all import __version__
from edge_all.rendering.demo_fields import DEMO_NOTICE
from edge_all.results import INTENDED_USE, SlideResult
from edge_all.station.desk import Station
from edge_all.station.review.cells import ReviewedCell, reviewed_cells
from edge_all.station.review.decisions import AMENDED, SIGNED
from edge_all.station.review.kinds import CountsAs
from edge_all.station.review.signatures import Signature, signature_of
from edge_all.station.review.slide_review import Disagreement, SlideView
from edge_all.station.review.tally import tally
from edge_all.station.storage.chain import Event, now

__all__ = ["Amendment", "Change", "ReportStatus", "SlideReport", "report_document", "report_of"]

ReportStatus = Literal["preliminary", "final", "amended"]


@dataclass(frozen=True, slots=True)
class Amendment:
    """That a signed slide was opened again: by whom, when and why."""

    name: str
    at: str
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """A cell that a person counts as something else than the software did.

    Attributes:
        cell: its name.
        field: place of its field.
        software: what the software called it; None of an object that it rejected, or a cell that it did not find.
        kind: what it is called now.
        counts_as: what it counts as now.
        by: who decided.
    """

    cell: str
    field: int
    software: CountsAs | None
    kind: str
    counts_as: CountsAs
    by: str


@dataclass(frozen=True, slots=True)
class SlideReport:
    """A slide as it is reported.

    Attributes:
        status: ``preliminary`` until it is signed, then ``final``; ``amended`` where it was signed before.
        view: the slide as it stands.
        software: what the software alone says of it.
        changes: cells that a person counts as something else.
        signatures: those in force; empty while it is preliminary.
        amendments: in their order.
        disagreements: cells that two readers count as different things; empty where one reads.
        chain_sha256: hash of the slide's last event, by which the report is found in the audit chain.
        made_at: UTC, ISO 8601.
    """

    status: ReportStatus
    view: SlideView
    software: SlideResult
    changes: tuple[Change, ...]
    signatures: tuple[Signature, ...]
    amendments: tuple[Amendment, ...]
    disagreements: tuple[Disagreement, ...]
    chain_sha256: str
    made_at: str

    @property
    def notice(self) -> str | None:
        """What everyone who sees the report must be told, in English: that edge-all drew the slide itself."""
        return DEMO_NOTICE if self.view.slide.synthetic else None


def report_of(station: Station, code: str, reader: str) -> SlideReport:
    """The report of a slide: as it was signed, and preliminary, as it stands for who asks, where it is not.

    Args:
        station: its store.
        code: of the slide.
        reader: who asks.

    Raises:
        InputNotFoundError: there is no such slide.
        ReviewError: it is not signed, and two others read it.
    """
    review = station.review(code, reader)
    signed = review.signed_view()
    view = review.view() if signed is None else signed
    events = review.signed_history() if signed is not None else review.history()
    amendments = tuple(Amendment(one.actor, one.at, one.payload["reason"]) for one in events if one.kind == AMENDED)
    status: ReportStatus = "preliminary"
    if signed is not None:
        status = "amended" if amendments else "final"
    return SlideReport(
        status=status,
        view=view,
        software=_software_alone(view),
        changes=tuple(_changes(view.cells)),
        signatures=_in_force(events) if signed is not None else (),
        amendments=amendments,
        disagreements=review.disagreements() if signed is not None and _two_signed(events) else (),
        chain_sha256=events[-1].sha256,
        made_at=now(),
    )


def report_document(report: SlideReport) -> dict[str, Any]:
    """The report as JSON-ready values. The slide is named by its code alone."""
    view = report.view
    return {
        "intended_use": INTENDED_USE,
        "notice": report.notice,
        "edge_all_version": __version__,
        "slide": view.slide.code,
        "status": report.status,
        "made_at": report.made_at,
        "result": view.tally.result.to_json(),
        "kinds": dict(view.tally.kinds),
        "software": report.software.to_json(),
        "agreement": {
            "compared": view.tally.agreement.compared,
            "same": view.tally.agreement.same,
            "kappa": view.tally.agreement.kappa,
        },
        "undecided_by_software_and_settled": view.tally.settled,
        "seen_only": view.tally.seen_only,
        "excluded": view.tally.excluded,
        "drawn": view.tally.drawn,
        "changes": [
            {
                "cell": one.cell,
                "field": one.field,
                "software": one.software,
                "kind": one.kind,
                "counts_as": one.counts_as,
                "by": one.by,
            }
            for one in report.changes
        ],
        "disagreements": [
            {
                "cell": (one.first or one.second).id,  # type: ignore[union-attr]
                "first": None if one.first is None else one.first.counts_as,
                "second": None if one.second is None else one.second.counts_as,
            }
            for one in report.disagreements
        ],
        "signatures": [
            {
                "reading": one.reading,
                "name": one.name,
                "at": one.at,
                "meaning": one.meaning,
                "reason": one.reason,
                "labels_sha256": one.labels_sha256,
            }
            for one in report.signatures
        ],
        "amendments": [{"name": one.name, "at": one.at, "reason": one.reason} for one in report.amendments],
        "models": [_model_document(model) for model in view.models],
        "chain_sha256": report.chain_sha256,
    }


def _model_document(model: Any) -> dict[str, Any]:  # noqa: ANN401 - a JudgingModel
    identity, thresholds = model.identity, model.thresholds
    return {
        "name": identity.name,
        "version": identity.version,
        "variant": identity.variant,
        "sha256": identity.sha256,
        "card_sha256": identity.card_sha256,
        "thresholds": {
            "non_all_below": thresholds.non_all_below,
            "all_from": thresholds.all_from,
            "out_of_distribution": thresholds.out_of_distribution,
            "false_positive_rate": thresholds.false_positive_rate,
        },
    }


def _software_alone(view: SlideView) -> SlideResult:
    cells = reviewed_cells(view.fields)
    return tally(view.slide.code, [found for _, found in view.fields], cells, view.models).result


def _changes(cells: Iterable[ReviewedCell]) -> Iterable[Change]:
    for cell in cells:
        was: CountsAs = "left out" if cell.software_label is None else cell.software_label
        if cell.found is None or cell.counts_as != was:
            kind = "excluded" if cell.excluded else cell.kind or cell.counts_as
            yield Change(cell.id, cell.field, cell.software_label, kind, cell.counts_as, cell.decided_by or "")


def _in_force(events: Iterable[Event]) -> tuple[Signature, ...]:
    last: dict[int, Signature] = {}
    for event in events:
        if event.kind == SIGNED:
            last[event.payload["reading"]] = signature_of(event)
    return tuple(last[reading] for reading in sorted(last))


def _two_signed(events: Iterable[Event]) -> bool:
    return len(_in_force(events)) > 1
