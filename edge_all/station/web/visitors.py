"""Who asks: on the station's own machine whoever says a name, elsewhere whoever has an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

from edge_all.station.web.problems import WebError

__all__ = ["NameTellers", "Person", "Role", "Visitors", "require_name"]

Role = Literal["reviewer", "administrator"]
_COOKIE = "edge-all-reader"
_HEADER = "Edge-All-Reader"
_LONGEST_NAME = 80
_SECONDS = 14 * 3600
"""A working day, after which the next person at the machine is asked for a name again."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works with the station.

    Attributes:
        name: under which their decisions stand.
        role: what they may do: an administrator also what concerns the station as a whole, as `page_desk.Administering`
            asks for.
    """

    name: str
    role: Role


class Visitors(Protocol):
    """Knows who asks."""

    needs_password: bool
    ways_in: str
    """How somebody says who they are, as a remedy."""

    def person(self, request: Request) -> Person | None:
        """Who asks; None where nobody has said."""

    def enter(self, name: str, password: str, address: str, response: Response) -> Person:
        """Let somebody in: later requests that carry what the response sets are theirs.

        Raises:
            WebError: refused.
        """

    def leave(self, request: Request, response: Response) -> None:
        """Forget who asks."""


def require_name(name: str) -> str:
    """A name as decisions carry it.

    Raises:
        WebError: it is none.
    """
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise WebError(422, "That is no name.", f"Write your name, up to {_LONGEST_NAME} letters.")
    return name


class NameTellers:
    """At the station's own machine: everybody who works at it says their name."""

    needs_password = False
    ways_in = f"Say who you are: POST /api/v1/session, or your name in the header {_HEADER} of each request."

    def person(self, request: Request) -> Person | None:
        """Who asks, by the header of a program or the cookie of a page."""
        said = request.headers.get(_HEADER) or request.cookies.get(_COOKIE)
        if not said:
            return None
        try:
            return Person(require_name(unquote(said, errors="strict")), "administrator")
        except (UnicodeDecodeError, WebError):
            return None

    def enter(self, name: str, password: str, address: str, response: Response) -> Person:  # noqa: ARG002
        """Take somebody at their word."""
        person = Person(require_name(name), "administrator")
        response.set_cookie(_COOKIE, quote(person.name), max_age=_SECONDS, httponly=True, samesite="strict")
        return person

    def leave(self, request: Request, response: Response) -> None:  # noqa: ARG002
        """Let the next one say theirs."""
        response.delete_cookie(_COOKIE, httponly=True, samesite="strict")
