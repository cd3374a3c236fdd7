"""The report's cells: galleries by label, and one of what was rejected."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_all.files.naming import image_file_name
from edge_all.outputs.palette import CellClass
from edge_all.outputs.rejected_sheet import MOST_REJECTED
from edge_all.outputs.report.embedding import embedded_file, embedded_pieces
from edge_all.outputs.report.markup import CSS_NAMES, named, text
from edge_all.outputs.report.tile_outlines import TileOutline
from edge_all.outputs.result_words import is_unlike, likeness_words, probability_words
from edge_all.results import CellLabel, CellSummary, FieldSummary
from edge_all.wording.language import Language

__all__ = ["GALLERIES", "NumberedField", "Pictures", "cells_shown", "gallery", "rejected_gallery"]

GALLERIES: tuple[CellLabel, ...] = ("ALL", "indeterminate", "non-ALL")
"""The galleries of a slide, in the order in which they are read."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of a report: files by the name of the image, or by that and the id of the cell.

    Attributes:
        overlays: whole fields, as `edge_all.outputs.overlay` makes them.
        thumbnails: single cells.
        rejected: sheets of rejected objects, as `edge_all.outputs.rejected_sheet` makes them.
        activations: class activation maps of cells; where they are given, all cells have a place for theirs, which may
            say that there is none.
        outlines: laid over the pictures of the cells.
    """

    overlays: Mapping[str, Path] = dataclasses.field(default_factory=dict)
    thumbnails: Mapping[tuple[str, int], Path] = dataclasses.field(default_factory=dict)
    rejected: Mapping[str, Path] = dataclasses.field(default_factory=dict)
    activations: Mapping[tuple[str, int], Path] | None = None
    outlines: Mapping[tuple[str, int], TileOutline] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NumberedField:
    """A field and its number in the report, which its anchors are made of.

    Attributes:
        number: from 1.
        result: the field.
        repeats: image of the field of its slide whose picture it shows again; None where it shows its own.
    """

    number: int
    result: FieldSummary
    repeats: str | None = None

    @property
    def name(self) -> str:
        """How the report calls it, escaped."""
        return named(image_file_name(self.result.image))

    def anchor(self, cell: CellSummary) -> str:
        """Of one cell in this field's picture."""
        return f"f{self.number}c{cell.id}"

    def tile(self, cell: CellSummary) -> str:
        """Of the same cell in a gallery."""
        return f"t{self.number}c{cell.id}"


Placed = tuple[NumberedField, CellSummary]


@dataclass(frozen=True, slots=True)
class ShownCells:
    """The cells of a gallery.

    Attributes:
        cells: those that are shown, what matters most first.
        in_all: how many there are, those of repeated fields included.
        repeated: how many of all lie in fields that repeat another, and are in no count.
    """

    cells: list[Placed]
    in_all: int
    repeated: int


def cells_shown(fields: Iterable[NumberedField], kind: CellClass, limit: int) -> ShownCells:
    """The cells of a gallery.

    Args:
        fields: of one slide.
        kind: which cells.
        limit: how many are shown.
    """
    cells = [
        (field, cell)
        for field in fields
        for cell in field.result.cells
        if (cell.kind == "rejected" if kind == "rejected" else cell.kind == "candidate" and cell.label == kind)
    ]
    if kind == "rejected":
        # The larger a nucleus, the sooner the object is a white cell after all.
        cells.sort(key=lambda pair: -pair[1].nucleus_area)
        limit = min(limit, MOST_REJECTED)
    else:
        cells.sort(key=lambda pair: pair[1].probability or 0.0, reverse=True)
    return ShownCells(cells[:limit], len(cells), sum(field.repeats is not None for field, _ in cells))


def gallery(
    kind: CellLabel, fields: Iterable[NumberedField], pictures: Pictures, limit: int, say: Language
) -> Iterator[str]:
    """The cells of one label, sorted by probability, each linked to its place in its field.

    Args:
        kind: which cells.
        fields: of one slide.
        pictures: of the run.
        limit: how many cells are shown; how many are left out is said.
        say: the reader's language.

    Yields:
        HTML, nothing where there is no such cell.
    """
    shown = cells_shown(fields, kind, limit)
    if not shown.cells:
        return
    title, explanation = {
        "ALL": (say("Called ALL"), say("Highest probability first.")),
        "indeterminate": (
            say("Indeterminate: please review"),
            say("The probability lies between the thresholds, or the cell is unlike those that the model knows."),
        ),
        "non-ALL": (say("Called non-ALL"), say("Highest probability of ALL first.")),
    }[kind]
    yield _opening(kind, title, shown, explanation, say)
    if pictures.activations is not None:
        words = say('Below each cell its <a href="#maps">class activation map</a>.')
        yield f"<p>{words}</p>"
    yield _left_out(shown, say("All are in cells.xlsx and in crops/."), say)
    yield '<ul class="tiles">'
    for place, (field, cell) in enumerate(shown.cells):
        yield _tile(field, cell, place, pictures, say)
    yield "</ul></details>"


