"""Which slides of the list are wanted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge_all.results import Verdict
from edge_all.station.desk import SlideOverview

__all__ = ["SlideFilter"]

Day = Annotated[str, Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
Stage = Literal["open", "pending", "in review", "signed", "amended"]


class SlideFilter(BaseModel):
    """Which slides of the list are wanted; what is not said, restricts nothing.

    Attributes:
        search: part of a slide's code or name.
        verdict: as it stands.
        stage: how far its reading is; ``open``: not signed, or open again.
        reader: who has decided last, or signed.
        since, until: days between which something was found or decided last.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    search: Annotated[str, Field(max_length=200)] = ""
    verdict: Verdict | Literal[""] = ""
    stage: Stage | Literal[""] = ""
    reader: Annotated[str, Field(max_length=200)] = ""
    since: Day = ""
    until: Day = ""

    @property
    def restricts(self) -> bool:
        """Whether any slide may be left out."""
        return self != SlideFilter()

    def of(self, overviews: Iterable[SlideOverview]) -> list[SlideOverview]:
        """Those that are wanted, in their order."""
        return [one for one in overviews if self._wants(one)]

    def _wants(self, one: SlideOverview) -> bool:
        sought = self.search.strip().casefold()
        day = one.last_event_at[:10]
        stage = "pending" if one.state is None else one.state.stage
        reader = "" if one.state is None else one.state.reader or ""
        return (
            (not sought or sought in one.slide.code.casefold() or sought in (one.slide.name or "").casefold())
            and (not self.verdict or one.verdict == self.verdict)
            and (not self.stage or stage == self.stage or (self.stage == "open" and stage != "signed"))
            and (not self.reader or reader.casefold() == self.reader.strip().casefold())
            and (not self.since or day >= self.since)
            and (not self.until or day <= self.until)
        )
