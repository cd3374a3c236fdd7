"""`Review`: one person at one slide. Each gesture is one event, on disk before the method returns.

A gesture names its cells with the version that the person saw. Where somebody else has decided on one of them since,
nothing is done and the error says who decided what; ``anyway=True`` lets the gesture stand over it. A gesture that is
sent again under its own name, as a page does after the server was gone, is done once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any, get_args

from edge_all.errors import ReviewConflictError, ReviewError, SlideSignedError, UnreviewedCellsError, UsageError
from edge_all.station.review import decisions
from edge_all.station.review.cells import Circle, Comment, ReviewedCell, places_of, reviewed_cells, slide_comments
from edge_all.station.review.kinds import CountsAs
from edge_all.station.review.settings import reader_changes, settings_in_force
from edge_all.station.review.signatures import (
    READINGS,
    ReadingState,
    SignatureMeaning,
    has_two_readers,
    labels_hash,
    reader_of,
    reading_state,
)
from edge_all.station.review.tally import Agreement, Tally, agreement_of, tally
from edge_all.station.storage.chain import Event, append_event, event_of_gesture, events_of_slide
from edge_all.station.storage.database import Database
from edge_all.station.storage.found_cache import FoundCache
from edge_all.station.storage.found_fields import CurrentField, FoundField, JudgingModel, current_fields, judging_model
from edge_all.station.storage.image_queue import queue_state
from edge_all.station.storage.kept_pictures import drop_pictures
from edge_all.station.storage.slide_records import SlideRecord
from edge_all.wording.plurals import counted

__all__ = ["Disagreement", "Done", "Review", "SlideView"]


@dataclass(frozen=True, slots=True)
class SlideView:
    """A slide as it stands for one reader, all of one moment.

    Attributes:
        slide: the slide.
        reading: which reading it is; 1 or 2.
        two_readers: whether two people read it.
        state: how far that reading is.
        fields: in force, with what was found in them.
        cells: field by field.
        comments: on the slide itself, in their order; those on a cell stand with it.
        tally: counts, verdict and agreement.
        models: that judged its fields.
        waiting: images of the slide that wait for their turn, or for another attempt.
        can_undo, can_redo: whether this person has something to undo or redo.
        last_seq: number of the slide's last event; `Review.sign` carries it.
    """

    slide: SlideRecord
    reading: int
    two_readers: bool
    state: ReadingState
    fields: tuple[tuple[CurrentField, FoundField], ...]
    cells: tuple[ReviewedCell, ...]
    comments: tuple[Comment, ...]
    tally: Tally
    models: tuple[JudgingModel, ...]
    waiting: int
    can_undo: bool
    can_redo: bool
    last_seq: int

    @property
    def cell(self) -> Mapping[str, ReviewedCell]:
        """The cells by their names."""
        return {one.id: one for one in self.cells}


@dataclass(frozen=True, slots=True)
class Done:
    """A gesture that is on disk.

    Attributes:
        seq: number of its event.
        cells: those that it is about, as they stand now; a cell that is no more is left out.
        gone: names of those that it is about and that are no more (split, or a drawing undone).
        view: the slide as it stands now.
    """

    seq: int
    cells: tuple[ReviewedCell, ...]
    gone: tuple[str, ...]
    view: SlideView


@dataclass(frozen=True, slots=True)
class _Moment:
    """The slide at one moment, for one reading.

    Attributes:
        connection: within one transaction.
        events: of the slide.
        reading: of the person.
        two_readers: whether two people read it.
    """

    connection: Connection
    events: list[Event]
    reading: int
    two_readers: bool


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A cell that the two readers count as different things.

    Attributes:
        first, second: the cell as it stands for each; None where it is not there for that reader.
    """

    first: ReviewedCell | None
    second: ReviewedCell | None


