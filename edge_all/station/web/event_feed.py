"""What happens at the station, to everybody who has a page open: one look at the store for all of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from edge_all.errors import StoreError
from edge_all.station.desk import Station
from edge_all.station.storage.chain import Event
from edge_all.station.web.station_threads import StationThreads

__all__ = ["EventFeed"]

_LOOK_SECONDS = 0.25
"""How long one look waits for something to happen; also how long the server takes to end at most."""
_SILENCE_SECONDS = 15.0
"""After so long a line is sent although nothing happened, so that either side notices that the other has gone."""
_AT_ONCE = 200


class EventFeed:
    """Server-sent events (WHATWG HTML, section 9.2) of one station; lives in one event loop."""

    def __init__(self, station: Station, threads: StationThreads) -> None:
        self._station = station
        self._threads = threads
        self._condition = asyncio.Condition()
        self._last = 0
        self._stopped = False
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Look at the store again and again until `stop`."""
        self._last = await self._threads.run(self._station.last_seq)
        while not self._stopped:
            try:
                events = await self._threads.run(self._station.events_after, self._last, timeout=_LOOK_SECONDS)
            except StoreError:
                await asyncio.sleep(_LOOK_SECONDS)
                continue
            if events:
                self._last = events[-1].seq
                await self._wake()

    def stop(self) -> None:
        """End all streams; may be called from any thread, and again."""
        self._stopped = True
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._wake()))

    async def lines(self, after: int | None) -> AsyncIterator[bytes]:
        """The stream of one listener.

        Args:
            after: number of the last event that it knows; None for what comes from now on.
        """
        seq = self._last if after is None else min(after, self._last)
        codes: dict[int, str] = {}
        yield b"retry: 2000\n\n"
        while not self._stopped:
            if seq >= self._last:
                async with self._condition:
                    try:
                        await asyncio.wait_for(self._condition.wait(), _SILENCE_SECONDS)
                    except TimeoutError:
                        yield b": still here\n\n"
                continue
            told = await self._threads.run(self._told, seq, codes)
            if told:
                seq = told[-1][0]
                yield b"".join(line for _, line in told)

    def _told(self, after: int, codes: dict[int, str]) -> list[tuple[int, bytes]]:
        return [(event.seq, self._line(event, codes)) for event in self._station.events_after(after, most=_AT_ONCE)]

    def _line(self, event: Event, codes: dict[int, str]) -> bytes:
        if event.slide_id is not None and event.slide_id not in codes:
            codes[event.slide_id] = self._station.code_of(event.slide_id)
        said = {
            "seq": event.seq,
            "at": event.at,
            "kind": event.kind,
            "actor": event.actor,
            "slide": None if event.slide_id is None else codes[event.slide_id],
            "gesture": event.gesture,
        }
        return f"id: {event.seq}\ndata: {json.dumps(said)}\n\n".encode()

    async def _wake(self) -> None:
        async with self._condition:
            self._condition.notify_all()
