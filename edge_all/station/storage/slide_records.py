"""Slides: a code that says nothing about anybody, and apart from it the name that their folder had."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass

from edge_all.errors import InputNotFoundError
from edge_all.station.storage.chain import append_event, now
from edge_all.station.storage.image_queue import forget_paths

__all__ = ["DEMO_FOLDER", "SlideRecord", "all_slides", "find_or_add_slide", "forget_name", "slide_record"]

DEMO_FOLDER = "demo-images"
"""In a station's folder: slides that edge-all has rendered, of which no laboratory's glass, stain or camera speaks."""
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Base 32 as Crockford writes it: no letter that is read as a digit."""
_CODE_LENGTH = 8
"""40 bits: among 100,000 slides of a station, one in 200 of drawing the same twice, and then it is drawn again."""


@dataclass(frozen=True, slots=True)
class SlideRecord:
    """A slide.

    Attributes:
        id: in the store.
        code: pseudonymous; what reports, exports and events call it.
        name: as its folder was called; may hold a person's number. None where it was forgotten.
        source: the folder that it lies in, or who posted it; None where it was forgotten.
        created_at: UTC, ISO 8601.
        synthetic: whether edge-all drew it itself, for the demonstration.
    """

    id: int
    code: str
    name: str | None
    source: str | None
    created_at: str
    synthetic: bool = False


def find_or_add_slide(
    connection: sqlite3.Connection, source: str, name: str, *, synthetic: bool = False
) -> SlideRecord:
    """The slide of a name; a new one with a code of its own, where there is none yet.

    Args:
        connection: of `Database.write`.
        source: the folder that it lies in, or who posted it.
        name: as its folder is called.
        synthetic: of a new one, see `SlideRecord`.
    """
    row = connection.execute("SELECT * FROM slides WHERE source = ? AND name = ?", (source, name)).fetchone()
    if row is not None:
        return _record(row)
    while True:
        code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
        if connection.execute("SELECT 1 FROM slides WHERE code = ?", (code,)).fetchone() is None:
            break
    created = now()
    columns = (code, name, source, created, synthetic)
    cursor = connection.execute(
        "INSERT INTO slides (code, name, source, created_at, synthetic) VALUES (?, ?, ?, ?, ?)", columns
    )
    added = SlideRecord(int(cursor.lastrowid or 0), *columns)
    said = {"code": code, "synthetic": True} if synthetic else {"code": code}
    append_event(connection, "slide.added", "edge-all", said, slide_id=added.id)
    return added


def slide_record(connection: sqlite3.Connection, code: str) -> SlideRecord:
    """The slide of a code.

    Raises:
        InputNotFoundError: there is none.
    """
    row = connection.execute("SELECT * FROM slides WHERE code = ?", (code.strip().upper(),)).fetchone()
    if row is None:
        raise InputNotFoundError(f"There is no slide {code}.", "Look for it in the list of slides.")
    return _record(row)


def all_slides(connection: sqlite3.Connection) -> list[SlideRecord]:
    """All slides, in the order in which they came."""
    return [_record(row) for row in connection.execute("SELECT * FROM slides ORDER BY id")]


def _record(row: sqlite3.Row) -> SlideRecord:
    return SlideRecord(row["id"], row["code"], row["name"], row["source"], row["created_at"], bool(row["synthetic"]))


def forget_name(connection: sqlite3.Connection, slide: SlideRecord, actor: str, reason: str) -> None:
    """Forget what a slide and its images were called and where they lie. Its cells and decisions stay.

    Args:
        connection: of `Database.write`.
        slide: the slide.
        actor: who has it forgotten.
        reason: why.
    """
    connection.execute("UPDATE slides SET name = NULL, source = NULL WHERE id = ?", (slide.id,))
    connection.execute("UPDATE fields SET path = NULL WHERE slide_id = ?", (slide.id,))
    forget_paths(connection, slide.id)
    append_event(connection, "slide.forgotten", actor, {"reason": reason}, slide_id=slide.id)
