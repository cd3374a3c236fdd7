"""Accounts: who may work with a station that others than its own machine can reach.

Passwords are kept as Argon2id hashes (RFC 9106, by argon2-cffi with its own parameters). A session is a random name in
a cookie, known to this process alone: a restart ends all sessions, and pages ask their readers in again, in place. It
ends too when its account is taken away or gets another password; another role holds from the next request on.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import argon2
from starlette.requests import Request
from starlette.responses import Response

from edge_all.errors import StoreDamagedError, UsageError
from edge_all.files.atomic import write_atomically
from edge_all.station.web.problems import WebError
from edge_all.station.web.visitors import Person, Role, require_name
from edge_all.wording.command_lines import typed

__all__ = ["ACCOUNTS_FILE", "FIRST_ACCOUNT", "AccountBook", "AccountHolders", "first_account"]

ACCOUNTS_FILE = "accounts.json"
SHORTEST_PASSWORD = 10
FIRST_ACCOUNT = ("edge-all", "account", "put", "NAME", "--role", "administrator", "--station")
"""What is typed to make a station's first account, before its folder."""
_COOKIE = "edge-all-session"
_SESSION_SECONDS = 12 * 3600
_IDLE_SECONDS = 3600
_FREE_TRIES = 5
"""Wrong passwords for a name, or from an address, before each further try has to wait."""
_FIRST_WAIT = 2.0
_LONGEST_WAIT = 300.0
"""Seconds; each wrong password doubles the wait, up to this."""


def first_account(folder: Path) -> str:
    """What is to be typed to make the first account of the station in a folder, which may not be the user's own."""
    return " ".join((*FIRST_ACCOUNT, typed(str(folder))))


class AccountBook:
    """The accounts of a station, in a file of its folder that its user alone can read."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / ACCOUNTS_FILE
        self._hasher = argon2.PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_hex())

    def people(self) -> list[Person]:
        """Who has an account.

        Raises:
            StoreDamagedError: the file is none of accounts.
        """
        return [Person(name, entry["role"]) for name, entry in sorted(self._read().items())]

    def put(self, name: str, password: str, role: Role) -> None:
        """Give somebody an account, or another password or role.

        Raises:
            UsageError: no name, no role, or too short a password.
            StoreDamagedError: as of `people`.
        """
        try:
            name = require_name(name)
        except WebError as error:
            raise UsageError(error.problem, error.remedy) from error
        if role not in get_args(Role):
            raise UsageError(f"There is no role {role!r}.", f"Choose one of: {', '.join(get_args(Role))}.")
        if len(password) < SHORTEST_PASSWORD:
            raise UsageError("The password is too short.", f"Choose one of at least {SHORTEST_PASSWORD} letters.")
        self._write({**self._read(), name: {"role": role, "hash": self._hasher.hash(password)}})

    def remove(self, name: str) -> None:
        """Take an account away; what was decided under it stays.

        Raises:
            UsageError: there is none.
            StoreDamagedError: as of `people`.
        """
        entries = self._read()
        if entries.pop(name, None) is None:
            raise UsageError(f"{name} has no account.", "Look at the list of accounts.")
        self._write(entries)

    def proven(self, name: str, password: str) -> str | None:
        """What a session of who has this name and password goes by; takes as long where nobody has."""
        entry = self._read().get(name)
        try:
            self._hasher.verify(self._nobody if entry is None else entry["hash"], password)
        except argon2.exceptions.Argon2Error:
            return None
        return None if entry is None else str(entry["hash"])

    def person(self, name: str, proof: str) -> Person | None:
        """Who has this name, as long as neither the account nor its password has changed since it was `proven`."""
        entry = self._read().get(name)
        return None if entry is None or entry["hash"] != proof else Person(name, entry["role"])

    def _read(self) -> dict[str, Any]:
        try:
            entries = json.loads(self._file.read_text("utf-8"))["accounts"]
            return {str(name): {"role": entry["role"], "hash": entry["hash"]} for name, entry in entries.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreDamagedError(
                f"{self._file} cannot be read as accounts.", "Put it back from a backup, or remove it and begin anew."
            ) from error

    def _write(self, entries: dict[str, Any]) -> None:
        write_atomically(self._file, (json.dumps({"accounts": entries}, indent=2) + "\n").encode(), private=True)


@dataclass(slots=True)
class _Session:
    name: str
    proof: str
    begun: float
    used: float


@dataclass(slots=True)
class _Tries:
    wrong: int = 0
    not_before: float = 0.0


@dataclass(slots=True)
class AccountHolders:
    """Lets in who has an account; safe to share between threads.

    Attributes:
        book: the accounts.
        clock: seconds that never go back.
        needs_password, ways_in: as of `Visitors`.
    """

    book: AccountBook
    clock: Callable[[], float] = time.monotonic
    needs_password: bool = True
    ways_in: str = (
        "Begin a session with your name and password: POST /api/v1/session, whose cookie later requests carry."
    )
    _sessions: dict[str, _Session] = field(default_factory=dict)
    _tries: defaultdict[str, _Tries] = field(default_factory=lambda: defaultdict(_Tries))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def person(self, request: Request) -> Person | None:
        """Whose session the request carries."""
        name = request.cookies.get(_COOKIE, "")
        with self._lock:
            session, now = self._sessions.get(name), self.clock()
            if session is None:
                return None
            if now - session.begun > _SESSION_SECONDS or now - session.used > _IDLE_SECONDS:
                del self._sessions[name]
                return None
            session.used = now
        return self.book.person(session.name, session.proof)

    def enter(self, name: str, password: str, address: str, response: Response) -> Person:
        """Begin a session.

        Raises:
            WebError: the name or the password is wrong, or there were too many wrong ones.
        """
        counted = (f"name {name}", f"address {address}")
        self._require_patience(counted)
        proof = self.book.proven(name, password)
        person = None if proof is None else self.book.person(name, proof)
        if person is None or proof is None:
            self._note_wrong(counted)
            raise WebError(401, "The name or the password is wrong.", "Try again, or ask an administrator.")
        with self._lock:
            for one in counted:
                self._tries.pop(one, None)
            now, session = self.clock(), secrets.token_urlsafe(32)
            self._sessions[session] = _Session(name, proof, now, now)
        response.set_cookie(_COOKIE, session, max_age=_SESSION_SECONDS, httponly=True, samesite="strict")
        return person

    def leave(self, request: Request, response: Response) -> None:
        """End the session that the request carries."""
        with self._lock:
            self._sessions.pop(request.cookies.get(_COOKIE, ""), None)
        response.delete_cookie(_COOKIE, httponly=True, samesite="strict")

    def _require_patience(self, counted: tuple[str, ...]) -> None:
        with self._lock:
            wait = max(self._tries[one].not_before for one in counted) - self.clock()
        if wait > 0:
            raise WebError(429, "There were too many wrong passwords.", "Wait a while.", retry_after=round(wait) + 1)

    def _note_wrong(self, counted: tuple[str, ...]) -> None:
        with self._lock:
            for one in counted:
                tries = self._tries[one]
                tries.wrong += 1
                if tries.wrong >= _FREE_TRIES:
                    wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (tries.wrong - _FREE_TRIES))
                    tries.not_before = self.clock() + wait
