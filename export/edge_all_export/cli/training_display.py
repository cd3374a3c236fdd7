"""A training run on the screen: what every long work shows, and a line an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_all_export.cli.phase_display import PhaseDisplay

if TYPE_CHECKING:
    from edge_all_export.watching import EpochReport

__all__ = ["TrainingDisplay"]


class TrainingDisplay(PhaseDisplay):
    """Phases, sentences, and a line an epoch."""

    def epoch(self, line: EpochReport) -> None:
        """Print an epoch's figures."""
        self.say(
            f"epoch {line['epoch']:3.0f}  loss {line['loss']:.4f}  held out: loss {line['held_out_loss']:.4f}, "
            f"accuracy {line['held_out_accuracy']:.4f}, AUC {line['held_out_auc']:.4f}  {line['seconds']:.0f} s"
        )
