"""Errors as problem details (RFC 9457): the one error tree of edge-all, and what HTTP itself has to complain of."""

from __future__ import annotations

import dataclasses
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from edge_all.errors import (
    EdgeAllError,
    ImageError,
    ImageTooLargeError,
    InputNotFoundError,
    ReviewConflictError,
    ReviewError,
    SlideSignedError,
    StoreError,
    UnreviewedCellsError,
    UsageError,
)
from edge_all.station.review.decisions import Conflict
from edge_all.station.web.page_language import asked_language
from edge_all.wording.language import Language

__all__ = ["PROBLEMS", "Problem", "WebError", "add_problem_answers", "problem_answer", "problem_status"]

_MEDIA_TYPE = "application/problem+json"
_STATUS: tuple[tuple[type[EdgeAllError], int], ...] = (
    (ReviewError, 409),
    (InputNotFoundError, 404),
    (ImageTooLargeError, 413),
    (ImageError, 422),
    (UsageError, 422),
    (StoreError, 503),
)
"""By the first class that an error is one of; all others are faults of the server."""


class WebError(EdgeAllError):
    """Something that only a server refuses: who asks, from where, how much, how often.

    Args:
        status: of the answer.
        problem, remedy: as of every error.
        retry_after: seconds after which it may be tried again.
    """

    def __init__(self, status: int, problem: str, remedy: str, *, retry_after: int | None = None) -> None:
        super().__init__(problem, remedy)
        self.status = status
        self.retry_after = retry_after


class Problem(BaseModel):
    """Why a request was not done (RFC 9457).

    Attributes:
        type: names the kind of problem.
        title: of the status.
        status: of the answer.
        detail: what happened.
        remedy: what to do about it.
        conflicts: of each cell that somebody else has decided on meanwhile, who decided what.
        cells: names of the cells that it is about.
    """

    type: str
    title: str
    status: int
    detail: str
    remedy: str = ""
    conflicts: list[dict[str, Any]] = []
    cells: list[str] = []


PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {"model": Problem, "description": "A problem (RFC 9457).", "content": {_MEDIA_TYPE: {}}}
}
"""What every path of the API answers with where it does not do what was asked."""


def problem_answer(error: EdgeAllError, say: Language) -> JSONResponse:
    """An error as the answer to a request, in the language that it asks for."""
    status = problem_status(error)
    more: dict[str, Any] = {}
    if isinstance(error, ReviewConflictError):
        found = [dataclasses.asdict(one) for one in error.conflicts if isinstance(one, Conflict)]
        more["conflicts"] = [one | {"what": say.named(one["what"])} for one in found]
    if isinstance(error, UnreviewedCellsError):
        more["cells"] = list(error.cells)
    answer = _answer(status, _kind_of(error), say.sentences(error.problem), say.sentences(error.remedy), **more)
    if isinstance(error, WebError) and error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def add_problem_answers(app: FastAPI) -> None:
    """Let an application answer with problem details, whatever goes wrong."""

    def of_ours(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, EdgeAllError)  # noqa: S101 - registered for these alone
        return problem_answer(error, asked_language(request))

    def of_validation(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        found = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()[:5]]
        return _answer(422, "not-valid", "; ".join(found), "See the description of the API: /api/v1/openapi.json.")

    def of_http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101
        answer = _answer(error.status_code, "http", str(error.detail), "")
        answer.headers.update(error.headers or {})
        return answer

    def of_nobody(request: Request, error: Exception) -> JSONResponse:
        say = asked_language(request)
        fault = say.sentence(f"A fault of edge-all ({type(error).__name__}).")
        return _answer(500, "internal", fault, say.sentence("Please report it."))

    app.add_exception_handler(EdgeAllError, of_ours)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(Exception, of_nobody)


def problem_status(error: EdgeAllError) -> int:
    """The status of the answer that says an error."""
    if isinstance(error, WebError):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def _kind_of(error: EdgeAllError) -> str:
    if isinstance(error, SlideSignedError):
        return "slide-signed"
    if isinstance(error, UnreviewedCellsError):
        return "unreviewed-cells"
    if isinstance(error, ReviewConflictError):
        return "conflict"
    name = type(error).__name__.removesuffix("Error")
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


def _answer(status: int, kind: str, detail: str, remedy: str, **more: Any) -> JSONResponse:  # noqa: ANN401
    problem = {
        "type": f"urn:edge-all:problem:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "remedy": remedy,
        **more,
    }
    return JSONResponse(problem, status, media_type=_MEDIA_TYPE)
