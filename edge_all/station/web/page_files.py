"""The page's own scripts and style: kept by the browser for good, under an address that changes with their content."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

__all__ = ["PageFiles", "files_address", "scripts_of"]

_FOLDER = Path(__file__).parent / "static"
_IMPORTED = re.compile(r'^import .* from "\./([\w-]+\.js)";$', re.MULTILINE)


class PageFiles(StaticFiles):
    """The files, under `files_address`."""

    def __init__(self) -> None:
        super().__init__(directory=_FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, which no browser has to ask for again."""
        answer = await super().get_response(path, scope)
        if answer.status_code == 200:
            answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer


@cache
def files_address() -> str:
    """Path of the files at the server: another one whenever one of them is another."""
    content = hashlib.sha256()
    for file in sorted(_FOLDER.iterdir()):
        content.update(file.name.encode() + b"\0" + file.read_bytes())
    return f"/static/{content.hexdigest()[:16]}"


@cache
def scripts_of(script: str) -> tuple[str, ...]:
    """Names of a script and of all that it imports: asked for at once, not one after the other as each is read."""
    found = {script: None}
    waiting = [script]
    while waiting:
        for name in _IMPORTED.findall((_FOLDER / waiting.pop()).read_text("utf-8")):
            if name not in found:
                found[name] = None
                waiting.append(name)
    return tuple(found)