class Review:
    """One person at one slide; made by `edge_all.station.desk.Station.review`. Holds nothing but who and what."""

    def __init__(self, database: Database, found: FoundCache, slide: SlideRecord, actor: str) -> None:
        if not actor.strip():
            raise UsageError("A decision needs the name of who takes it.", "Say who you are.")
        self._database = database
        self._found = found
        self.slide = slide
        self.actor = actor.strip()

    def view(self) -> SlideView:
        """The slide as it stands.

        Raises:
            ReviewError: two others read it already.
        """
        with self._database.read() as connection:
            return self._view(self._moment(connection))

    def signed_view(self) -> SlideView | None:
        """The slide as all who have to sign it have signed it, whoever asks; None where one of them has not.

        With two readers, as it stands for the first; what the second counts as something else, `disagreements` says.
        """
        with self._database.read() as connection:
            events = events_of_slide(connection, self.slide.id)
            two_readers = has_two_readers(events, reader_changes(connection))
            wanted = READINGS if two_readers else READINGS[:1]
            if not all(reading_state(events, reading).locked for reading in wanted):
                return None
            return self._view(_Moment(connection, events, READINGS[0], two_readers))

    def history(self) -> tuple[Event, ...]:
        """All events of the slide that this person may see, in their order.

        With two readers, those of the other reading are left out until both have signed.

        Raises:
            ReviewError: two others read it already.
        """
        with self._database.read() as connection:
            now = self._moment(connection)
            both = _both_signed(now.events)
            return tuple(one for one in now.events if both or one.payload.get("reading", now.reading) == now.reading)

    def signed_history(self) -> tuple[Event, ...]:
        """All events of a slide that all who have to sign it have signed, whoever asks.

        Raises:
            ReviewError: one of them has not.
        """
        if self.signed_view() is None:
            raise ReviewError(f"Slide {self.slide.code} is not signed.", "Sign it first.")
        with self._database.read() as connection:
            return tuple(events_of_slide(connection, self.slide.id))

    def reclassify(
        self, cells: Mapping[str, int], kind: str, *, anyway: bool = False, gesture: str | None = None
    ) -> Done:
        """Call cells something, or confirm what they are called.

        Args:
            cells: by the name of each cell, the version that the person saw.
            kind: one of the station's kinds.
            anyway: let it stand over what somebody else has decided meanwhile.
            gesture: the sender's own name of this gesture.

        Raises:
            UsageError: no such kind; no cell is named.
            ReviewError: a cell is not on this slide, or two others read it already.
            ReviewConflictError: somebody else has decided on one of the cells.
            SlideSignedError: the slide is signed.
        """
        with self._database.read() as connection:
            chosen = settings_in_force(connection).kind(kind)
        return self._on_cells(
            decisions.RECLASSIFIED,
            cells,
            {"kind": chosen.name, "counts_as": chosen.counts_as},
            anyway=anyway,
            gesture=gesture,
        )

    def exclude(
        self, cells: Mapping[str, int], *, excluded: bool = True, anyway: bool = False, gesture: str | None = None
    ) -> Done:
        """Take cells out of the count, or in again with ``excluded=False``; else as `reclassify`."""
        return self._on_cells(decisions.EXCLUDED, cells, {"excluded": excluded}, anyway=anyway, gesture=gesture)

    def mark_seen(self, cells: Mapping[str, int], *, gesture: str | None = None) -> Done:
        """Record that the person has looked at cells; overtakes nobody.

        Raises:
            UsageError, ReviewError, SlideSignedError: as of `reclassify`.
        """
        return self._on_cells(decisions.SEEN, cells, {}, anyway=True, gesture=gesture)

    def comment(self, text: str, cell: str = "", *, gesture: str | None = None) -> Done:
        """Write something about a cell, or about the slide where no cell is named; overtakes nobody.

        Raises:
            UsageError: there is no text.
            ReviewError, SlideSignedError: as of `reclassify`.
        """
        if not text.strip():
            raise UsageError("The comment is empty.", "Write something.")
        return self._on_one(decisions.COMMENTED, cell, {"text": text.strip()}, None, anyway=True, gesture=gesture)

    def draw(self, field: int, circle: Circle, kind: str, *, gesture: str | None = None) -> Done:
        """Add a cell that was missed.

        Args:
            field: place of the field on the slide.
            circle: around the cell, in pixels of the image.
            kind: what it is.
            gesture: as of `reclassify`.

        Raises:
            UsageError: no such kind; a circle that is none or lies outside the image.
            ReviewError: no such field.
            SlideSignedError: the slide is signed.
        """

        def payload(now: _Moment) -> dict[str, Any]:
            chosen = settings_in_force(now.connection).kind(kind)
            found = self._field_at(now, field)
            return {
                "field": found[0].field_id,
                "circle": _within(circle, found[1]),
                "kind": chosen.name,
                "counts_as": chosen.counts_as,
            }

        return self._do(decisions.DRAWN, payload, gesture=gesture)

    def outline(
        self, cell: str, version: int, circle: Circle, *, anyway: bool = False, gesture: str | None = None
    ) -> Done:
        """Put a circle in the place of a cell's outline; else as `reclassify`."""
        return self._on_one(decisions.OUTLINED, cell, {}, version, circles=(circle,), anyway=anyway, gesture=gesture)

    def split(
        self,
        cell: str,
        version: int,
        circles: tuple[Circle, ...],
        *,
        anyway: bool = False,
        gesture: str | None = None,
    ) -> Done:
        """Put several cells in the place of one that was merged; what each is, is to be decided yet.

        Raises:
            UsageError: fewer than two circles, or one that lies outside the image.
            ReviewError, ReviewConflictError, SlideSignedError: as of `reclassify`.
        """
        if len(circles) < 2:
            raise UsageError("A cell is split into two or more.", "Draw a circle around each of them.")
        return self._on_one(decisions.SPLIT, cell, {}, version, circles=circles, anyway=anyway, gesture=gesture)

    def undo(self, *, gesture: str | None = None) -> Done:
        """Take this person's last gesture on the slide out of force; what others have decided since stays.

        Raises:
            ReviewError: there is nothing to undo.
            SlideSignedError: the slide is signed.
        """
        return self._step(decisions.UNDONE, 0, "undo", gesture)

    def redo(self, *, gesture: str | None = None) -> Done:
        """Put the gesture that was undone last back into force, at its own place in time.

        Raises:
            ReviewError: there is nothing to redo.
            SlideSignedError: the slide is signed.
        """
        return self._step(decisions.REDONE, 1, "redo", gesture)

    def sign(self, meaning: SignatureMeaning, reason: str, last_seq: int, *, gesture: str | None = None) -> Done:
        """Sign the slide as it stands, which locks this reading of it.

        Args:
            meaning: what the signature means.
            reason: why it is given.
            last_seq: the slide's last event that the person saw.
            gesture: as of `reclassify`.

        Raises:
            UsageError: no such meaning, or no reason.
            UnreviewedCellsError: cells that must be looked at have not been.
            ReviewConflictError: somebody has decided, or a field has come, since the person looked.
            ReviewError: images of the slide still wait, or it has none.
            SlideSignedError: it is signed already.
        """
        if meaning not in get_args(SignatureMeaning):
            raise UsageError(
                f"No signature means {meaning!r}.", f"Choose one of: {', '.join(get_args(SignatureMeaning))}."
            )
        if not reason.strip():
            raise UsageError("A slide is signed for a reason.", "Write the reason.")

        def payload(now: _Moment) -> dict[str, Any]:
            view = self._view(now)
            _require_signable(view, self._newer(now, last_seq))
            result = view.tally.result
            return {
                "meaning": meaning,
                "reason": reason.strip(),
                "verdict": result.verdict,
                "verdict_reason": result.reason,
                "labels_sha256": labels_hash(view.cells),
                "result": result.to_json(),
                "kinds": dict(view.tally.kinds),
                "findings": [found.finding_id for _, found in view.fields],
                "models": [dataclasses.asdict(model.identity) for model in view.models],
            }

        done = self._do(decisions.SIGNED, payload, gesture=gesture)
        drop_pictures(self._database.folder, (field.field_id for field, _ in done.view.fields))
        return done

    def amend(self, reason: str, *, gesture: str | None = None) -> Done:
        """Open a signed slide again. The signature stays in its history.

        Raises:
            UsageError: no reason.
            ReviewError: the slide is not signed.
        """
        if not reason.strip():
            raise UsageError("A slide is opened again for a reason.", "Write the reason.")

        def payload(now: _Moment) -> dict[str, Any]:
            if not reading_state(now.events, now.reading).locked:
                raise ReviewError(f"Slide {self.slide.code} is not signed.", "It is open; go on with it.")
            return {"reason": reason.strip()}

        return self._do(decisions.AMENDED, payload, gesture=gesture, of_signed=True)

    def disagreements(self) -> tuple[Disagreement, ...]:
        """The cells that two readers count as different things.

        Raises:
            ReviewError: both have to sign before either sees what the other decided.
        """
        first, second = self._both()
        names = dict.fromkeys([*first, *second])
        pairs = (Disagreement(first.get(name), second.get(name)) for name in names)
        return tuple(one for one in pairs if _counts(one.first) != _counts(one.second))

    def agreement_of_readers(self) -> Agreement:
        """How the two readers agree, over all cells that both have.

        Raises:
            ReviewError: as of `disagreements`.
        """
        first, second = self._both()
        return agreement_of((cell.counts_as, second[name].counts_as) for name, cell in first.items() if name in second)

    def _both(self) -> tuple[Mapping[str, ReviewedCell], Mapping[str, ReviewedCell]]:
        with self._database.read() as connection:
            events = events_of_slide(connection, self.slide.id)
            if not _both_signed(events):
                raise ReviewError(
                    f"Slide {self.slide.code} has not been signed by two readers.",
                    "What they decided is compared when both have signed.",
                )
            first, second = (self._view(_Moment(connection, events, one, True)).cell for one in READINGS)
            return first, second

    # What all gestures have in common.

    def _do(
        self,
        kind: str,
        payload: Callable[[_Moment], Mapping[str, Any]],
        *,
        gesture: str | None,
        of_signed: bool = False,
    ) -> Done:
        """One gesture: looked through, appended and entered in one transaction."""
        with self._database.write() as connection:
            event = None if gesture is None else event_of_gesture(connection, gesture)
            if event is None:
                now = self._moment(connection)
                if not of_signed:
                    self._require_open(now)
                said = {"reading": now.reading, **payload(now)}
                event = append_event(connection, kind, self.actor, said, slide_id=self.slide.id, gesture=gesture)
                decisions.note(connection, event)
            elif (event.slide_id, event.actor, event.kind) != (self.slide.id, self.actor, kind):
                raise UsageError(f"Another gesture is called {gesture} already.", "Name each gesture differently.")
        # Counting takes longer than writing, and nobody else has to wait for it.
        with self._database.read() as connection:
            touched = _touched(connection, event)
            view = self._view(self._moment(connection))
        standing = view.cell
        return Done(
            event.seq,
            tuple(standing[name] for name in touched if name in standing),
            tuple(name for name in touched if name not in standing and name),
            view,
        )

    def _on_cells(
        self, kind: str, cells: Mapping[str, int], said: Mapping[str, Any], *, anyway: bool, gesture: str | None
    ) -> Done:
        if not cells:
            raise UsageError("No cell is named.", "Choose at least one.")

        def payload(now: _Moment) -> dict[str, Any]:
            self._places(now, cells)
            if not anyway:
                self._require_unchanged(now, cells)
            return {**said, "cells": list(cells)}

        return self._do(kind, payload, gesture=gesture)

    def _on_one(
        self,
        kind: str,
        cell: str,
        said: Mapping[str, Any],
        version: int | None,
        *,
        circles: tuple[Circle, ...] = (),
        anyway: bool,
        gesture: str | None,
    ) -> Done:
        def payload(now: _Moment) -> dict[str, Any]:
            place = self._places(now, (cell,))[cell] if cell else 0
            if not anyway and version is not None:
                self._require_unchanged(now, {cell: version})
            if not circles:
                return {**said, "cell": cell}
            current, found = self._field_at(now, place)
            inside = [_within(circle, found) for circle in circles]
            if kind == decisions.OUTLINED:
                return {"cell": cell, "circle": inside[0]}
            return {"cell": cell, "field": current.field_id, "circles": inside}

        return self._do(kind, payload, gesture=gesture)

    def _step(self, kind: str, which: int, word: str, gesture: str | None) -> Done:
        def payload(now: _Moment) -> dict[str, Any]:
            stack = decisions.undo_stacks(now.events, now.reading, self.actor)[which]
            if not stack:
                raise ReviewError(
                    f"There is nothing to {word} on slide {self.slide.code}.",
                    "Only what you did yourself since the last signature can be taken back, or done again.",
                )
            return {"of": stack[-1]}

        return self._do(kind, payload, gesture=gesture)

    def _moment(self, connection: Connection) -> _Moment:
        """The slide now.

        Raises:
            ReviewError: two others read it already.
        """
        events = events_of_slide(connection, self.slide.id)
        two_readers = has_two_readers(events, reader_changes(connection))
        reading = reader_of(events, self.actor, two_readers=two_readers)
        if reading is None:
            raise ReviewError(
                f"Slide {self.slide.code} is read by two others already.", "A slide has two readers, and no third."
            )
        return _Moment(connection, events, reading, two_readers)

    def _view(self, now: _Moment) -> SlideView:
        fields = self._fields(now)
        said, seen = decisions.decisions_in_force(now.connection, self.slide.id, now.reading)
        cells = reviewed_cells(fields, said, seen)
        numbers = dict.fromkeys(found.model_id for _, found in fields if found.model_id is not None)
        models = tuple(judging_model(now.connection, number) for number in numbers)
        undo, redo = decisions.undo_stacks(now.events, now.reading, self.actor)
        state = reading_state(now.events, now.reading)
        queue = queue_state(now.connection, self.slide.id)
        return SlideView(
            slide=self.slide,
            reading=now.reading,
            two_readers=now.two_readers,
            state=state,
            fields=fields,
            cells=cells,
            comments=slide_comments(said),
            tally=tally(self.slide.code, [found for _, found in fields], cells, models),
            models=models,
            waiting=queue.waiting + queue.leased,
            can_undo=bool(undo) and not state.locked,
            can_redo=bool(redo) and not state.locked,
            last_seq=now.events[-1].seq if now.events else 0,
        )

    def _fields(self, now: _Moment) -> tuple[tuple[CurrentField, FoundField], ...]:
        return tuple(
            (field, self._found.get(now.connection, field.finding_id))
            for field in current_fields(now.connection, self.slide.id)
        )

    def _field_at(self, now: _Moment, place: int) -> tuple[CurrentField, FoundField]:
        for field, found in self._fields(now):
            if field.place == place:
                return field, found
        raise ReviewError(f"Slide {self.slide.code} has no field {place}.", "Load the slide again.")

    def _require_open(self, now: _Moment) -> None:
        state = reading_state(now.events, now.reading)
        if state.locked and state.signature is not None:
            raise SlideSignedError(
                f"Slide {self.slide.code} was signed by {state.signature.name} at {state.signature.at}.",
                "Amend it, with a reason, to change something.",
            )

    def _places(self, now: _Moment, cells: Collection[str]) -> dict[str, int]:
        """The place of the field of each cell.

        Raises:
            ReviewError: one is not on this slide, or not any more.
        """
        said = decisions.decisions_of_cells(now.connection, self.slide.id, now.reading, cells)
        places = places_of(cells, self._fields(now), said)
        for name in cells:
            if name not in places:
                raise ReviewError(
                    f"Cell {name} is not on slide {self.slide.code}, or no longer: its field was taken again, the cell "
                    "was split, or a drawing was undone.",
                    "Load the slide again.",
                )
        return places

    def _require_unchanged(self, now: _Moment, cells: Mapping[str, int]) -> None:
        found = decisions.conflicts(now.connection, self.slide.id, now.reading, self.actor, cells)
        if found:
            first = found[0]
            others = len(found) - 1
            more = f", and {counted(others, 'more cell')} {'was' if others == 1 else 'were'} changed" if others else ""
            raise ReviewConflictError(
                f"{first.actor} decided on cell {first.cell} meanwhile ({first.what}, {first.at}){more}.",
                "Look at it, and apply your decision anyway where it should stand over that.",
                found,
            )

    def _newer(self, now: _Moment, last_seq: int) -> Event | None:
        """What somebody else has done since an event, looks at cells left out."""
        for event in now.events:
            others = event.actor != self.actor and event.kind != decisions.SEEN
            if event.seq > last_seq and others and event.payload.get("reading", now.reading) == now.reading:
                return event
        return None


