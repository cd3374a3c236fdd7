"""What the parts of the server share, and how a request gets at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from edge_all.classification.classifier import Classifier
from edge_all.errors import InputNotFoundError
from edge_all.station.desk import Station
from edge_all.station.reference_cells import ReferenceCells
from edge_all.station.review.slide_review import Review
from edge_all.station.storage.daily_backup import DailyBackup
from edge_all.station.storage.found_fields import CurrentField
from edge_all.station.web.picture_shelf import PictureShelf
from edge_all.station.web.problems import WebError
from edge_all.station.web.station_threads import StationThreads
from edge_all.station.web.visitors import Person, Visitors

__all__ = ["Administering", "Asking", "OpenDesk", "PageDesk", "administrator"]


@dataclass(frozen=True, slots=True)
class PageDesk:
    """What the parts of the server share.

    Attributes:
        station: whose page it is.
        threads: that work with it.
        pictures: of cells and fields.
        visitors: knows who asks.
        watched: folders that this process watches, for the page that says what to do next.
        classifier: of the model that judges here; None where none is at hand.
        references: confirmed cells to be shown beside one in question; None where no model is at hand.
        backups: that are made here every day; None where none are.
    """

    station: Station
    threads: StationThreads
    pictures: PictureShelf
    visitors: Visitors
    watched: tuple[str, ...] = ()
    classifier: Classifier | None = None
    references: ReferenceCells | None = None
    backups: DailyBackup | None = None

    async def review(self, code: str, person: Person) -> Review:
        """A person at a slide.

        Raises:
            InputNotFoundError: there is no such slide.
        """
        return await self.threads.run(self.station.review, code, person.name)

    def field(self, code: str, place: int) -> CurrentField:
        """The field in force at a place of a slide.

        Raises:
            InputNotFoundError: there is none.
        """
        for field in self.station.fields(code):
            if field.place == place:
                return field
        raise InputNotFoundError(f"Slide {code} has no field {place}.", "Load the slide again.")

    def field_of_finding(self, code: str, finding: int) -> CurrentField:
        """The field in force on a slide in which something was found.

        Raises:
            InputNotFoundError: there is none, or none any more.
        """
        for field in self.station.fields(code):
            if field.finding_id == finding:
                return field
        raise InputNotFoundError(f"Slide {code} has no finding {finding}.", "Load the slide again.")


def _desk(request: Request) -> PageDesk:
    desk: PageDesk = request.app.state.desk
    return desk


def _person(request: Request) -> Person:
    person = _desk(request).visitors.person(request)
    if person is None:
        raise WebError(401, "Nobody knows who asks.", _desk(request).visitors.ways_in)
    return person


def administrator(person: Annotated[Person, Depends(_person)]) -> Person:
    """Somebody who may do what only an administrator may.

    Raises:
        WebError: they may not.
    """
    if person.role != "administrator":
        raise WebError(403, "Only an administrator may do that.", "Ask one, or enter under another name.")
    return person


OpenDesk = Annotated[PageDesk, Depends(_desk)]
Asking = Annotated[Person, Depends(_person)]
Administering = Annotated[Person, Depends(administrator)]
"""Who asks for what only an administrator may: settings, accounts, trying dead letters again, cells for training."""
