"""Events, each with the hash of the one before: nobody can change, drop or insert one without its being seen.

The hash of an event covers all its columns and the hash before it (a hash chain; Haber and Stornetta, J. Cryptology 3,
1991). It shows that the record was changed, not by whom. Who can write the file can also make a whole new chain or cut
off its end, so that the last hash is worth noting down elsewhere: backups, reports and exports carry it, and
`verify_chain` can be asked for it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

__all__ = [
    "FIELD_JUDGED",
    "FIRST_HASH",
    "ChainReport",
    "Event",
    "append_event",
    "canonical_json",
    "event_of_gesture",
    "events_after",
    "events_of_kind",
    "events_of_slide",
    "finding_hash",
    "last_event",
    "last_events",
    "now",
    "verify_chain",
]

FIRST_HASH = "0" * 64
"""What stands before the first event."""
FIELD_JUDGED = "field.judged"
"""Kind of the event that vouches for a finding: its payload has ``finding`` and ``finding_sha256``."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was found or decided.

    Attributes:
        seq: its number, from 1 without a gap; the order in which things happened, whatever the clock said.
        at: UTC, ISO 8601.
        actor: who: a person's name, or ``edge-all``.
        kind: what, such as ``field.judged`` or ``cells.reclassified``.
        slide_id: on which slide; None where it is about the station.
        gesture: the sender's own name of it, by which it is known when it is sent again; None where there is none.
        payload: the rest, as JSON.
        previous_sha256, sha256: the chain.
    """

    seq: int
    at: str
    actor: str
    kind: str
    slide_id: int | None
    gesture: str | None
    payload: Mapping[str, Any]
    previous_sha256: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a look at the whole chain found.

    Attributes:
        events: how many are in order.
        last_sha256: hash of the last of them.
        broken_at: number of the first event that does not follow from those before; None where all do.
        problem: what is wrong there, or with what the events vouch for; None where nothing is.
        clock_went_back: numbers of events whose time lies before that of the event before; no fault of the chain.
    """

    events: int
    last_sha256: str
    broken_at: int | None = None
    problem: str | None = None
    clock_went_back: tuple[int, ...] = ()


