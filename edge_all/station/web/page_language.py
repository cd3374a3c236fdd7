"""In which language a page, or an answer of the API, speaks to who asks.

A page: in the one that the station was started with (``EDGE_ALL_LANGUAGE``), else in the first of the browser's that is
there, else in English. An answer of the API holds names that are the same everywhere, and sentences for people: those
in the language that the request itself asks for, whatever the station was started with.
"""

from __future__ import annotations

import os
from typing import Annotated

from fastapi import Depends, Request

from edge_all.wording.language import LANGUAGE_SETTING, Language, known_languages

__all__ = ["Saying", "asked_language", "page_language"]


def page_language(request: Request) -> Language:
    """The language of a page."""
    return known_languages().get(os.environ.get(LANGUAGE_SETTING, "")) or asked_language(request)


def asked_language(request: Request) -> Language:
    """The first language of ``Accept-Language`` (RFC 9110, section 12.5.4) that is there; English where none is."""
    wanted: list[tuple[float, str]] = []
    for part in request.headers.get("accept-language", "").split(",")[:20]:
        name, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        if quality > 0:
            wanted.append((-quality, name.strip().lower().split("-")[0]))
    known = known_languages()
    # Sorting is stable: of two that are wanted alike, the first.
    codes = [code for _, code in sorted(wanted, key=lambda one: one[0]) if code in known]
    return known[codes[0] if codes else "en"]


Saying = Annotated[Language, Depends(asked_language)]
