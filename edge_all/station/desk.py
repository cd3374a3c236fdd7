"""`Station`: what a page, an HTTP API and the command line stand on.

::

    with Station(folder) as station:
        for slide in station.slides("M. Curie"):
            print(slide.slide.code, slide.verdict, slide.to_look_at)
        review = station.review("7KQ2M9XA", "M. Curie")
        view = review.view()
        done = review.reclassify({cell.id: cell.version for cell in view.cells[:3]}, "lymphocyte")
        review.sign("reviewed", "routine", done.view.last_seq)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from edge_all.errors import InputNotFoundError, ReviewError, UnreadableImageError
from edge_all.imaging import open_image
from edge_all.results import Cell, RgbImage, Verdict
from edge_all.station.review.settings import StationSettings, change_settings, reader_changes, settings_in_force
from edge_all.station.review.signatures import ReadingState
from edge_all.station.review.slide_review import Review, SlideView
from edge_all.station.storage.backup import Backup, back_up
from edge_all.station.storage.chain import Event, events_after, last_event, last_events
from edge_all.station.storage.database import Database
from edge_all.station.storage.found_cache import FoundCache
from edge_all.station.storage.found_fields import CurrentField, FoundField, current_fields, outlines, whole_cells
from edge_all.station.storage.image_queue import QueueState, queue_counts, queue_state, retry_dead
from edge_all.station.storage.kept_pictures import EarlierField, earlier_fields, kept_picture
from edge_all.station.storage.slide_records import SlideRecord, all_slides, forget_name, slide_record

__all__ = ["SlideOverview", "Station"]

_NOBODY = "edge-all"
"""Who does what no person does."""


_Stand = tuple[tuple[int, str], tuple[int, int], StationSettings]
"""By what an overview is known to be as it was: the last event, what waits and is dead, and the settings."""


@dataclass(frozen=True, slots=True)
class SlideOverview:
    """A slide in the list of slides, as it stands for one reader.

    Attributes:
        slide: the slide.
        state: how far the reader's reading is; None where two others read it already, and then nothing below is known.
        verdict, verdict_reason: as it stands.
        all_cells, judged_cells: cells that count as ALL, and all that count.
        to_look_at: cells that must be looked at before signing and have not been.
        fields: in force.
        repeated: of them, those that show the same picture as another, whose cells are in none of the figures above but
            ``to_look_at``.
        waiting, dead: images that wait for their turn, and that were given up.
        last_event_at: when something was found or decided last; UTC, ISO 8601.
    """

    slide: SlideRecord
    state: ReadingState | None
    verdict: Verdict
    verdict_reason: str
    all_cells: int
    judged_cells: int
    to_look_at: int
    fields: int
    repeated: int
    waiting: int
    dead: int
    last_event_at: str


class Station:
    """The store of a station, open; safe to share between threads.

    Attributes:
        database: the store.
    """

    def __init__(self, folder: Path) -> None:
        """Open the station in a folder, or make one.

        Raises:
            StoreError: it cannot be opened; the subclasses say why.
        """
        self.database = Database(folder)
        self._found = FoundCache()
        self._overviews: dict[tuple[int, str], tuple[_Stand, SlideOverview]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store; a second call does nothing."""
        self.database.close()

    def settings(self) -> StationSettings:
        """How the laboratory wants its station."""
        with self.database.read() as connection:
            return settings_in_force(connection)

    def change_settings(self, settings: StationSettings, actor: str) -> None:
        """Let other settings hold from now on; what was decided under earlier ones stays as it was decided.

        A second reader is for slides that are not signed yet, see `edge_all.station.review.signatures.has_two_readers`.
        """
        with self.database.write() as connection:
            change_settings(connection, settings, actor)

    def slides(self, reader: str) -> tuple[SlideOverview, ...]:
        """All slides as they stand for somebody: those that are not signed before the others.

        One that was signed and has got a field since is taken for not signed. Of either, the suspicious come first,
        then the indeterminate; the latest first.
        """
        with self.database.read() as connection:
            settings = settings_in_force(connection)
            # As long as no slide was ever to have two readers, all stand for everybody alike.
            counted_for = reader if any(two for _, two in reader_changes(connection)) else ""
            records = all_slides(connection)
            last = last_events(connection)
            queues = queue_counts(connection)
            overviews = [
                self._overview(
                    (record.id, counted_for), record, reader, settings, last[record.id], queues.get(record.id, (0, 0))
                )
                for record in reversed(records)
            ]
        rank = {"suspicious": 0, "indeterminate": 1, "not detected": 2}
        return tuple(sorted(overviews, key=lambda one: (_is_done(one), rank[one.verdict])))

    def review(self, code: str, reader: str) -> Review:
        """One person at one slide.

        Raises:
            InputNotFoundError: there is no such slide.
            UsageError: nobody is named.
        """
        with self.database.read() as connection:
            return Review(self.database, self._found, slide_record(connection, code), reader)

    def signed_reviews(self) -> Iterator[tuple[Review, SlideView]]:
        """Each slide that all who have to sign it have signed, as it stands, in the order in which the slides came."""
        with self.database.read() as connection:
            records = all_slides(connection)
        for record in records:
            review = Review(self.database, self._found, record, _NOBODY)
            view = review.signed_view()
            if view is not None:
                yield review, view

    def forget_old_names(self, at: datetime) -> tuple[str, ...]:
        """Forget what slides were called and where their images lie, where the laboratory's policy says so.

        Args:
            at: now.

        Returns:
            Codes of the slides whose names were forgotten; none as long as nobody has set a policy.
        """
        days = self.settings().forget_names_after_days
        if days is None:
            return ()
        before = (at - timedelta(days=days)).astimezone(UTC).isoformat(timespec="milliseconds")
        forgotten = []
        for _, view in self.signed_reviews():
            signature = view.state.signature
            if signature is not None and signature.at < before and view.slide.name is not None:
                with self.database.write() as connection:
                    forget_name(connection, view.slide, _NOBODY, f"{days} days since it was signed")
                forgotten.append(view.slide.code)
        return tuple(forgotten)

    def fields(self, code: str) -> tuple[CurrentField, ...]:
        """The fields of a slide that are in force, in the order of their places.

        Raises:
            InputNotFoundError: there is no such slide.
        """
        with self.database.read() as connection:
            return tuple(current_fields(connection, slide_record(connection, code).id))

    def found(self, field: CurrentField) -> FoundField:
        """What was found in a field."""
        with self.database.read() as connection:
            return self._found.get(connection, field.finding_id)

    def code_of(self, slide_id: int) -> str:
        """The code of the slide that an event is about."""
        with self.database.read() as connection:
            return str(connection.execute("SELECT code FROM slides WHERE id = ?", (slide_id,)).fetchone()[0])

    def outlines(self, field: CurrentField) -> dict[int, tuple[tuple[int, int], ...]]:
        """The polygons around the cells that the software found in a field, by their numbers."""
        with self.database.read() as connection:
            return outlines(connection, field.finding_id)

    def whole_cells(self, field: CurrentField) -> dict[int, Cell]:
        """The cells of a field as the software found them, by their numbers."""
        with self.database.read() as connection:
            return whole_cells(connection, field.finding_id)

    def earlier_fields(self, code: str, place: int) -> tuple[EarlierField, ...]:
        """The fields of a place of a slide before the one in force, the latest first.

        Raises:
            InputNotFoundError: there is no such slide.
        """
        with self.database.read() as connection:
            return earlier_fields(connection, self.database.folder, slide_record(connection, code).id, place)

    def earlier_picture(self, code: str, place: int, field_id: int) -> bytes:
        """How a field looked that was taken again since, as JPEG, at the size at which people are shown fields.

        Raises:
            InputNotFoundError: there is no such field or slide, or its picture was not kept.
        """
        content = None
        if any(one.field_id == field_id for one in self.earlier_fields(code, place)):
            content = kept_picture(self.database.folder, field_id)
        if content is None:
            raise InputNotFoundError(
                f"No picture of the earlier field {field_id} was kept.", "What was found in it is in the store."
            )
        return content

    def pixels(self, field: CurrentField) -> RgbImage:
        """The image of a field, as it was judged: ``uint8 [height, width, 3]`` RGB.

        Raises:
            InputNotFoundError: its path was forgotten.
            ImageError: it cannot be read, or holds another picture now.
        """
        if field.path is None:
            raise InputNotFoundError(
                f"Where field {field.place} lies was forgotten.", "Its cells are here all the same."
            )
        name = f"The image of field {field.place}"
        try:
            content = Path(field.path).read_bytes()
        except OSError as error:
            raise UnreadableImageError(
                f"{name} cannot be read: {error.strerror or error}.", "Put it back where it was when it was judged."
            ) from error
        if hashlib.sha256(content).hexdigest() != field.content_sha256:
            raise UnreadableImageError(f"{name} has changed since it was judged.", "Wait until it is judged again.")
        return open_image(content, name=name, page=field.page or None).decode().pixels

    def queue(self) -> QueueState:
        """How many images wait, and which were given up."""
        with self.database.read() as connection:
            return queue_state(connection)

    def retry_dead(self, ids: tuple[int, ...] | None = None) -> int:
        """Have images that were given up tried again: those named, or all. How many that are."""
        with self.database.write() as connection:
            return retry_dead(connection, ids)

    def last_seq(self) -> int:
        """Number of the last event; 0 where nothing has happened yet."""
        last = self.last_event()
        return 0 if last is None else last.seq

    def events_after(self, seq: int, *, timeout: float = 0.0, most: int = 500) -> tuple[Event, ...]:
        """What has happened since, in its order.

        Args:
            seq: of the last event that is known.
            timeout: seconds to wait where nothing has happened yet.
            most: events at once.
        """
        commits = self.database.commits
        with self.database.read() as connection:
            events = events_after(connection, seq, most)
        if events or timeout <= 0:
            return tuple(events)
        self.database.wait_for_commit(commits, timeout)
        return self.events_after(seq, most=most)

    def last_event(self) -> Event | None:
        """What has happened last; None in an empty station."""
        with self.database.read() as connection:
            return last_event(connection)

    def back_up(self, target: Path | None = None) -> Backup:
        """Copy the store and look the copy through, see `edge_all.station.storage.backup.back_up`."""
        return back_up(self.database.folder, target)

    def _overview(
        self,
        key: tuple[int, str],
        record: SlideRecord,
        reader: str,
        settings: StationSettings,
        last: tuple[int, str],
        queue: tuple[int, int],
    ) -> SlideOverview:
        """One slide, counted anew only where something has happened on it."""
        stand = (last, queue, settings)
        kept = self._overviews.get(key)
        if kept is not None and kept[0] == stand:
            return kept[1]
        try:
            view = Review(self.database, self._found, record, reader).view()
        except ReviewError:
            overview = SlideOverview(record, None, "indeterminate", "", 0, 0, 0, 0, 0, *queue, last[1])
        else:
            overview = _overview_of(view, queue, last[1])
        self._overviews[key] = stand, overview
        return overview


def _is_done(overview: SlideOverview) -> bool:
    """Whether a slide is signed as it stands."""
    return overview.state is not None and overview.state.locked and not overview.state.fields_since


def _overview_of(view: SlideView, queue: tuple[int, int], last_event_at: str) -> SlideOverview:
    result = view.tally.result
    return SlideOverview(
        slide=view.slide,
        state=view.state,
        verdict=result.verdict,
        verdict_reason=result.reason,
        all_cells=result.cells["ALL"],
        judged_cells=sum(result.cells[label] for label in ("ALL", "non-ALL", "indeterminate")),
        to_look_at=view.tally.to_look_at,
        fields=len(view.fields),
        repeated=len(result.repeated_fields),
        waiting=queue[0],
        dead=queue[1],
        last_event_at=last_event_at,
    )