def now() -> str:
    """This moment in UTC, ISO 8601 to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def append_event(
    connection: sqlite3.Connection,
    kind: str,
    actor: str,
    payload: Mapping[str, Any],
    *,
    slide_id: int | None = None,
    gesture: str | None = None,
) -> Event:
    """Add an event to the chain, within the transaction of what it tells of.

    Args:
        connection: of `Database.write`.
        kind: what happened.
        actor: who did it.
        payload: the rest; JSON-ready. Names and paths, which may have to be forgotten, do not belong here.
        slide_id: on which slide.
        gesture: see `Event`.
    """
    last = last_event(connection)
    seq, previous = (1, FIRST_HASH) if last is None else (last.seq + 1, last.sha256)
    columns = (seq, now(), actor, kind, slide_id, gesture, canonical_json(payload))
    digest = _hash(*columns, previous)
    connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*columns, previous, digest))
    return Event(*columns[:-1], payload, previous, digest)


def events_of_slide(connection: sqlite3.Connection, slide_id: int) -> list[Event]:
    """All that was found and decided on a slide, in its order."""
    return [
        _event(row) for row in connection.execute("SELECT * FROM events WHERE slide_id = ? ORDER BY seq", (slide_id,))
    ]


def events_of_kind(connection: sqlite3.Connection, kind: str, slide_id: int | None = None) -> list[Event]:
    """All events of one kind, in their order; those of one slide, where one is named."""
    rows = connection.execute(
        "SELECT * FROM events WHERE kind = ? AND (? IS NULL OR slide_id = ?) ORDER BY seq", (kind, slide_id, slide_id)
    )
    return [_event(row) for row in rows]


def events_after(connection: sqlite3.Connection, seq: int, most: int) -> list[Event]:
    """What has happened since an event, in its order, at most so many."""
    rows = connection.execute("SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (seq, most))
    return [_event(row) for row in rows]


def event_of_gesture(connection: sqlite3.Connection, gesture: str) -> Event | None:
    """The event that a gesture became; None where it has not arrived."""
    row = connection.execute("SELECT * FROM events WHERE gesture = ?", (gesture,)).fetchone()
    return None if row is None else _event(row)


def last_events(connection: sqlite3.Connection) -> dict[int, tuple[int, str]]:
    """Number and time of the last event of each slide."""
    rows = connection.execute("SELECT slide_id, max(seq), at FROM events WHERE slide_id IS NOT NULL GROUP BY slide_id")
    return {slide: (seq, at) for slide, seq, at in rows}


def last_event(connection: sqlite3.Connection) -> Event | None:
    """The last event, whose hash is what to note down elsewhere; None in an empty store."""
    row = connection.execute("SELECT * FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    return None if row is None else _event(row)


def verify_chain(connection: sqlite3.Connection, *, containing: str | None = None) -> ChainReport:
    """Compute every hash anew, and that of every finding which an event vouches for.

    Args:
        connection: to the store.
        containing: a hash that was noted down, which must be in the chain.
    """
    previous, count, at, found = FIRST_HASH, 0, "", containing in (None, FIRST_HASH)
    back: list[int] = []
    vouched: set[int] = set()
    for row in connection.execute("SELECT * FROM events ORDER BY seq"):
        problem = _problem(connection, row, count + 1, previous, vouched)
        if problem:
            return ChainReport(count, previous, count + 1, problem, tuple(back))
        if row["at"] < at:
            back.append(row["seq"])
        previous, count, at = row["sha256"], count + 1, row["at"]
        found = found or previous == containing
    problem = None if found else f"the event with the hash {containing} is not there: the end was cut off or replaced"
    stray = [one["id"] for one in connection.execute("SELECT id FROM findings") if one["id"] not in vouched]
    if stray and problem is None:
        problem = f"finding {stray[0]} has no event that vouches for it"
    return ChainReport(count, previous, problem=problem, clock_went_back=tuple(back))


def canonical_json(value: object) -> str:
    """JSON with one spelling for one value: keys in order, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def finding_hash(connection: sqlite3.Connection, finding_id: int) -> str:
    """SHA-256 over a finding, the content of its field and its cells, which its event carries."""
    digest = hashlib.sha256()
    for columns in _finding_columns(connection, finding_id):
        digest.update(canonical_json(list(columns)).encode() + b"\n")
    return digest.hexdigest()


def _finding_columns(connection: sqlite3.Connection, finding_id: int) -> Iterator[sqlite3.Row]:
    yield from connection.execute(
        "SELECT fields.slide_id, place, page, content_sha256, judged_at, status, error, result,"
        " identity, thresholds, card FROM findings JOIN fields ON fields.id = field_id"
        " LEFT JOIN models ON models.id = model_id WHERE findings.id = ?",
        (finding_id,),
    )
    yield from connection.execute(
        "SELECT number, record, outline FROM cells WHERE finding_id = ? ORDER BY number", (finding_id,)
    )


def _problem(
    connection: sqlite3.Connection, row: sqlite3.Row, expected: int, previous: str, vouched: set[int]
) -> str | None:
    if row["seq"] != expected:
        return f"event {expected} is missing"
    if row["previous_sha256"] != previous:
        return f"event {expected} does not follow the one before"
    columns = (row[name] for name in ("seq", "at", "actor", "kind", "slide_id", "gesture", "payload"))
    if _hash(*columns, previous) != row["sha256"]:
        return f"event {expected} was changed"
    if row["kind"] == FIELD_JUDGED:
        payload = json.loads(row["payload"])
        vouched.add(payload["finding"])
        if finding_hash(connection, payload["finding"]) != payload["finding_sha256"]:
            return f"what event {expected} says was found in a field was changed"
    return None


def _hash(*columns: object) -> str:
    return hashlib.sha256(canonical_json(columns).encode()).hexdigest()


def _event(row: sqlite3.Row) -> Event:
    columns = dict(row)
    columns["payload"] = json.loads(columns["payload"])
    return Event(**columns)
