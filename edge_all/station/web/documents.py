"""What the API says of slides, fields and cells, and how it follows from what the station knows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from edge_all.files.naming import image_file_name, image_name
from edge_all.outputs.result_words import is_unlike
from edge_all.results import INTENDED_USE, BoundingBox, CellLabel, FieldStatus, Verdict
from edge_all.slides.verdict import is_rather_unlike
from edge_all.station.desk import SlideOverview
from edge_all.station.reference_cells import ReferenceCell
from edge_all.station.review.cells import Circle, ReviewedCell
from edge_all.station.review.kinds import CountsAs
from edge_all.station.review.signatures import ReadingState, Signature
from edge_all.station.review.slide_review import Disagreement, Done, SlideView
from edge_all.station.review.tally import Agreement, Tally
from edge_all.station.storage.found_fields import CurrentField, FoundField
from edge_all.station.storage.image_queue import QueueState
from edge_all.station.storage.kept_pictures import EarlierField
from edge_all.wording.language import Language

__all__ = [
    "CellDocument",
    "CellsDocument",
    "DoneDocument",
    "EarlierFieldsDocument",
    "OutlinesDocument",
    "QueueDocument",
    "ReadersDocument",
    "ReferencesDocument",
    "SlideDocument",
    "SlideLine",
    "SlidesDocument",
    "cells_document",
    "done_document",
    "earlier_fields_document",
    "queue_document",
    "readers_document",
    "references_document",
    "slide_document",
    "slides_document",
]


class Document(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True)


class StateDocument(Document):
    """How far a reading of a slide is; see `edge_all.station.review.signatures.ReadingState`."""

    stage: str
    reader: str | None
    locked: bool
    signed_by: str | None
    signed_at: str | None
    meaning: str | None
    reason: str | None
    signed_verdict: str | None
    amended_because: str | None
    fields_since: int


class SlideLine(Document):
    """A slide in the list of slides; what is not known to this reader is null."""

    code: str
    name: str | None
    synthetic: bool
    created_at: str
    last_event_at: str
    state: StateDocument | None
    verdict: Verdict
    verdict_reason: str
    all_cells: int
    judged_cells: int
    to_look_at: int
    fields: int
    repeated: int
    waiting: int
    dead: int


class SlidesDocument(Document):
    """The list of slides, suspicious ones first."""

    intended_use: str = INTENDED_USE
    slides: list[SlideLine]


class AgreementDocument(Document):
    """How often software and reader, or two readers, call a cell the same; of the reader, what was decided."""

    compared: int
    same: int
    kappa: float | None


class CountsDocument(Document):
    """The count of a slide as it stands."""

    verdict: Verdict
    verdict_reason: str
    warnings: list[str]
    all_cells: int
    non_all_cells: int
    indeterminate_cells: int
    judged_cells: int
    all_fraction: float | None
    all_fraction_interval: tuple[float, float] | None
    kinds: dict[str, int]
    to_look_at: int
    decided: int
    excluded: int
    drawn: int
    agreement: AgreementDocument
    settled: int
    seen_only: int


class FieldDocument(Document):
    """A field of a slide.

    What its ``file`` is called is null where that was forgotten. Where it ``repeats`` the picture of another field, by
    its place, its cells are in no figure of the slide's result.
    """

    place: int
    file: str | None
    width: int
    height: int
    status: FieldStatus
    problems: list[str]
    warnings: list[str]
    cells: int
    repeats: int | None
    retaken: int
    microns_per_pixel: float | None
    finding: int


class ModelDocument(Document):
    """A network that judged."""

    name: str
    version: str
    variant: str
    sha256: str


class SlideDocument(Document):
    """A slide as it stands for one reader."""

    intended_use: str = INTENDED_USE
    code: str
    name: str | None
    synthetic: bool
    created_at: str
    reading: int
    state: StateDocument
    counts: CountsDocument
    fields: list[FieldDocument]
    models: list[ModelDocument]
    waiting: int
    can_undo: bool
    can_redo: bool
    last_seq: int


class CommentDocument(Document):
    """What somebody wrote about a cell."""

    actor: str
    text: str


class CellDocument(Document):
    """A cell as it stands for one reader; see `edge_all.station.review.cells.ReviewedCell`.

    Its ``number`` is the one by which a run's results call it in its field; null for a cell that a person has added.
    ``unlike`` cells resemble nothing that the model has learned and are indeterminate by it; ``rather_unlike`` ones
    keep the software's label and speak against their slide. ``outline_unsure`` is said of the software's outlines
    alone.
    """

    id: str
    number: int | None
    field: int
    bbox: BoundingBox
    circle: Circle | None
    drawn: bool
    area: float
    kind: str | None
    counts_as: CountsAs
    software_label: CellLabel | None
    probability: float | None
    unlike: bool
    rather_unlike: bool
    outline_unsure: bool
    rejected_because: str | None
    excluded: bool
    must_be_seen: bool
    seen: bool
    decided_by: str | None
    comments: list[CommentDocument]
    version: int


class CellsDocument(Document):
    """All cells of a slide, and the slide's last event when they were read."""

    cells: list[CellDocument]
    slide: SlideDocument


