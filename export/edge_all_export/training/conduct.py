"""How a training run is carried out: nothing here changes the network that it gives."""

from __future__ import annotations

from dataclasses import dataclass

from edge_all_export.watching import SILENT, Watcher

__all__ = ["Conduct"]


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a run, or each run of a cross-validation, is carried out.

    Attributes:
        resume: go on from the folder's last checkpoint, or return the finished run that it holds.
        allow_leaks: train although the leak report found the two sides mixed.
        checkpoint_seconds: least time between two checkpoints.
        watcher: told of every epoch's figures, and of what happens in between.
    """

    resume: bool = False
    allow_leaks: bool = False
    checkpoint_seconds: float = 60.0
    watcher: Watcher = SILENT
