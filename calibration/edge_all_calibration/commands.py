"""What this side adds to the ``edge-all`` command, through the entry-point group ``edge_all.commands``.

Every ``edge-all --help`` loads this module: nothing here or in the verbs' own modules imports ONNX, ONNX Runtime or
scikit-learn before a verb runs.
"""

from __future__ import annotations

import typer

from edge_all_calibration.cli import adapt, calibrate, embed, gate, wrap

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    for verb in (adapt, calibrate, embed, gate, wrap):
        verb.register(app)
