"""The cells of a slide as they stand: what the software found, and over it what people have decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edge_all.errors import UsageError
from edge_all.results import BoundingBox, CellLabel, CellSummary
from edge_all.slides.verdict import is_rather_unlike
from edge_all.station.review.decisions import Decision
from edge_all.station.review.kinds import CountsAs
from edge_all.station.storage.found_fields import CurrentField, FoundField

__all__ = [
    "Circle",
    "Comment",
    "GalleryOrder",
    "ReviewedCell",
    "finding_and_number",
    "found_cell_id",
    "in_order",
    "places_of",
    "reviewed_cells",
    "slide_comments",
]

Circle = tuple[float, float, float]
"""Centre x, centre y and radius in pixels of the image."""
GalleryOrder = Literal["attention", "label", "probability", "size", "field"]


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody has written about a cell or a slide.

    Attributes:
        seq: of its event.
        actor: who.
        text: what.
    """

    seq: int
    actor: str
    text: str


@dataclass(frozen=True, slots=True)
class ReviewedCell:
    """A cell as it stands for one reader.

    Attributes:
        id: by which gestures name it.
        field: place of its field on the slide, from 1.
        found: what the software found; None of a cell that a person has drawn.
        circle: the outline that a person gave it; None where the software's stands.
        kind: what a person calls it; None where nobody has decided.
        counts_as: what it is in the count of its slide, whoever decided.
        excluded: whether a person has taken it out of the count.
        must_be_seen: whether the slide can be signed only after a person has looked at it: ALL, indeterminate, or
            rather unlike what the model has learned.
        seen: whether a person has looked at it, or decided something on it.
        decided_by: who decided its kind; None where nobody has.
        comments: in their order.
        version: the last event that changed it; 0 where none has. A gesture carries it.
    """

    id: str
    field: int
    found: CellSummary | None
    circle: Circle | None
    kind: str | None
    counts_as: CountsAs
    excluded: bool
    must_be_seen: bool
    seen: bool
    decided_by: str | None
    comments: tuple[Comment, ...]
    version: int

    @property
    def software_label(self) -> CellLabel | None:
        """What the software called it; None of rejected objects and of cells that a person has drawn."""
        return None if self.found is None else self.found.label

    @property
    def probability(self) -> float | None:
        """Calibrated probability of ALL; None where the software did not judge it."""
        return None if self.found is None else self.found.probability

    @property
    def area(self) -> float:
        """In pixels, of the whole cell."""
        if self.circle is not None:
            return 3.14159 * self.circle[2] ** 2
        return 0.0 if self.found is None else float(self.found.area)

    @property
    def bbox(self) -> BoundingBox:
        """Around the outline in force."""
        if self.circle is not None:
            x, y, radius = self.circle
            return round(x - radius), round(y - radius), round(2 * radius), round(2 * radius)
        assert self.found is not None, "a drawn cell has a circle"  # noqa: S101 - holds by `reviewed_cells`
        return self.found.bbox


def found_cell_id(finding_id: int, number: int) -> str:
    """Name of a cell that the software found."""
    return f"{finding_id}-{number}"


def finding_and_number(name: str) -> tuple[int, int]:
    """Of a name that `found_cell_id` made: the finding, and the number of the cell in it."""
    finding, number = name.split("-")
    return int(finding), int(number)


def slide_comments(decisions: Iterable[Decision]) -> tuple[Comment, ...]:
    """What people have written about the slide itself, in the order of the decisions."""
    return tuple(
        Comment(one.seq, one.actor, one.value)
        for one in decisions
        if one.what == "comment" and not one.cell and one.live
    )


def places_of(
    cells: Iterable[str], fields: Sequence[tuple[CurrentField, FoundField]], decisions: Iterable[Decision]
) -> dict[str, int]:
    """The place of the field of each cell that is on the slide now.

    Args:
        cells: names, also of cells that are not there.
        fields: in force on the slide, with what was found in them.
        decisions: at least those of these cells, of one reading.
    """
    split, drawn = set(), {}
    for one in decisions:
        if one.live and one.what == "split":
            split.add(one.cell)
        elif one.live and one.what == "drawn":
            drawn[one.cell] = one.value["field"]
    by_field = {field.field_id: field.place for field, _ in fields}
    found = {found_cell_id(one.finding_id, cell.id): field.place for field, one in fields for cell in one.summary.cells}
    places = {name: found.get(name) or by_field.get(drawn.get(name, 0)) for name in cells if name not in split}
    return {name: place for name, place in places.items() if place is not None}