class DoneDocument(Document):
    """What a gesture has come to: the cells that it was about as they stand, and the slide counted anew."""

    seq: int
    cells: list[CellDocument]
    gone: list[str]
    slide: SlideDocument


class OutlinesDocument(Document):
    """The polygons around the cells that the software found in a field: by name, x and y in turn."""

    outlines: dict[str, list[int]]


class EarlierFieldDocument(Document):
    """A field that was taken again since; see `edge_all.station.storage.kept_pictures.EarlierField`."""

    field_id: int
    found_at: str
    status: FieldStatus
    cells: int
    has_picture: bool


class EarlierFieldsDocument(Document):
    """The fields of a place before the one in force, the latest first."""

    earlier: list[EarlierFieldDocument]


class ReferenceDocument(Document):
    """A confirmed cell of a signed slide that is like the one in question; likeness 1 is the same."""

    slide: str
    cell: str
    counts_as: CountsAs
    kind: str | None
    by: str
    likeness: float


class ReferencesDocument(Document):
    """The confirmed cells nearest to one in question, the likest first."""

    references: list[ReferenceDocument]


class DisagreementDocument(Document):
    """A cell that two readers count as different things; null where it is not there for one."""

    first: CellDocument | None
    second: CellDocument | None


class ReadersDocument(Document):
    """How two readers agree, and on which cells they do not."""

    agreement: AgreementDocument
    disagreements: list[DisagreementDocument]


class DeadImageDocument(Document):
    """An image that was given up; what its file is called is null where that was forgotten."""

    id: int
    slide: str
    file: str | None
    attempts: int
    last_error: Annotated[str, Field(description="What was wrong the last time.")]


class QueueDocument(Document):
    """The images that wait."""

    waiting: int
    under_way: int
    done: int
    dead: list[DeadImageDocument]


def slides_document(overviews: Iterable[SlideOverview], say: Language) -> SlidesDocument:
    """The list of slides; what is for people in their language."""
    return SlidesDocument(slides=[_line(one, say) for one in overviews])


def slide_document(view: SlideView, say: Language) -> SlideDocument:
    """A slide; what is for people in their language."""
    return SlideDocument(
        code=view.slide.code,
        name=view.slide.name,
        synthetic=view.slide.synthetic,
        created_at=view.slide.created_at,
        reading=view.reading,
        state=_state(view.state),
        counts=_counts(view.tally, say),
        fields=_fields(view, say),
        models=[
            ModelDocument(name=one.name, version=one.version, variant=one.variant, sha256=one.sha256)
            for one in (model.identity for model in view.models)
        ],
        waiting=view.waiting,
        can_undo=view.can_undo,
        can_redo=view.can_redo,
        last_seq=view.last_seq,
    )


def cells_document(view: SlideView, cells: Iterable[ReviewedCell], say: Language) -> CellsDocument:
    """Cells of a slide, in their order."""
    return CellsDocument(cells=[_cell(one, say) for one in cells], slide=slide_document(view, say))


def done_document(done: Done, say: Language) -> DoneDocument:
    """A gesture that is on disk."""
    return DoneDocument(
        seq=done.seq,
        cells=[_cell(one, say) for one in done.cells],
        gone=list(done.gone),
        slide=slide_document(done.view, say),
    )


def readers_document(agreement: Agreement, disagreements: Iterable[Disagreement], say: Language) -> ReadersDocument:
    """Two readings beside each other."""
    return ReadersDocument(
        agreement=AgreementDocument(compared=agreement.compared, same=agreement.same, kappa=agreement.kappa),
        disagreements=[
            DisagreementDocument(
                first=None if one.first is None else _cell(one.first, say),
                second=None if one.second is None else _cell(one.second, say),
            )
            for one in disagreements
        ],
    )


def earlier_fields_document(earlier: Iterable[EarlierField]) -> EarlierFieldsDocument:
    """Fields that were taken again."""
    return EarlierFieldsDocument(earlier=[EarlierFieldDocument(**dataclasses.asdict(one)) for one in earlier])


def references_document(references: Iterable[ReferenceCell]) -> ReferencesDocument:
    """Reference cells."""
    return ReferencesDocument(
        references=[
            ReferenceDocument(
                slide=one.slide,
                cell=one.cell,
                counts_as=one.counts_as,
                kind=one.kind,
                by=one.by,
                likeness=one.likeness,
            )
            for one in references
        ]
    )


def queue_document(state: QueueState, codes: Mapping[int, str]) -> QueueDocument:
    """The queue; codes of slides by their numbers in the store."""
    return QueueDocument(
        waiting=state.waiting,
        under_way=state.leased,
        done=state.done,
        dead=[
            DeadImageDocument(
                id=one.id,
                slide=codes[one.slide_id],
                file=_file(one.path, one.page),
                attempts=one.attempts,
                last_error=one.last_error,
            )
            for one in state.dead
        ],
    )


