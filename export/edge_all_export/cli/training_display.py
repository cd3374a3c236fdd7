"""A training run on the screen: what is being done, how far it is, how long it will take."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from edge_all_export.training.watching import Watcher

if TYPE_CHECKING:
    from edge_all_export.training.recording import EpochReport

__all__ = ["TrainingDisplay"]


class TrainingDisplay(Watcher):
    """Sentences and a line an epoch on standard error, with a bar below them where that is a terminal."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("Starting", total=None)

    def __enter__(self) -> TrainingDisplay:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, words: str) -> None:
        """Print a sentence above the bar."""
        self._bar.console.print(Text(words), soft_wrap=True)

    def advance(self, task: str, done: int, total: int) -> None:
        """Move the bar; another total begins another bar."""
        if self._bar.tasks[self._task].total != total:
            self._bar.reset(self._task)
        self._bar.update(self._task, description=task, completed=done, total=total)

    def epoch(self, line: EpochReport) -> None:
        """Print an epoch's figures."""
        self.say(
            f"epoch {line['epoch']:3.0f}  loss {line['loss']:.4f}  held out: loss {line['held_out_loss']:.4f}, "
            f"accuracy {line['held_out_accuracy']:.4f}, AUC {line['held_out_auc']:.4f}  {line['seconds']:.0f} s"
        )
