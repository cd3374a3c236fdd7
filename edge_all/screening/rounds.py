"""Things are prepared ahead, and come out in rounds: as many together as have arrived, none waiting for one to come.

The network works best on several fields together, and a camera gives one every few seconds. So a round takes what is
there: where sources are plentiful it is full, and where they are slow it holds one.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

__all__ = ["prepared_in_rounds"]

Source = TypeVar("Source")
Prepared = TypeVar("Prepared")

LOOK_UP_SECONDS = 1.0
"""Windows delivers Ctrl-C only between two waits; so no wait is longer."""


def prepared_in_rounds(
    sources: Iterable[Source],
    prepare: Callable[[Source], Prepared],
    is_full: Callable[[Sequence[Prepared]], bool],
    *,
    workers: int,
    ahead: int,
) -> Generator[list[Prepared], None, None]:
    """``map(prepare, sources)`` on background threads, in order, in rounds.

    A round ends when it is full, or when no further source has arrived; sources that have arrived and are being
    prepared are waited for. Closing the generator ends the threads; a source that is being waited for is then taken and
    dropped.

    Args:
        sources: anything iterable, also an endless one. It is gone through on a thread of its own, no further ahead
            than ``workers + ahead + 1``.
        prepare: called on several threads at once; never gives None.
        is_full: whether a round is to be handed out although more may be there.
        workers: number of things that are prepared at once.
        ahead: number of things that may wait, prepared.

    Raises:
        BaseException: what going through the sources raises, once all that came before is handed out; or `prepare`.
    """
    arrivals = _Arrivals(sources, prepare, workers=workers, room=workers + ahead + 1)
    together: list[Prepared] = []
    try:
        while True:
            arrived = arrivals.take(wait=not together)
            if arrived is not None:
                together.append(arrived)
            elif not together:
                break
            if together and (arrived is None or is_full(together)):
                yield together
                together = []
    finally:
        # Also on Ctrl-C: what has not begun is dropped, what is running ends by itself.
        arrivals.close()
    if arrivals.failure is not None:
        raise arrivals.failure


class _Arrivals(Generic[Source, Prepared]):
    """The thread that goes through the sources, and the threads that prepare them.

    Attributes:
        failure: what going through the sources raised.
    """

    def __init__(
        self, sources: Iterable[Source], prepare: Callable[[Source], Prepared], *, workers: int, room: int
    ) -> None:
        self.failure: BaseException | None = None
        self._sources, self._prepare = sources, prepare
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="edge-all-prepare")
        self._room = threading.Semaphore(room)
        self._arrived: queue.SimpleQueue[Future[Prepared] | None] = queue.SimpleQueue()
        self._ended = self._closed = False
        # A daemon: it may wait for a source that never comes, and Python must be able to end meanwhile.
        threading.Thread(target=self._go_through, name="edge-all-sources", daemon=True).start()

    def take(self, *, wait: bool) -> Prepared | None:
        """The next that has arrived, prepared; None where there is none yet (unless waited for), or no more."""
        while not self._ended:
            try:
                arrived = self._arrived.get(block=wait, timeout=LOOK_UP_SECONDS if wait else None)
            except queue.Empty:
                if wait:
                    continue
                return None
            if arrived is None:
                self._ended = True
                break
            prepared = arrived.result()
            self._room.release()
            return prepared
        return None

    def close(self) -> None:
        """End the threads."""
        self._closed = True
        self._room.release()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _go_through(self) -> None:
        try:
            # Room is made before a source is asked for: which ones are given may depend on those judged before.
            self._room.acquire()
            for source in self._sources:
                if self._closed:
                    break
                self._arrived.put(self._executor.submit(self._prepare, source))
                self._room.acquire()
                if self._closed:
                    break
        except BaseException as error:  # noqa: BLE001 - raised again where the results are taken
            self.failure = error
        finally:
            self._arrived.put(None)
