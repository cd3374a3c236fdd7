"""Images that wait for their turn: leased, with attempts, back-off and an end where it is given up.

An image is known by its path, page, size and time, so that one that was taken again under its name waits again. Who
takes one holds a lease; what a killed worker held waits again, and only who still holds the lease may write down what
was found. Clocks are set back: a time further in the future than this module ever plans is taken for past.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal

from edge_all.station.storage.chain import now

__all__ = [
    "FORGOTTEN",
    "MOST_ATTEMPTS",
    "MOST_LEASES",
    "DeadImage",
    "Outcome",
    "QueueState",
    "QueuedImage",
    "add_to_queue",
    "finish",
    "forget_paths",
    "is_due",
    "known_files",
    "lease_next",
    "postpone",
    "queue_counts",
    "queue_state",
    "release_leases",
    "retry_dead",
]

MOST_ATTEMPTS = 5
"""After so many the image is given up, until a person has it tried again."""
MOST_LEASES = 10
"""An image during which the station ended so often, without a word, is given up too: it may be the reason."""
_BACK_OFF = 4.0
"""Seconds before the second attempt are 1, before each further one so many times as long: 1, 4, 16, 64."""
_LONGEST_WAIT = _BACK_OFF ** (MOST_ATTEMPTS - 2)
LEASE_SECONDS = 600.0
"""The largest image that is read takes some ten seconds; a worker that is silent for so long has died."""

FORGOTTEN = "forgotten "
"""Stands in the place of a path, with the number of its row."""

Outcome = Literal["done", "replaced", "dead"]


@dataclass(frozen=True, slots=True)
class QueuedImage:
    """An image that somebody holds a lease on.

    Attributes:
        id: in the queue.
        slide_id: of which slide.
        slide: its name; its code where that was forgotten.
        path, page: where it lies; page 0 in a file of one picture.
        size_bytes, modified_ns: of the file that waits; another file under its name waits by itself.
        attempt: which one this is, from 1.
    """

    id: int
    slide_id: int
    slide: str
    path: str
    page: int
    size_bytes: int
    modified_ns: int
    attempt: int


@dataclass(frozen=True, slots=True)
class DeadImage:
    """An image that was given up.

    Attributes:
        id: in the queue.
        slide_id: of which slide.
        path: where it lies; None where that was forgotten.
        page: of a file with several pictures, from 1; else 0.
        attempts: how often it was tried.
        last_error: what was wrong the last time.
    """

    id: int
    slide_id: int
    path: str | None
    page: int
    attempts: int
    last_error: str


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many images wait.

    Attributes:
        waiting: for their turn, or for another attempt.
        leased: being judged now.
        done: judged, those that were replaced before their turn not counted.
        dead: given up.
    """

    waiting: int
    leased: int
    done: int
    dead: tuple[DeadImage, ...]


def known_files(connection: sqlite3.Connection) -> set[tuple[str, int, int]]:
    """Path, size and time of every file that waits or has had its turn; `FORGOTTEN` for a path that was forgotten."""
    rows = connection.execute("SELECT path, size_bytes, modified_ns FROM queue")
    return {(FORGOTTEN if path.startswith(FORGOTTEN) else path, size, modified) for path, size, modified in rows}


def forget_paths(connection: sqlite3.Connection, slide_id: int) -> None:
    """Forget where the images of a slide lie. By size and time they are known all the same, and not judged again."""
    connection.execute("UPDATE queue SET path = ? || id WHERE slide_id = ?", (FORGOTTEN, slide_id))


def add_to_queue(
    connection: sqlite3.Connection, slide_id: int, path: str, page: int, size_bytes: int, modified_ns: int
) -> bool:
    """Let an image wait for its turn. What was given up of an earlier file under its name is in its place no more.

    Returns:
        Whether it is new here; one that is known is left as it is.
    """
    cursor = connection.execute(
        "INSERT OR IGNORE INTO queue (slide_id, path, page, size_bytes, modified_ns, found_at, state)"
        " VALUES (?, ?, ?, ?, ?, ?, 'waiting')",
        (slide_id, path, page, size_bytes, modified_ns, now()),
    )
    if cursor.rowcount != 1:
        return False
    connection.execute(
        "UPDATE queue SET state = 'replaced' WHERE state = 'dead' AND path = ? AND (size_bytes, modified_ns) <> (?, ?)",
        (path, size_bytes, modified_ns),
    )
    return True


def is_due(connection: sqlite3.Connection, clock: float) -> bool:
    """Whether there is an image to be tried now; asked before a lease, which writes.

    Args:
        connection: to the store.
        clock: seconds since 1970.
    """
    row = connection.execute(
        "SELECT 1 FROM queue WHERE (state = 'waiting' AND (not_before <= ? OR not_before > ?))"
        " OR (state = 'leased' AND (lease_until <= ? OR lease_until > ?)) LIMIT 1",
        (clock, clock + _LONGEST_WAIT, clock, clock + LEASE_SECONDS),
    ).fetchone()
    return row is not None


