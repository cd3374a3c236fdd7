"""What people's gestures say of cells, and what of it is in force.

A gesture is one event about one or many cells. What it says of each is a row of ``decisions``: a kind, that the cell is
excluded, an outline, a comment, that it was seen. Undoing a gesture is a further event; it takes the gesture's rows out
of force and redoing puts them back, each at its own place in time. In force of each thing said is the last that was not
undone, so that undoing an old gesture never disturbs what somebody else has decided since.

The rows follow from the events alone: `replayed` computes all of them anew.
"""

from __future__ import annotations

import functools
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edge_all.station.storage.chain import Event, canonical_json

__all__ = [
    "AMENDED",
    "COMMENTED",
    "DRAWN",
    "EXCLUDED",
    "OUTLINED",
    "RECLASSIFIED",
    "REDONE",
    "SEEN",
    "SIGNED",
    "SPLIT",
    "UNDOABLE",
    "UNDONE",
    "Conflict",
    "Decision",
    "conflicts",
    "decisions_in_force",
    "decisions_of_cells",
    "decisions_of_slide",
    "drawn_cell_id",
    "note",
    "replayed",
    "undo_stacks",
]

RECLASSIFIED = "cells.reclassified"
EXCLUDED = "cells.excluded"
SEEN = "cells.seen"
COMMENTED = "cell.commented"
DRAWN = "cell.drawn"
OUTLINED = "cell.outlined"
SPLIT = "cell.split"
UNDONE = "gesture.undone"
REDONE = "gesture.redone"
SIGNED = "slide.signed"
AMENDED = "slide.amended"

UNDOABLE = frozenset({RECLASSIFIED, EXCLUDED, COMMENTED, DRAWN, OUTLINED, SPLIT})
What = Literal["kind", "excluded", "seen", "comment", "drawn", "outline", "split"]


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing that one gesture says of one cell.

    Attributes:
        reading: of the first or the second reader.
        cell: its id; empty for the slide itself.
        seq: number of the gesture's event.
        what: which thing is said.
        value: what is said, JSON-ready.
        actor: who.
        live: False where it was undone.
        changed_seq: the last event that bore on it.
    """

    reading: int
    cell: str
    seq: int
    what: What
    value: Any
    actor: str
    live: bool
    changed_seq: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else's decision on a cell, taken since it was looked at.

    Attributes:
        cell: which cell.
        actor: who decided.
        at: when; UTC, ISO 8601.
        what: what was decided, in words.
        version: of the cell now; a gesture that names it goes through.
    """

    cell: str
    actor: str
    at: str
    what: str
    version: int


def drawn_cell_id(seq: int, part: int = 0) -> str:
    """Name of a cell that a gesture has added: of the gesture's event, and of which part of a cell that was split."""
    return f"d{seq}-{part}" if part else f"d{seq}"


def note(connection: sqlite3.Connection, event: Event) -> None:
    """Enter what an event says into the rows, in its own transaction."""
    if event.kind in (UNDONE, REDONE):
        connection.execute(
            "UPDATE decisions SET live = ?, changed_seq = ? WHERE seq = ?",
            (int(event.kind == REDONE), event.seq, event.payload["of"]),
        )
        return
    connection.executemany(
        "INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (event.slide_id, one.reading, one.cell, one.seq, one.what, canonical_json(one.value), one.actor, 1, one.seq)
            for one in _said(event)
        ],
    )


def replayed(events: Iterable[Event]) -> list[Decision]:
    """The rows of a slide as they follow from its events, in their order."""
    rows: dict[int, list[Decision]] = defaultdict(list)
    for event in events:
        if event.kind in (UNDONE, REDONE):
            of, live = event.payload["of"], event.kind == REDONE
            rows[of] = [
                Decision(one.reading, one.cell, one.seq, one.what, one.value, one.actor, live, event.seq)
                for one in rows[of]
            ]
        else:
            rows[event.seq] = list(_said(event))
    return sorted((one for group in rows.values() for one in group), key=_order)


def decisions_of_slide(connection: sqlite3.Connection, slide_id: int) -> list[Decision]:
    """All rows of a slide, in their order: what `replayed` gives."""
    rows = connection.execute(
        "SELECT reading, cell, seq, what, value, actor, live, changed_seq FROM decisions"
        " WHERE slide_id = ? ORDER BY seq, cell, what",
        (slide_id,),
    )
    return [_decision(*row) for row in rows]


def decisions_in_force(
    connection: sqlite3.Connection, slide_id: int, reading: int
) -> tuple[list[Decision], frozenset[str]]:
    """The rows of one reading in their order, looks at cells left out; and the cells that were looked at.

    Looks are by far the most: a row for each cell, which says nothing but that.
    """
    rows = connection.execute(
        "SELECT reading, cell, seq, what, value, actor, live, changed_seq FROM decisions"
        " WHERE slide_id = ? AND reading = ? AND what != 'seen' ORDER BY seq, cell, what",
        (slide_id, reading),
    )
    said = [_decision(*row) for row in rows]
    seen = connection.execute(
        "SELECT cell FROM decisions WHERE slide_id = ? AND reading = ? AND what = 'seen'", (slide_id, reading)
    )
    return said, frozenset(cell for (cell,) in seen)


