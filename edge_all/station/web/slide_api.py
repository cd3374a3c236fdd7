"""The HTTP API of slides: what was found, and every gesture by which people decide."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from edge_all.errors import InputNotFoundError
from edge_all.station.cell_activation import activation_picture
from edge_all.station.review.cells import finding_and_number, found_cell_id, in_order
from edge_all.station.web.documents import (
    CellsDocument,
    DoneDocument,
    EarlierFieldsDocument,
    OutlinesDocument,
    QueueDocument,
    ReadersDocument,
    ReferencesDocument,
    SlideDocument,
    SlidesDocument,
    cells_document,
    done_document,
    earlier_fields_document,
    queue_document,
    readers_document,
    references_document,
    slide_document,
    slides_document,
)
from edge_all.station.web.gestures import (
    Amending,
    Commenting,
    Drawing,
    Excluding,
    Gesture,
    Looking,
    Outlining,
    Reclassifying,
    Retrying,
    Signing,
    Splitting,
)
from edge_all.station.web.page_desk import Administering, Asking, OpenDesk, PageDesk
from edge_all.station.web.page_language import Saying
from edge_all.station.web.problems import PROBLEMS, WebError
from edge_all.station.web.slide_filter import SlideFilter

__all__ = ["Code", "Place", "queue_of", "slide_router"]

slide_router = APIRouter(prefix="/api/v1", responses=PROBLEMS)
Code = Annotated[str, Path(min_length=1, max_length=20, pattern="^[0-9A-Za-z]+$", description="Of a slide.")]
Place = Annotated[int, Path(ge=1, le=1_000_000, description="Of a field on its slide.")]
CellPath = Annotated[
    str, Path(max_length=40, pattern=r"^[0-9]{1,15}-[0-9]{1,9}$", description="Of a cell that was found.")
]
_JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}}}
_KEPT = "private, max-age=86400, immutable"
"""What was found never changes, and a picture of it is named by what was found."""


@slide_router.get("/slides")
async def slides(
    desk: OpenDesk, person: Asking, say: Saying, wanted: Annotated[SlideFilter, Query()]
) -> SlidesDocument:
    """The slides, suspicious ones first, as they stand for who asks."""
    overviews = await desk.threads.run(desk.station.slides, person.name)
    return slides_document(wanted.of(overviews), say)


@slide_router.get("/slides/{code}")
async def slide(desk: OpenDesk, person: Asking, say: Saying, code: Code) -> SlideDocument:
    """A slide: counts, verdict, fields, signature."""
    review = await desk.review(code, person)
    return slide_document(await desk.threads.run(review.view), say)


@slide_router.get("/slides/{code}/cells", response_model=CellsDocument)
async def cells(
    desk: OpenDesk,
    person: Asking,
    say: Saying,
    code: Code,
    order: Literal["attention", "probability", "size", "field"] = "attention",
) -> Response:
    """All cells of a slide, none left out."""
    review = await desk.review(code, person)

    def read() -> bytes:
        view = review.view()
        # Written here: FastAPI would look through 5,000 cells once more, which takes longer than all else.
        return cells_document(view, in_order(view.cells, order), say).model_dump_json().encode()

    return Response(await desk.threads.run(read), media_type="application/json")


@slide_router.get("/slides/{code}/cells/{cell}/picture", response_class=Response, responses=_JPEG)
async def cell_picture(desk: OpenDesk, person: Asking, code: Code, cell: CellPath) -> Response:  # noqa: ARG001
    """A cell that the software found, with some of what surrounds it, as JPEG."""
    finding, number = finding_and_number(cell)

    def read() -> bytes:
        return desk.pictures.cell(desk.field_of_finding(code, finding), number)

    return _jpeg(await desk.threads.run(read))


@slide_router.get("/slides/{code}/fields/{place}/picture", response_class=Response, responses=_JPEG)
async def field_picture(
    desk: OpenDesk,
    person: Asking,  # noqa: ARG001
    code: Code,
    place: Place,
    x: Annotated[int, Query(ge=-100_000, le=100_000)] = 0,
    y: Annotated[int, Query(ge=-100_000, le=100_000)] = 0,
    width: Annotated[int, Query(ge=0, le=100_000, description="0: the whole field.")] = 0,
    height: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> Response:
    """A field at its own size, or a small square around a box of it, as JPEG."""

    def read() -> bytes:
        field = desk.field(code, place)
        return desk.pictures.window(field, (x, y, width, height)) if width or height else desk.pictures.field(field)

    return _jpeg(await desk.threads.run(read))


@slide_router.get("/slides/{code}/fields/{place}/outlines")
async def outlines(desk: OpenDesk, person: Asking, code: Code, place: Place) -> OutlinesDocument:  # noqa: ARG001
    """The polygons around the cells that the software found in a field."""

    def read() -> OutlinesDocument:
        field = desk.field(code, place)
        found = desk.station.outlines(field)
        return OutlinesDocument(
            outlines={
                found_cell_id(field.finding_id, number): [value for point in points for value in point]
                for number, points in found.items()
            }
        )

    return await desk.threads.run(read)


@slide_router.get("/slides/{code}/fields/{place}/earlier")
async def earlier(desk: OpenDesk, person: Asking, code: Code, place: Place) -> EarlierFieldsDocument:  # noqa: ARG001
    """The fields of a place that were taken again since, the latest first."""
    return earlier_fields_document(await desk.threads.run(desk.station.earlier_fields, code, place))


@slide_router.get("/slides/{code}/fields/{place}/earlier/{field_id}/picture", response_class=Response, responses=_JPEG)
async def earlier_picture(
    desk: OpenDesk,
    person: Asking,  # noqa: ARG001
    code: Code,
    place: Place,
    field_id: Annotated[int, Path(ge=1, le=2**53, description="As the list of earlier fields says.")],
) -> Response:
    """How a field looked that was taken again since, as JPEG, reduced."""
    return _jpeg(await desk.threads.run(desk.station.earlier_picture, code, place, field_id))


@slide_router.get("/slides/{code}/cells/{cell}/activation", response_class=Response, responses=_JPEG)
async def activation(desk: OpenDesk, person: Asking, code: Code, cell: CellPath) -> Response:  # noqa: ARG001
    """What of a cell the network went by, as JPEG: grey, and orange where what it saw speaks for ALL."""
    finding, number = finding_and_number(cell)

    def draw() -> bytes:
        if desk.classifier is None:
            raise WebError(409, "No model is at hand.", "edge-all station has one; edge-all serve only shows.")
        return activation_picture(desk.station, desk.field_of_finding(code, finding), number, desk.classifier)

    return _jpeg(await desk.threads.run(draw))


@slide_router.get("/slides/{code}/cells/{cell}/references")
async def references(desk: OpenDesk, person: Asking, code: Code, cell: CellPath) -> ReferencesDocument:
    """The confirmed cells of signed slides that are most like a cell; none where no model is at hand."""
    review = await desk.review(code, person)

    def read() -> ReferencesDocument:
        view = review.view()
        if cell not in view.cell:
            raise InputNotFoundError(f"Slide {code} has no cell {cell}.", "Load the slide again.")
        return references_document(() if desk.references is None else desk.references.nearest(view, view.cell[cell]))

    return await desk.threads.run(read)


@slide_router.get("/slides/{code}/readers")
async def readers(desk: OpenDesk, person: Asking, say: Saying, code: Code) -> ReadersDocument:
    """How two readers agree; known when both have signed."""
    review = await desk.review(code, person)

    def read() -> ReadersDocument:
        return readers_document(review.agreement_of_readers(), review.disagreements(), say)

    return await desk.threads.run(read)


@slide_router.post("/slides/{code}/reclassify")
async def reclassify(desk: OpenDesk, person: Asking, say: Saying, code: Code, said: Reclassifying) -> DoneDocument:
    """Call cells something, or confirm what they are called."""
    review = await desk.review(code, person)
    done = await desk.threads.run(review.reclassify, said.cells, said.kind, anyway=said.anyway, gesture=said.gesture)
    return done_document(done, say)


@slide_router.post("/slides/{code}/exclude")
async def exclude(desk: OpenDesk, person: Asking, say: Saying, code: Code, said: Excluding) -> DoneDocument:
    """Take cells out of the count, or in again."""
    review = await desk.review(code, person)
    done = await desk.threads.run(
        review.exclude, said.cells, excluded=said.excluded, anyway=said.anyway, gesture=said.gesture
    )
    return done_document(done, say)


@slide_router.post("/slides/{code}/seen")
async def seen(desk: OpenDesk, person: Asking, say: Saying, code: Code, said: Looking) -> DoneDocument:
    """Record that the person has looked at cells."""
    review = await desk.review(code, person)
    return done_document(await desk.threads.run(review.mark_seen, said.cells, gesture=said.gesture), say)


@slide_router.post("/slides/{code}/comment")
async def comment(desk: OpenDesk, person: Asking, say: Saying, code: Code, said: Commenting) -> DoneDocument:
    """Write something about a cell, or about the slide."""
    review = await desk.review(code, person)
    return done_document(await desk.threads.run(review.comment, said.text, said.cell or "", gesture=said.gesture), say)


@slide_router.post("/slides/{code}/draw")
async def draw(desk: OpenDesk, person: Asking, say: Saying, code: Code, said: Drawing) -> DoneDocument:
    """Add a cell that was missed."""
    review = await desk.review(code, person)
    done = await desk.threads.run(review.draw, said.field, said.circle, said.kind, gesture=said.gesture)
    return done_document(done, say)


@slide_router.post("/slides/{code}/outline")
async def outline(desk: OpenDesk, person: Asking, say: Saying, code: Code, said: Outlining) -> DoneDocument:
    """Put a circle in the place of a cell's outline."""
    review = await desk.review(code, person)
    done = await desk.threads.run(
        review.outline, said.cell, said.version, said.circle, anyway=said.anyway, gesture=said.gesture
    )
    return done_document(done, say)


