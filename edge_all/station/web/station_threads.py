"""The threads that work with the store for the server: few, and always the same.

Each thread keeps a connection of its own to the store; threads that came and went would leave theirs behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

__all__ = ["StationThreads"]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_THREADS = 6
"""One writes at a time; the others decode images and count."""


class StationThreads:
    """Runs what may take a while beside the event loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="edge-all-page")

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What a function returns, or raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """Let what is under way end."""
        self._pool.shutdown(wait=True, cancel_futures=True)