def _line(overview: SlideOverview, say: Language) -> SlideLine:
    return SlideLine(
        code=overview.slide.code,
        name=overview.slide.name,
        synthetic=overview.slide.synthetic,
        created_at=overview.slide.created_at,
        last_event_at=overview.last_event_at,
        state=None if overview.state is None else _state(overview.state),
        verdict=overview.verdict,
        verdict_reason=say.sentences(overview.verdict_reason),
        all_cells=overview.all_cells,
        judged_cells=overview.judged_cells,
        to_look_at=overview.to_look_at,
        fields=overview.fields,
        repeated=overview.repeated,
        waiting=overview.waiting,
        dead=overview.dead,
    )


def _state(state: ReadingState) -> StateDocument:
    signature: Signature | None = state.signature
    return StateDocument(
        stage=state.stage,
        reader=state.reader,
        locked=state.locked,
        signed_by=None if signature is None else signature.name,
        signed_at=None if signature is None else signature.at,
        meaning=None if signature is None else signature.meaning,
        reason=None if signature is None else signature.reason,
        signed_verdict=None if signature is None else signature.verdict,
        amended_because=state.amended_because,
        fields_since=state.fields_since,
    )


def _counts(tally: Tally, say: Language) -> CountsDocument:
    result, agreement = tally.result, tally.agreement
    return CountsDocument(
        verdict=result.verdict,
        verdict_reason=say.sentences(result.reason),
        warnings=[say.sentences(one) for one in result.warnings],
        all_cells=result.cells["ALL"],
        non_all_cells=result.cells["non-ALL"],
        indeterminate_cells=result.cells["indeterminate"],
        judged_cells=sum(result.cells[label] for label in ("ALL", "non-ALL", "indeterminate")),
        all_fraction=result.all_fraction,
        all_fraction_interval=result.all_fraction_interval,
        kinds=dict(tally.kinds),
        to_look_at=tally.to_look_at,
        decided=tally.decided,
        excluded=tally.excluded,
        drawn=tally.drawn,
        agreement=AgreementDocument(compared=agreement.compared, same=agreement.same, kappa=agreement.kappa),
        settled=tally.settled,
        seen_only=tally.seen_only,
    )


def _fields(view: SlideView, say: Language) -> list[FieldDocument]:
    places = {found.summary.image: current.place for current, found in view.fields}
    repeated = {image: places[first] for image, first in view.tally.result.repeated_fields.items()}
    return [_field(current, found, repeated.get(found.summary.image), say) for current, found in view.fields]


def _field(current: CurrentField, found: FoundField, repeats: int | None, say: Language) -> FieldDocument:
    summary = found.summary
    reasons = [] if summary.quality is None else list(summary.quality.reasons)
    return FieldDocument(
        place=current.place,
        file=_file(current.path, current.page),
        width=summary.width,
        height=summary.height,
        status=summary.status,
        problems=[say.sentences(one) for one in reasons or ([] if summary.error is None else [summary.error])],
        warnings=[] if summary.quality is None else [say.sentences(one) for one in summary.quality.warnings],
        cells=len(summary.cells),
        repeats=repeats,
        retaken=current.retaken,
        microns_per_pixel=summary.microns_per_pixel,
        finding=current.finding_id,
    )


def _file(path: str | None, page: int) -> str | None:
    """What an image's file is called, as a run calls it: with the page where it holds several."""
    return None if path is None else image_name(image_file_name(path), page)


def _has_unsure_outline(cell: ReviewedCell) -> bool:
    """Whether the software doubts its outline of a cell; of one that a person has given, or left out, there is none."""
    found = cell.found
    return found is not None and found.kind == "candidate" and cell.circle is None and found.outline_unsure is True


def _cell(cell: ReviewedCell, say: Language) -> CellDocument:
    found = cell.found
    unlike = found is not None and is_unlike(found)
    return CellDocument(
        id=cell.id,
        number=None if found is None else found.id,
        field=cell.field,
        bbox=cell.bbox,
        circle=cell.circle,
        drawn=found is None,
        area=round(cell.area),
        kind=cell.kind,
        counts_as=cell.counts_as,
        software_label=cell.software_label,
        probability=cell.probability,
        unlike=unlike,
        rather_unlike=found is not None and is_rather_unlike(found) and not unlike,
        outline_unsure=_has_unsure_outline(cell),
        rejected_because=None if found is None or found.reason is None else say.sentence(found.reason),
        excluded=cell.excluded,
        must_be_seen=cell.must_be_seen,
        seen=cell.seen,
        decided_by=cell.decided_by,
        comments=[CommentDocument(actor=one.actor, text=one.text) for one in cell.comments],
        version=cell.version,
    )
