"""The reference cells of the page: taken in beside everything else, at the start and whenever a slide was signed."""

from __future__ import annotations

import asyncio

from edge_all.errors import EdgeAllError
from edge_all.station.reference_cells import ReferenceCells
from edge_all.station.web.station_threads import StationThreads

__all__ = ["ReferenceLearner"]


class ReferenceLearner:
    """Has reference cells learned when there is something new; lives in one event loop."""

    def __init__(self, references: ReferenceCells | None, threads: StationThreads) -> None:
        self._references = references
        self._threads = threads
        self._wanted = asyncio.Event()
        self._wanted.set()

    def want(self) -> None:
        """Something was signed, or is open again."""
        self._wanted.set()

    async def run(self) -> None:
        """Learn until it is cancelled."""
        while self._references is not None:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                while await self._threads.run(self._references.learn, 50):
                    pass
            except EdgeAllError:
                continue  # a store that cannot be read now is tried again when somebody signs