def lease_next(connection: sqlite3.Connection, clock: float) -> QueuedImage | None:
    """Take the next image, slide by slide; None where none is to be tried now.

    Args:
        connection: of `Database.write`.
        clock: seconds since 1970.
    """
    connection.execute(
        "UPDATE queue SET state = 'waiting' WHERE state = 'leased' AND (lease_until <= ? OR lease_until > ?)",
        (clock, clock + LEASE_SECONDS),
    )
    row = connection.execute(
        "SELECT queue.*, coalesce(name, code) AS slide FROM queue JOIN slides ON slides.id = slide_id"
        " WHERE state = 'waiting' AND (not_before <= ? OR not_before > ?) ORDER BY slide_id, queue.id LIMIT 1",
        (clock, clock + _LONGEST_WAIT),
    ).fetchone()
    if row is None:
        return None
    connection.execute(
        "UPDATE queue SET state = 'leased', attempts = attempts + 1, lease_until = ? WHERE id = ?",
        (clock + LEASE_SECONDS, row["id"]),
    )
    names = ("id", "slide_id", "slide", "path", "page", "size_bytes", "modified_ns")
    return QueuedImage(**{name: row[name] for name in names}, attempt=row["attempts"] + 1)


def finish(
    connection: sqlite3.Connection,
    image: QueuedImage,
    outcome: Outcome,
    error: str | None = None,
) -> bool:
    """End an image's turn.

    Args:
        connection: of `Database.write`, in the transaction that writes down what was found.
        image: as leased.
        outcome: judged, replaced by another file meanwhile, or given up.
        error: why it is given up.

    Returns:
        Whether the lease was still held; if not, somebody else has it, and nothing may be written.
    """
    cursor = connection.execute(
        "UPDATE queue SET state = ?, last_error = ? WHERE id = ? AND state = 'leased' AND attempts = ?",
        (outcome, error, image.id, image.attempt),
    )
    return cursor.rowcount == 1


def postpone(connection: sqlite3.Connection, image: QueuedImage, error: str, clock: float) -> bool:
    """Let an image that failed wait for another attempt, later each time.

    Args:
        connection: of `Database.write`.
        image: as leased.
        error: what was wrong.
        clock: seconds since 1970.

    Returns:
        Whether there is a further attempt; if not, give it up with `finish`.
    """
    if image.attempt >= MOST_ATTEMPTS:
        return False
    connection.execute(
        "UPDATE queue SET state = 'waiting', not_before = ?, last_error = ?"
        " WHERE id = ? AND state = 'leased' AND attempts = ?",
        (clock + _BACK_OFF ** (image.attempt - 1), error, image.id, image.attempt),
    )
    return True


def release_leases(connection: sqlite3.Connection) -> int:
    """Take back all leases: whoever held one is gone, for only one process opens a store.

    Returns:
        How many there were.
    """
    return connection.execute("UPDATE queue SET state = 'waiting' WHERE state = 'leased'").rowcount


def retry_dead(connection: sqlite3.Connection, ids: tuple[int, ...] | None = None) -> int:
    """Have images that were given up tried again, at once.

    Args:
        connection: of `Database.write`.
        ids: which ones; all where None.

    Returns:
        How many that are.
    """
    change = "UPDATE queue SET state = 'waiting', attempts = 0, not_before = 0 WHERE state = 'dead'"
    if ids is None:
        return connection.execute(change).rowcount
    return sum(connection.execute(f"{change} AND id = ?", (one,)).rowcount for one in ids)


def queue_counts(connection: sqlite3.Connection) -> dict[int, tuple[int, int]]:
    """By slide, how many of its images wait or are being judged, and how many were given up."""
    rows = connection.execute(
        "SELECT slide_id, sum(state IN ('waiting', 'leased')), sum(state = 'dead') FROM queue GROUP BY slide_id"
    )
    return {slide: (waiting, dead) for slide, waiting, dead in rows}


def queue_state(connection: sqlite3.Connection, slide_id: int | None = None) -> QueueState:
    """How many images wait: of the station, or of one slide."""
    chosen = (slide_id, slide_id)
    counts = dict(
        connection.execute(
            "SELECT state, count(*) FROM queue WHERE (? IS NULL OR slide_id = ?) GROUP BY state", chosen
        ).fetchall()
    )
    dead = connection.execute(
        "SELECT id, slide_id, CASE WHEN instr(path, ?) = 1 THEN NULL ELSE path END, page, attempts,"
        " coalesce(last_error, '') FROM queue WHERE state = 'dead' AND (? IS NULL OR slide_id = ?)"
        " ORDER BY slide_id, id",
        (FORGOTTEN, *chosen),
    )
    return QueueState(
        counts.get("waiting", 0), counts.get("leased", 0), counts.get("done", 0), tuple(DeadImage(*row) for row in dead)
    )
