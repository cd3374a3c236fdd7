"""What every request has to pass, and what every answer carries, before any of it is looked at.

A page of another site that is open in the same browser can send requests here, and by a name that it owns and lets
point to 127.0.0.1 it could read the answers (DNS rebinding). So foreign ``Host`` headers and requests that another site
caused (``Sec-Fetch-Site``, ``Origin``) are refused, and no answer may be framed, sniffed or kept by a cache.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_all.station.web.page_language import asked_language
from edge_all.station.web.problems import WebError, problem_answer

__all__ = ["LARGEST_MESSAGE", "LARGEST_UPLOAD", "Guards", "host_of"]

LARGEST_MESSAGE = 2_000_000
"""Bytes of a gesture on 50,000 cells."""
LARGEST_UPLOAD = 200_000_000
"""Bytes of an image; 30 megapixels without compression are 90 MB."""
_SAFE = ("GET", "HEAD", "OPTIONS")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def host_of(header: str) -> str:
    """The name in a ``Host`` header, without its port."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


class Guards:
    """The middleware that stands before all else."""

    def __init__(self, app: ASGIApp, hosts: Collection[str], upload_paths: Collection[str] = ()) -> None:
        """Stand before an application.

        Args:
            app: which.
            hosts: names by which this server may be called.
            upload_paths: paths below which images are taken.
        """
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._upload_paths = tuple(upload_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        largest = LARGEST_UPLOAD if scope["path"].startswith(self._upload_paths) else LARGEST_MESSAGE
        try:
            self._require_known_host_and_site(Headers(scope=scope), scope["method"])
            _require_size(Headers(scope=scope), largest)
        except WebError as error:
            await problem_answer(error, asked_language(Request(scope)))(scope, receive, _with_headers(send))
            return
        await self._app(scope, _counted(receive, largest), _with_headers(send))

    def _require_known_host_and_site(self, headers: Headers, method: str) -> None:
        host = headers.get("host", "")
        if host_of(host) not in self._hosts:
            raise WebError(421, f"This station is not called {host!r}.", "Open it by its own address.")
        site = headers.get("sec-fetch-site")
        # A link on another site may lead here; what it may not do is ask or change anything itself.
        led_here = method in _SAFE and headers.get("sec-fetch-mode") == "navigate"
        if site in ("cross-site", "same-site") and not led_here:
            raise WebError(403, "Another site caused this request.", "Open the station's own page.")
        origin = headers.get("origin")
        if origin is not None and method not in _SAFE and urlsplit(origin).netloc != host:
            raise WebError(403, f"A page of {origin!r} caused this request.", "Open the station's own page.")


def _require_size(headers: Headers, largest: int) -> None:
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        raise WebError(400, "The length of the request is no number.", "Send it again.")
    if int(length) > largest:
        raise _too_large(largest)


def _too_large(largest: int) -> WebError:
    return WebError(413, f"The request is larger than {largest} bytes.", "Send less at once.")


def _counted(receive: Receive, largest: int) -> Receive:
    """The body of a request, also of one that does not say how long it is, up to its limit."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > largest:
            raise HTTPException(413, _too_large(largest).problem)  # the one error that FastAPI passes on from here
        return message

    return counted


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            if "cache-control" not in headers:
                headers["Cache-Control"] = "no-store"
        await send(message)

    return sending
