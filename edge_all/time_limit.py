"""Work that somebody else's file may make endless, given up after a while."""

from __future__ import annotations

import atexit
import queue
import threading
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["within_time"]

_Answer = TypeVar("_Answer")

LAST_WAIT_SECONDS = 5.0
"""For all work that was told to stop, at the end of the process: ONNX Runtime stops after the operation that it is in.

A thread that comes back from C++ while Python is torn down takes the process with it ("terminate called without an
active exception").
"""
_told_to_stop: list[threading.Thread] = []


def within_time(seconds: float, work: Callable[[], _Answer], stop: Callable[[], object] | None = None) -> _Answer:
    """What the work answers, if it does in time.

    Args:
        seconds: how long to wait for it.
        work: done on a thread of its own, which goes on where it is given up.
        stop: tells the work to end as soon as it can, once it is given up. The process waits for that at its end, but
            not for long; for work that cannot be told it does not wait.

    Raises:
        TimeoutError: it did not answer in time.
        Exception: whatever the work raised.
    """
    answers: queue.SimpleQueue[tuple[_Answer | None, BaseException | None]] = queue.SimpleQueue()

    def do() -> None:
        try:
            answers.put((work(), None))
        except BaseException as error:  # noqa: BLE001 - raised again below, on the thread that waits
            answers.put((None, error))

    thread = threading.Thread(target=do, name="edge-all-limited", daemon=True)
    thread.start()
    try:
        answer, error = answers.get(timeout=seconds)
    except queue.Empty:
        if stop is not None:
            _told_to_stop.append(thread)
            stop()
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]  # None only where the work answers None


@atexit.register
def _wait_for_what_was_told_to_stop() -> None:
    end = time.monotonic() + LAST_WAIT_SECONDS
    for thread in _told_to_stop:
        thread.join(max(0.0, end - time.monotonic()))
