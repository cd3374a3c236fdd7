"""The HTTP API by which a laboratory's system hands over images."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel

from edge_all.station.intake.posting import post_image
from edge_all.station.web.page_desk import Asking, OpenDesk
from edge_all.station.web.problems import PROBLEMS

__all__ = ["exchange_router"]

exchange_router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


class PostedDocument(BaseModel):
    """What became of an image; ``is_new`` is false where the slide had these very bytes already."""

    slide: str
    sha256: str
    is_new: bool


@exchange_router.post("/images", status_code=202)
async def image(
    desk: OpenDesk,
    person: Asking,  # noqa: ARG001
    slide: Annotated[str, Query(min_length=1, max_length=200, description="Name of its slide.")],
    content: Annotated[bytes, Body(min_length=1, media_type="application/octet-stream", description="An image file.")],
    suffix: Annotated[str, Query(max_length=10, pattern=r"^\.[A-Za-z0-9]+$", description="Of its name.")] = ".jpg",
) -> PostedDocument:
    """Hand over an image; it is judged when its turn comes, where a station runs that judges."""
    done = await desk.threads.run(post_image, desk.station.database, content, slide, suffix)
    return PostedDocument(slide=done.slide, sha256=done.sha256, is_new=done.is_new)
