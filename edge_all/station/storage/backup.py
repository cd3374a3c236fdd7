"""Copies of a store: made while a station works, looked through before they count, and put back.

SQLite's own online backup makes them (https://sqlite.org/backup.html). A copy that is not whole never gets its name.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge_all.errors import OutputError, StoreDamagedError, StoreInUseError
from edge_all.files.atomic import atomic_path, output_error
from edge_all.files.folder_claim import held_file
from edge_all.station.storage.backup_names import BACKUPS_FOLDER, backup_name
from edge_all.station.storage.chain import ChainReport, verify_chain
from edge_all.station.storage.database import LOCK_FILE, STORE_FILE, reading

__all__ = ["Backup", "back_up", "examine_store", "restore"]


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was looked through.

    Attributes:
        file: where it lies.
        chain: its events, all in order; note down the last hash elsewhere.
    """

    file: Path
    chain: ChainReport


def examine_store(file: Path, *, containing: str | None = None) -> ChainReport:
    """Look through a whole store, also while a station works with it.

    Args:
        file: the SQLite file.
        containing: a hash that was noted down, which must be in its chain.

    Returns:
        What the chain says; a break in it is a value, for somebody may have to be told.

    Raises:
        StoreError: there is none; damaged, or of a newer version.
    """
    with reading(file) as connection:
        problems = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
        if problems != ["ok"]:
            raise StoreDamagedError(
                f"The store {file} is damaged ({'; '.join(problems)}).", "Restore a backup: edge-all store restore."
            )
        stray = connection.execute("PRAGMA foreign_key_check").fetchone()
        if stray is not None:
            raise StoreDamagedError(
                f"The store {file} is damaged (a row of {stray[0]} refers to one that is gone).",
                "Restore a backup: edge-all store restore.",
            )
        return verify_chain(connection, containing=containing)


def back_up(folder: Path, target: Path | None = None) -> Backup:
    """Copy the store of a station, which may be at work, and look the copy through.

    Args:
        folder: of the station.
        target: the new file; one in the station's own folder, named by the time, where None.

    Raises:
        StoreError: there is no store, or it is damaged.
        OutputError: the copy cannot be written, or something stands under its name.
    """
    file = folder / STORE_FILE
    if target is None:
        target = folder / BACKUPS_FOLDER / backup_name(datetime.now(UTC))
    if target.exists():
        raise OutputError(f"{target} already exists.", "Choose another name.", settings=("out",))
    with atomic_path(target) as part:
        _copy(file, part)
        chain = examine_store(part)
    if chain.problem is not None:
        raise StoreDamagedError(
            f"The audit chain of {file} is broken: {chain.problem}. The copy {target} was made all the same.",
            "Compare it with earlier backups: edge-all audit verify.",
        )
    return Backup(target, chain)


def restore(folder: Path, backup: Path) -> Path | None:
    """Put a backup in the place of a station's store. What is there now is kept beside it.

    Args:
        folder: of the station, which must not be running.
        backup: the copy; it is looked through before anything is moved.

    Returns:
        Where the former store lies now; None where there was none.

    Raises:
        StoreError: the backup is damaged, of a newer version or none; or the station is running.
        OutputError: the folder cannot be written.
    """
    try:
        chain = examine_store(backup)
    except StoreDamagedError as error:
        raise StoreDamagedError(
            f"The backup {backup} is damaged or is no store; the station's store was not touched.",
            "Choose another backup: those that the station has made lie in its folder, under backups.",
        ) from error
    if chain.problem is not None:
        raise StoreDamagedError(
            f"The audit chain of the backup {backup} is broken: {chain.problem}.", "Choose an earlier backup."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = held_file(folder / LOCK_FILE)
    except OSError as error:
        raise output_error(folder, error) from error
    if lock is None:
        raise StoreInUseError(f"The station in {folder} is running.", "Stop it first, then restore.")
    with lock, atomic_path(folder / STORE_FILE) as part:
        _copy(backup, part)
        # Last of all, so that there is no moment without a store but the one between two renamings.
        return _put_aside(folder)


def _copy(source: Path, target: Path) -> None:
    """Copy a store with all that is still in its write-ahead log."""
    with reading(source) as connection:
        connection.execute("COMMIT")  # a copy is of one moment by itself
        try:
            with closing(sqlite3.connect(target)) as copy:
                connection.backup(copy)
                # Alone in its file: a copy is one file that can be carried away.
                copy.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN")
        except sqlite3.OperationalError as error:
            raise OutputError(
                f"The copy {target} cannot be written ({error}).",
                "Make room, or choose another place.",
                settings=("out",),
            ) from error


def _put_aside(folder: Path) -> Path | None:
    file = folder / STORE_FILE
    aside = folder / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}Z.sqlite3"
    # The log and its index belong to the file: left behind, they would be applied to the backup.
    for ending in ("-wal", "-shm", ""):
        one = file.with_name(file.name + ending)
        if one.exists():
            one.rename(aside.with_name(aside.name + ending))
    return aside if aside.exists() else None
