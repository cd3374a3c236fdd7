"""Work that somebody else's file may make endless, given up after a while."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["within_time"]

_Answer = TypeVar("_Answer")


def within_time(seconds: float, work: Callable[[], _Answer]) -> _Answer:
    """What the work answers, if it does in time.

    Args:
        seconds: how long to wait for it.
        work: done on a thread of its own, which goes on where it is given up; it does not keep the process from ending.

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

    threading.Thread(target=do, name="edge-all-limited", daemon=True).start()
    try:
        answer, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]  # None only where the work answers None