def _touched(connection: Connection, event: Event) -> list[str]:
    """Names of the cells that an event bears on."""
    rows = connection.execute(
        "SELECT DISTINCT cell FROM decisions WHERE seq = ? ORDER BY cell", (event.payload.get("of", event.seq),)
    )
    return [cell for (cell,) in rows]


def _require_signable(view: SlideView, newer: Event | None) -> None:
    code = view.slide.code
    if not view.fields:
        raise ReviewError(f"Slide {code} has no field yet.", "Wait until its images are judged.")
    if view.waiting:
        images = f"1 image of slide {code} still waits." if view.waiting == 1 else None
        raise ReviewError(images or f"{view.waiting} images of slide {code} still wait.", "Sign when they are judged.")
    if newer is not None:
        raise ReviewConflictError(
            f"Slide {code} has changed since you looked at it (by {newer.actor}, {newer.at}).",
            "Look at it again, then sign.",
        )
    unseen = tuple(cell.id for cell in view.cells if cell.must_be_seen and not cell.seen)
    if unseen:
        raise UnreviewedCellsError(
            f"{counted(len(unseen), 'cell')} of slide {code} that must be looked at "
            f"{'has' if len(unseen) == 1 else 'have'} not been.",
            "Look at every cell that is ALL, indeterminate or rather unlike what the model has learned; then sign.",
            unseen,
        )


def _within(circle: Circle, found: FoundField) -> list[float]:
    """A circle, rounded to tenths of a pixel.

    Raises:
        UsageError: it is none, or lies outside the image.
    """
    x, y, radius = circle
    if not (1 <= radius <= max(found.summary.width, found.summary.height)):
        raise UsageError(f"A radius of {radius} pixels is not one of a cell.", "Draw the circle around the cell.")
    if not (0 <= x < found.summary.width and 0 <= y < found.summary.height):
        raise UsageError(f"The circle around {x}, {y} lies outside the image.", "Draw it within the field.")
    return [round(float(value), 1) for value in circle]


def _both_signed(events: list[Event]) -> bool:
    return all(reading_state(events, reading).locked for reading in READINGS)


def _counts(cell: ReviewedCell | None) -> CountsAs:
    return "left out" if cell is None else cell.counts_as
