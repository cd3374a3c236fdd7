"""Readings of a slide, and their signatures: name, time and meaning (21 CFR 11.50), and what was signed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edge_all.station.review.cells import ReviewedCell
from edge_all.station.review.decisions import AMENDED, SIGNED
from edge_all.station.storage.chain import FIELD_JUDGED, Event, canonical_json

__all__ = [
    "READINGS",
    "ReadingState",
    "Signature",
    "SignatureMeaning",
    "has_two_readers",
    "labels_hash",
    "reader_of",
    "reading_state",
    "signature_of",
]

READINGS = (1, 2)
"""Of the first and the second reader."""
_BY_NOBODY = (FIELD_JUDGED, "slide.added", "slide.forgotten")

SignatureMeaning = Literal["reviewed", "reviewed and confirmed", "second opinion"]
"""That the slide was looked through as it was signed; that the verdict is confirmed besides; that it was looked through
beside another reading."""
SlideStage = Literal["pending", "in review", "signed", "amended"]


@dataclass(frozen=True, slots=True)
class Signature:
    """What somebody has signed.

    Attributes:
        seq: of its event.
        reading: of the first or the second reader.
        name: who.
        at: when; UTC, ISO 8601.
        meaning: a `SignatureMeaning`, or what a program made of it before others were refused.
        reason: why it was given.
        verdict, verdict_reason: that the slide had then.
        labels_sha256: over all cells with what they counted as, see `labels_hash`.
        record: all that the event says: counts, fraction and interval, models.
    """

    seq: int
    reading: int
    name: str
    at: str
    meaning: str
    reason: str
    verdict: str
    verdict_reason: str
    labels_sha256: str
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReadingState:
    """How far one reading of a slide is.

    Attributes:
        stage: ``pending`` where nobody has decided anything, ``in review``, ``signed``, or ``amended`` where it was
            signed and is open again.
        reader: who has decided last, or signed; None where nobody has.
        signature: the last one, also where the slide was amended since; None where there is none.
        amended_because: the reason for which it is open again.
        fields_since: fields that were judged after the signature, which does not cover them.
    """

    stage: SlideStage
    reader: str | None = None
    signature: Signature | None = None
    amended_because: str | None = None
    fields_since: int = 0

    @property
    def locked(self) -> bool:
        """Whether gestures are refused."""
        return self.stage == "signed"


def reading_state(events: Iterable[Event], reading: int) -> ReadingState:
    """How far a reading is, from the events of its slide."""
    state = ReadingState("pending")
    for event in events:
        if event.kind == FIELD_JUDGED and state.locked:
            state = ReadingState("signed", state.reader, state.signature, None, state.fields_since + 1)
        elif event.kind in _BY_NOBODY or event.payload.get("reading") != reading:
            continue
        elif event.kind == SIGNED:
            state = ReadingState("signed", event.actor, signature_of(event))
        elif event.kind == AMENDED:
            state = ReadingState("amended", event.actor, state.signature, event.payload["reason"])
        else:
            stage: SlideStage = "amended" if state.stage == "amended" else "in review"
            state = ReadingState(stage, event.actor, state.signature, state.amended_because)
    return state


def reader_of(events: Sequence[Event], actor: str, *, two_readers: bool) -> int | None:
    """Which reading of a slide is somebody's.

    Without a second reader everybody works at the first reading. With one, each reading belongs to who began it.

    Args:
        events: of the slide.
        actor: who asks.
        two_readers: see `has_two_readers`.

    Returns:
        1 or 2; None where two others read the slide already.
    """
    if not two_readers:
        return 1
    owners: dict[int, str] = {}
    for event in events:
        if event.kind not in _BY_NOBODY and "reading" in event.payload and event.kind != AMENDED:
            owners.setdefault(event.payload["reading"], event.actor)
    for reading, owner in owners.items():
        if owner == actor:
            return reading
    return next((reading for reading in READINGS if reading not in owners), None)


def has_two_readers(events: Iterable[Event], changes: Iterable[tuple[int, bool]]) -> bool:
    """Whether two people read a slide: as the station was set when it was first signed by all who had to, else as now.

    So a slide that was final stays so when the setting changes, and has the same readers when it is amended.

    Args:
        events: of the slide.
        changes: of the setting, see `edge_all.station.review.settings.reader_changes`.
    """
    two, signed = False, set[int]()
    happenings: list[tuple[int, Event | bool]] = [(one.seq, one) for one in events if one.kind in (SIGNED, AMENDED)]
    for _, happened in sorted([*happenings, *changes], key=lambda one: one[0]):
        if isinstance(happened, bool):
            two = happened
        elif happened.kind == SIGNED:
            signed.add(happened.payload["reading"])
        else:
            signed.discard(happened.payload["reading"])
        if signed.issuperset(READINGS if two else READINGS[:1]):
            break
    return two


def signature_of(event: Event) -> Signature:
    """The signature that an event is."""
    record = dict(event.payload)
    return Signature(
        event.seq,
        record["reading"],
        event.actor,
        event.at,
        record["meaning"],
        record["reason"],
        record["verdict"],
        record["verdict_reason"],
        record["labels_sha256"],
        record,
    )


def labels_hash(cells: Iterable[ReviewedCell]) -> str:
    """SHA-256 over each cell's name, kind and what it counts as, in the order of their names."""
    labels = sorted([cell.id, cell.kind, cell.counts_as] for cell in cells)
    return hashlib.sha256(canonical_json(labels).encode()).hexdigest()
