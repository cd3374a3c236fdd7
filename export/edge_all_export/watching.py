"""Who is told how a training run goes on, without the run knowing whether anybody looks."""

from __future__ import annotations

__all__ = ["SILENT", "EpochReport", "Watcher"]

EpochReport = dict[str, float]
"""One line of ``log.csv``."""


class Watcher:
    """Told how a run goes on; this one keeps quiet, a display overrides all methods."""

    def say(self, words: str) -> None:
        """Something that the user should read.

        Args:
            words: a sentence.
        """

    def advance(self, task: str, done: int, total: int) -> None:
        """A step of something long.

        Args:
            task: what is being done.
            done: steps done of it.
            total: steps that there are.
        """

    def epoch(self, line: EpochReport) -> None:
        """An epoch has ended.

        Args:
            line: its figures, as ``log.csv`` holds them.
        """


SILENT = Watcher()