def decisions_of_cells(
    connection: sqlite3.Connection, slide_id: int, reading: int, cells: Iterable[str]
) -> list[Decision]:
    """The rows of some cells of a slide in one reading, in no order."""
    return [
        _decision(*row)
        for cell in cells
        for row in connection.execute(
            "SELECT reading, cell, seq, what, value, actor, live, changed_seq FROM decisions"
            " WHERE slide_id = ? AND reading = ? AND cell = ?",
            (slide_id, reading, cell),
        )
    ]


def conflicts(
    connection: sqlite3.Connection, slide_id: int, reading: int, actor: str, seen: Mapping[str, int]
) -> tuple[Conflict, ...]:
    """What others have decided on cells since somebody looked at them.

    Args:
        connection: to the store.
        slide_id: on which slide.
        reading: whose decisions count.
        actor: who decides now; what they decided themselves, in another window, is no conflict.
        seen: by cell, the version that they saw.
    """
    found = []
    for cell, version in seen.items():
        row = connection.execute(
            "SELECT what, value, live, decisions.actor, changed_seq, at FROM decisions"
            " JOIN events ON events.seq = changed_seq WHERE decisions.slide_id = ? AND reading = ? AND cell = ?"
            " AND what NOT IN ('seen', 'comment') AND changed_seq > ? AND decisions.actor != ?"
            " ORDER BY changed_seq DESC LIMIT 1",
            (slide_id, reading, cell, version, actor),
        ).fetchone()
        if row is not None:
            words = _words(row["what"], json.loads(row["value"]))
            what = words if row["live"] else f"undone: {words}"
            found.append(Conflict(cell, row["actor"], row["at"], what, row["changed_seq"]))
    return tuple(found)


def undo_stacks(events: Iterable[Event], reading: int, actor: str) -> tuple[list[int], list[int]]:
    """What somebody may undo and redo on a slide, the next one last.

    A new gesture ends the redoing of those before, and a signature ends both.

    Args:
        events: of the slide.
        reading: whose gestures count.
        actor: whose.
    """
    undo: list[int] = []
    redo: list[int] = []
    for event in events:
        if event.payload.get("reading") != reading:
            continue
        if event.kind == SIGNED:
            undo, redo = [], []
        elif event.actor != actor:
            continue
        elif event.kind in UNDOABLE:
            undo.append(event.seq)
            redo = []
        elif event.kind == UNDONE:
            undo.remove(event.payload["of"])
            redo.append(event.payload["of"])
        elif event.kind == REDONE:
            redo.remove(event.payload["of"])
            undo.append(event.payload["of"])
    return undo, redo


def _decision(
    reading: int, cell: str, seq: int, what: What, value: str, actor: str, live: int, changed: int
) -> Decision:
    return Decision(reading, cell, seq, what, _value(value), actor, bool(live), changed)


@functools.lru_cache(maxsize=4096)
def _value(text: str) -> Any:  # noqa: ANN401 - whatever was said
    """Of thousands of rows most say the same few things."""
    return json.loads(text)


def _said(event: Event) -> Iterator[Decision]:
    """What a gesture says of each cell."""
    payload = event.payload
    for cell, what, value in _rows(event.kind, event.seq, payload):
        yield Decision(payload["reading"], cell, event.seq, what, value, event.actor, True, event.seq)


def _rows(kind: str, seq: int, payload: Mapping[str, Any]) -> Iterator[tuple[str, What, Any]]:
    if kind == RECLASSIFIED:
        for cell in payload["cells"]:
            yield cell, "kind", [payload["kind"], payload["counts_as"]]
    elif kind == EXCLUDED:
        for cell in payload["cells"]:
            yield cell, "excluded", payload["excluded"]
    elif kind == SEEN:
        for cell in payload["cells"]:
            yield cell, "seen", True
    elif kind == COMMENTED:
        yield payload["cell"], "comment", payload["text"]
    elif kind == DRAWN:
        cell = drawn_cell_id(seq)
        yield cell, "drawn", {"field": payload["field"], "circle": payload["circle"]}
        yield cell, "kind", [payload["kind"], payload["counts_as"]]
    elif kind == OUTLINED:
        yield payload["cell"], "outline", payload["circle"]
    elif kind == SPLIT:
        yield payload["cell"], "split", len(payload["circles"])
        for part, circle in enumerate(payload["circles"], start=1):
            yield drawn_cell_id(seq, part), "drawn", {"field": payload["field"], "circle": circle}


def _words(what: What, value: Any) -> str:  # noqa: ANN401 - whatever was said
    if what == "kind":
        return str(value[0])
    if what == "excluded":
        return "excluded" if value else "taken in again"
    return {"outline": "another outline", "split": f"split into {value}"}.get(what, what)


def _order(one: Decision) -> tuple[int, str, str]:
    return one.seq, one.cell, one.what