def rejected_gallery(fields: Iterable[NumberedField], pictures: Pictures, limit: int, say: Language) -> Iterator[str]:
    """The objects of a slide that were not classified, each with its reason: a blast among them would be missed.

    Args:
        fields: of one slide.
        pictures: of the run.
        limit: how many objects are shown; how many are left out is said.
        say: the reader's language.

    Yields:
        HTML, nothing where there is no such object.
    """
    shown = cells_shown(fields, "rejected", limit)
    if not shown.cells:
        return
    explanation = say("Largest nucleus first. A whole white cell among them is not in any count.")
    yield _opening("rejected", say("Rejected, not classified"), shown, explanation, say)
    yield _left_out(shown, say("All are in cells.xlsx and in the overlays."), say)
    pieces = _pieces(shown.cells, pictures)
    yield '<ul class="tiles">'
    for place, (field, cell) in enumerate(shown.cells):
        words = say("Picture of rejected object {id} of {image}", id=cell.id, image=image_file_name(field.result.image))
        image = _thumbnail(pieces.get((field.number, cell.id)), words, say("no picture"))
        reason = say.sentence(cell.reason) if cell.reason else say("no reason given")
        yield (
            f'<li {_data(field, cell, place)}><a href="#{field.anchor(cell)}">{image}'
            f'<span class="reason">{text(reason)}</span>{_where(field, cell)}</a></li>'
        )
    yield "</ul></details>"


def _opening(kind: CellClass, title: str, shown: ShownCells, explanation: str, say: Language) -> str:
    if shown.repeated:
        explanation += " " + say.counted(
            "{n} of them lies in a field that repeats another, and is in no count.",
            "{n} of them lie in fields that repeat another, and are in no count.",
            shown.repeated,
        )
    return (
        f'<details class="gallery {CSS_NAMES[kind]}" data-label="{CSS_NAMES[kind]}" open>'
        f'<summary><h3>{title} ({shown.in_all})</h3> <span class="matching"></span></summary><p>{explanation}</p>'
    )


def _left_out(shown: ShownCells, elsewhere: str, say: Language) -> str:
    number = len(shown.cells)
    if number == shown.in_all:
        return ""
    words = say("The first {shown} are shown; {more} more are left out here.", shown=number, more=shown.in_all - number)
    return f'<p class="left-out">{words} {elsewhere}</p>'


def _pieces(objects: Sequence[Placed], pictures: Pictures) -> dict[tuple[int, int], str]:
    """Pictures of objects by field and id; each sheet is decoded once."""
    by_field: dict[int, tuple[FieldSummary, list[CellSummary]]] = {}
    for field, cell in objects:
        by_field.setdefault(field.number, (field.result, []))[1].append(cell)
    return {
        (number, cell): piece
        for number, (result, cells) in by_field.items()
        for cell, piece in embedded_pieces(pictures.rejected, result, cells).items()
    }


def _tile(field: NumberedField, cell: CellSummary, place: int, pictures: Pictures, say: Language) -> str:
    key = (field.result.image, cell.id)
    values = {"id": cell.id, "image": image_file_name(field.result.image)}
    thumbnail = embedded_file(pictures.thumbnails, field.result.image, cell)
    images = _thumbnail(thumbnail, say("Picture of cell {id} of {image}", **values), say("no picture"))
    outline = pictures.outlines.get(key)
    if outline is not None and thumbnail is not None:
        images += f'<svg viewBox="{outline.view_box}" aria-hidden="true"><polygon points="{outline.points}"/></svg>'
    if pictures.activations is not None:
        # Said where one is missing: a resumed run may have judged some fields without maps.
        activation = embedded_file(pictures.activations, field.result.image, cell)
        images += _thumbnail(activation, say("Class activation map of cell {id} of {image}", **values), say("no map"))
    marks = ""
    if likeness := likeness_words(cell, say):
        title = (
            say("Unlike the cells that the model was trained on: it is indeterminate whatever its probability")
            if is_unlike(cell)
            else say(
                "Rather unlike the cells that the model was trained on: it keeps its label, and speaks against its "
                "slide"
            )
        )
        marks = f' <em title="{text(title)}">{text(likeness)}</em>'
    if cell.outline_unsure:
        marks += f" <em>{text(say('outline unsure'))}</em>"
    return (
        f'<li {_data(field, cell, place)}><a href="#{field.anchor(cell)}">{images}'
        f'<span class="probability">{text(say.figure(probability_words(cell)))}</span>'
        f"{_where(field, cell, marks)}</a></li>"
    )


def _data(field: NumberedField, cell: CellSummary, place: int) -> str:
    """The tile's anchor, and what it is filtered and sorted by: its place, probability, area and field."""
    probability = "" if cell.probability is None else f' data-probability="{cell.probability:.4f}"'
    return (
        f'id="{field.tile(cell)}" data-place="{place}"{probability} data-area="{cell.area}" '
        f'data-field="{field.number}" data-cell="{cell.id}"'
    )


def _where(field: NumberedField, cell: CellSummary, more: str = "") -> str:
    return f'<span class="where"><span class="file">{field.name}</span> <span class="id">#{cell.id}</span>{more}</span>'


def _thumbnail(address: str | None, description: str, missing: str) -> str:
    if address is None:
        return f'<span class="no-picture">{text(missing)}</span>'
    return f'<img src="{address}" alt="{text(description)}" width="112" height="112" decoding="async">'