@dataclass(slots=True)
class _Said:
    """What is in force of a cell, gathered row by row."""

    kind: tuple[str, CountsAs] | None = None
    decided_by: str | None = None
    excluded: bool = False
    seen: bool = False
    drawn: dict[str, Any] | None = None
    circle: Circle | None = None
    split: bool = False
    comments: tuple[Comment, ...] = ()
    version: int = 0

    def take(self, one: Decision) -> None:
        if one.what != "comment":
            self.version = max(self.version, one.changed_seq)
        # Who decides on a cell has looked at it, also where they take the decision back.
        self.seen = True
        if not one.live:
            return
        if one.what == "kind":
            self.kind, self.decided_by = (one.value[0], one.value[1]), one.actor
        elif one.what == "excluded":
            self.excluded = one.value
        elif one.what == "drawn":
            self.drawn = one.value
            self.circle = self.circle or _circle(one.value["circle"])
        elif one.what == "outline":
            self.circle = _circle(one.value)
        elif one.what == "split":
            self.split = True
        elif one.what == "comment":
            self.comments = (*self.comments, Comment(one.seq, one.actor, one.value))


_NOTHING = _Said()
_LOOKED_AT = _Said(seen=True)


def reviewed_cells(
    fields: Sequence[tuple[CurrentField, FoundField]],
    decisions: Iterable[Decision] = (),
    seen: Collection[str] = frozenset(),
) -> tuple[ReviewedCell, ...]:
    """The cells of a slide as they stand for one reader, field by field; what people have drawn last in each.

    Args:
        fields: in force on the slide, with what was found in them.
        decisions: of one reading, in their order, looks left out.
        seen: names of the cells that somebody has looked at.
    """
    said: defaultdict[str, _Said] = defaultdict(_Said)
    for one in decisions:
        said[one.cell].take(one)
    drawn: defaultdict[int, list[tuple[str, _Said]]] = defaultdict(list)
    for cell, state in said.items():
        if state.drawn is not None and not state.split:
            drawn[state.drawn["field"]].append((cell, state))
    return tuple(_cells(fields, said, drawn, seen))


def _cells(
    fields: Sequence[tuple[CurrentField, FoundField]],
    said: dict[str, _Said],
    drawn: dict[int, list[tuple[str, _Said]]],
    seen: Collection[str],
) -> Iterator[ReviewedCell]:
    for field, found in fields:
        for cell in found.summary.cells:
            name = found_cell_id(found.finding_id, cell.id)
            state = said.get(name) or (_LOOKED_AT if name in seen else _NOTHING)
            if not state.split:
                yield _reviewed(name, field.place, cell, state)
        for name, state in drawn.get(field.field_id, ()):
            yield _reviewed(name, field.place, None, state)


def _reviewed(name: str, place: int, cell: CellSummary | None, state: _Said) -> ReviewedCell:
    label: CountsAs = "indeterminate"  # a cell that a person has drawn and not named yet
    must_be_seen = cell is None
    if cell is not None:
        label = "left out" if cell.kind == "rejected" or cell.label is None else cell.label
        must_be_seen = cell.kind == "candidate" and (cell.label != "non-ALL" or is_rather_unlike(cell))
    return ReviewedCell(
        name,
        place,
        cell,
        state.circle,
        None if state.kind is None else state.kind[0],
        "left out" if state.excluded else label if state.kind is None else state.kind[1],
        state.excluded,
        must_be_seen,
        state.seen,
        state.decided_by,
        state.comments,
        state.version,
    )


def in_order(cells: Iterable[ReviewedCell], order: GalleryOrder) -> list[ReviewedCell]:
    """Cells as a gallery shows them.

    Args:
        cells: to be ordered.
        order: ``label``: by what they count as (indeterminate, ALL, non-ALL, left out), the likeliest ALL first;
            ``attention``: the same, but first those that must be looked at and have not been; ``probability`` of ALL or
            ``size``, the largest first; ``field`` as they lie on the slide.

    Raises:
        UsageError: there is no such order.
    """
    ranks = {"indeterminate": 0, "ALL": 1, "non-ALL": 2, "left out": 3}
    if order in ("attention", "label"):
        by_label = sorted(cells, key=lambda one: (ranks[one.counts_as], -_likelihood(one), one.field, one.id))
        if order == "label":
            return by_label
        return sorted(by_label, key=lambda one: one.seen or not one.must_be_seen)
    if order == "probability":
        return sorted(cells, key=lambda one: (-_likelihood(one), one.field, one.id))
    if order == "size":
        return sorted(cells, key=lambda one: (-one.area, one.field, one.id))
    if order == "field":
        return list(cells)
    raise UsageError(f"There is no order {order!r}.", "Choose attention, label, probability, size or field.")


def _likelihood(cell: ReviewedCell) -> float:
    return -1.0 if cell.probability is None else cell.probability


def _circle(value: Sequence[float]) -> Circle:
    return float(value[0]), float(value[1]), float(value[2])
