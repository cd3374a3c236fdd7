"""The SQLite file of a station: opened by one process, migrated, read by many threads and written by one at a time.

Write-ahead log, so that readers never wait for the writer; ``synchronous=FULL``, so that what was acknowledged is on
disk (https://sqlite.org/pragma.html#pragma_synchronous); foreign keys on. Versions are counted in ``user_version``.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

from edge_all.errors import StoreDamagedError, StoreError, StoreInUseError, StoreTooNewError
from edge_all.files.folder_claim import held_file
from edge_all.station.storage.backup_names import BACKUPS_FOLDER, latest_backup

__all__ = ["LOCK_FILE", "STORE_FILE", "Database", "reading", "store_version"]

STORE_FILE = "station.sqlite3"
LOCK_FILE = "station.lock"
BUSY_SECONDS = 5.0
"""How long a connection waits for another program's lock, such as that of a copy being made."""


def store_version() -> int:
    """The version of the store that this edge-all writes: the number of the last migration."""
    return _migrations()[-1][0]


class Database:
    """The store's file, held by this process alone; safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        """Open the store in a folder, make it if need be, and bring it to this version.

        Args:
            folder: of the station; made with its parents.

        Raises:
            StoreInUseError: another station process holds it.
            StoreTooNewError: a newer edge-all wrote it; it is left as it is.
            StoreDamagedError: the file is no store, or damaged.
            StoreError: the folder cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = held_file(folder / LOCK_FILE)
        except OSError as error:
            raise StoreError(
                f"The station's folder {folder} cannot be written ({error.strerror or error}).",
                "Choose another folder, or ask for permission to write there.",
            ) from error
        if lock is None:
            raise StoreInUseError(
                f"The station's folder {folder} is in use by another station.",
                "Stop that one first. While it runs, its page and HTTP API give reports and cells.",
            )
        self._lock_file = lock
        self.folder = folder
        self.file = folder / STORE_FILE
        self._writing = threading.RLock()
        self._connections: list[sqlite3.Connection] = []
        self._own = threading.local()
        self._commits = 0
        self._committed = threading.Condition()
        try:
            self._writer = self._connect()
            _migrate(self._writer, self.file)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections and let go of the store; a second call does nothing."""
        with self._writing:
            while self._connections:
                self._connections.pop().close()
            self._lock_file.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is on disk when the block ends, or nothing of it where the block raises.

        Raises:
            StoreError: the disk is full, the database locked by another program, or damaged.
        """
        with self._writing, _as_store_errors(self.file):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:  # a full disk has ended it already
                    self._writer.execute("ROLLBACK")
                raise
        with self._committed:
            self._commits += 1
            self._committed.notify_all()

    @property
    def commits(self) -> int:
        """How many transactions there were since the store was opened."""
        return self._commits

    def wait_for_commit(self, since: int, timeout: float) -> int:
        """Wait until something was written.

        Args:
            since: the number of `commits` after which there has to be a further one.
            timeout: seconds after which it is given up.

        Returns:
            The number of commits now.
        """
        with self._committed:
            self._committed.wait_for(lambda: self._commits > since, timeout)
            return self._commits

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection of this thread for reading; all that is read in the block is of one moment.

        Raises:
            StoreError: as in `write`.
        """
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        with _as_store_errors(self.file):
            if connection is None:
                connection = self._own.connection = self._connect()
                connection.execute("PRAGMA query_only = ON")
            if connection.in_transaction:  # a reader within a reader sees the same moment
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        with _as_store_errors(self.file):
            connection = sqlite3.connect(self.file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._connections.append(connection)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")  # what is forgotten is not left in free pages
            return connection


@contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection]:
    """A store, or a copy of one, for reading alone, also while a station works with it.

    Args:
        file: the SQLite file.

    Raises:
        StoreError: there is none.
        StoreTooNewError: a newer edge-all wrote it.
        StoreDamagedError: the file is no store, or damaged.
    """
    if not file.is_file():
        raise StoreError(f"There is no store {file}.", "Name the folder of a station.")
    with (
        _as_store_errors(file),
        closing(sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)) as connection,
    ):
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA query_only = ON")
        version = _version(connection, file)
        if version == 0:
            raise StoreDamagedError(f"{file} is no store of a station.", "Name the folder of a station.")
        connection.execute("BEGIN")
        yield connection


def _version(connection: sqlite3.Connection, file: Path) -> int:
    """The version of a store.

    Raises:
        StoreTooNewError: it is a later one than this edge-all knows.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > store_version():
        raise StoreTooNewError(
            f"The store {file} is of version {version}, this edge-all knows versions up to {store_version()}.",
            "Start the station with the newer edge-all, or go back to a backup from before the update.",
        )
    return version


def _migrate(connection: sqlite3.Connection, file: Path) -> None:
    """Run what is missing, each step a transaction of its own together with its number.

    Raises:
        StoreTooNewError: the file is of a later version.
        StoreError: it cannot be written.
    """
    with _as_store_errors(file):
        version = _version(connection, file)
        for number, script in _migrations():
            if number > version:
                connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")


def _migrations() -> list[tuple[int, str]]:
    folder = files("edge_all.station.storage").joinpath("migrations")
    scripts = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return sorted((int(re.split(r"\D", entry.name)[0]), entry.read_text("utf-8")) for entry in scripts)


@contextmanager
def _as_store_errors(file: Path) -> Iterator[None]:
    """Whatever SQLite complains of, in the words of the one error tree."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise  # a rule of the schema: a fault of ours, which must not be dressed as the user's
    except sqlite3.Error as error:
        raise _store_error(file, error) from error


def _store_error(file: Path, error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        backup = latest_backup(file.parent / BACKUPS_FOLDER)
        offered = f"the last one is {backup}" if backup else "there is none in the station's folder"
        return StoreDamagedError(
            f"The store {file} is damaged or is no store ({error}).",
            f"Restore a backup ({offered}): edge-all store restore. What is there now is kept beside it.",
        )
    if primary == sqlite3.SQLITE_FULL:
        return StoreError(f"The disk of {file} is full; nothing was changed.", "Make room and try again.")
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreError(
            f"The store {file} is locked by another program; nothing was changed.",
            "Close what has it open (a database viewer, a backup program) and try again.",
        )
    return StoreError(
        f"The store {file} cannot be used ({error}).", "Check the disk and the permissions of its folder."
    )
