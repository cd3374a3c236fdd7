"""Long work on the screen: what is being done, how far it is, at what rate, how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from edge_all_export.watching import Watcher

__all__ = ["PhaseDisplay"]

SECONDS_BETWEEN_LINES = 10.0
"""Where standard error is no terminal: a log then shows that the program lives, and is not flooded."""


class PhaseDisplay(Watcher):
    """Sentences on standard error, and how far each phase is: a bar on a terminal, now and then a line elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("Starting", total=None, rate="")
        self._phase: tuple[int, int] | None = None
        """Done and to be done, as told last."""
        self._begun = self._said = time.monotonic()
        self._done_before = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, words: str) -> None:
        """Print a sentence above the bar."""
        self._console.print(Text(words), soft_wrap=True)

    def advance(self, task: str, done: int, total: int) -> None:
        """Move the bar; another total begins another bar, and another rate."""
        now = time.monotonic()
        if self._phase is None or self._phase[1] != total or done <= self._phase[0]:
            self._begun, self._done_before = now, done
            self._bar.reset(self._task)
            if not self._console.is_terminal:
                # Said at once: what comes may take minutes.
                self._said = now
                self.say(f"{task}: {done} of {total}")
        self._phase = done, total
        rate = self._rate(done, now)
        self._bar.update(self._task, description=task, completed=done, total=total, rate=rate)
        if not self._console.is_terminal and (done == total or now - self._said >= SECONDS_BETWEEN_LINES):
            self._said = now
            self.say(f"{task}: {done} of {total}{', ' * bool(rate)}{rate}")

    def phase(self, task: str) -> Callable[[int, int], None]:
        """What `advance` is for one phase, to be handed on: told how much is done, and of how much."""
        return lambda done, total: self.advance(task, done, total)

    def _rate(self, done: int, now: float) -> str:
        seconds = now - self._begun
        if done <= self._done_before or seconds <= 0:
            return ""
        return f"{(done - self._done_before) / seconds:.3g} a second"
