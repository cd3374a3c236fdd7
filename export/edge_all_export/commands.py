"""What the training side adds to the ``edge-all`` command, through the entry-point group ``edge_all.commands``.

Every ``edge-all --help`` loads this module, so that nothing here or in the verbs' own modules may import TensorFlow,
Keras, scikit-learn or matplotlib before a verb runs.
"""

from __future__ import annotations

import typer

from edge_all_export.cli import evaluate, export, train, train_outlines

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    for verb in (train, train_outlines, evaluate, export):
        verb.register(app)