@slide_router.post("/slides/{code}/split")
async def split(desk: OpenDesk, person: Asking, say: Saying, code: Code, said: Splitting) -> DoneDocument:
    """Put several cells in the place of one that was merged."""
    review = await desk.review(code, person)
    done = await desk.threads.run(
        review.split, said.cell, said.version, tuple(said.circles), anyway=said.anyway, gesture=said.gesture
    )
    return done_document(done, say)


@slide_router.post("/slides/{code}/undo")
async def undo(desk: OpenDesk, person: Asking, say: Saying, code: Code, said: Gesture) -> DoneDocument:
    """Take the person's last gesture on the slide out of force."""
    review = await desk.review(code, person)
    return done_document(await desk.threads.run(review.undo, gesture=said.gesture), say)


@slide_router.post("/slides/{code}/redo")
async def redo(desk: OpenDesk, person: Asking, say: Saying, code: Code, said: Gesture) -> DoneDocument:
    """Put the gesture that was undone last back into force."""
    review = await desk.review(code, person)
    return done_document(await desk.threads.run(review.redo, gesture=said.gesture), say)


@slide_router.post("/slides/{code}/sign")
async def sign(
    request: Request, desk: OpenDesk, person: Asking, say: Saying, code: Code, said: Signing
) -> DoneDocument:
    """Sign the slide as it stands."""
    review = await desk.review(code, person)
    done = await desk.threads.run(review.sign, said.meaning, said.reason, said.last_seq, gesture=said.gesture)
    request.app.state.learner.want()
    return done_document(done, say)


@slide_router.post("/slides/{code}/amend")
async def amend(desk: OpenDesk, person: Asking, say: Saying, code: Code, said: Amending) -> DoneDocument:
    """Open a signed slide again."""
    review = await desk.review(code, person)
    return done_document(await desk.threads.run(review.amend, said.reason, gesture=said.gesture), say)


@slide_router.get("/queue")
async def queue(desk: OpenDesk, person: Asking) -> QueueDocument:  # noqa: ARG001
    """The images that wait, and those that were given up."""
    return await desk.threads.run(queue_of, desk)


@slide_router.post("/queue/retry")
async def retry(desk: OpenDesk, person: Administering, said: Retrying) -> QueueDocument:  # noqa: ARG001
    """Have images that were given up tried again."""

    def do() -> QueueDocument:
        desk.station.retry_dead(None if said.images is None else tuple(said.images))
        return queue_of(desk)

    return await desk.threads.run(do)


def queue_of(desk: PageDesk) -> QueueDocument:
    """The images that wait, and those that were given up, by the codes of their slides."""
    state = desk.station.queue()
    return queue_document(state, {one.slide_id: desk.station.code_of(one.slide_id) for one in state.dead})


def _jpeg(content: bytes) -> Response:
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": _KEPT})
