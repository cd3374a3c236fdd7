"""What a process is told before NumPy is loaded and threads begin: how much to leave alone, and how to end."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import threading
import time

__all__ = ["lean_process", "stop_on_signals"]

_M_ARENA_MAX = -8
"""Of ``mallopt``, in glibc's ``malloc.h``."""
_PATIENCE_SECONDS = 1.0
"""After the first signal; those that come sooner are the same wish."""


def lean_process() -> None:
    """Do without the threads of OpenBLAS and the many heaps of glibc; what the user has set for either stays.

    At its end the process does not look for unreachable objects, whose memory the system takes back anyway: from the
    last line to the exit takes 35 ms instead of 80 (medians of 8, two runs each).
    """
    _no_threads_of_blas()
    _one_heap()
    atexit.register(gc.freeze)


def stop_on_signals() -> threading.Event:
    """An event that Ctrl-C and SIGTERM set; asked again after a second, they end the process at once.

    The handler only writes to a pipe. It runs within whatever the main thread is doing, also within a handler that has
    just begun (``timeout`` and some supervisors send two signals in a row), and whoever set an event there would wait
    for a lock that is held below it: so a station hung once, for good.
    """
    stop = threading.Event()
    reading, writing = os.pipe()
    first: list[float] = []

    def asked(number: int, _: object) -> None:
        first.append(time.monotonic())
        if first[-1] - first[0] > _PATIENCE_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        os.write(writing, b"\0")

    def wait() -> None:
        os.read(reading, 1)
        stop.set()

    threading.Thread(target=wait, name="edge-all-signals", daemon=True).start()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, asked)
    return stop


def _no_threads_of_blas() -> None:
    """Keep OpenBLAS, which comes with NumPy, from starting threads.

    Our matrices have three columns and gain nothing from them, and its threads spin for a while before they sleep: at
    the start of a run they took 0.1 s of a core that imports, OpenCV and the network wait for.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _one_heap() -> None:
    """Let all threads share one heap, where the C library is glibc.

    It gives each thread one of its own, and each keeps what its largest image took. Peak memory over 20 fields of up to
    5 megapixels was 384 to 413 MB, with one heap 329 to 355 MB, and computing took no longer (six runs each).
    """
    if sys.platform == "linux" and "MALLOC_ARENA_MAX" not in os.environ:
        import ctypes

        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, 1)
