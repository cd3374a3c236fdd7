"""What the kinds of ``edge-all evaluate`` ask for alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_all_calibration.cli.paths import existing

__all__ = ["UNSEEN_SET", "DataOption", "OutputOption"]

UNSEEN_SET = "pbc_lymphocytes"
"""Folder beside the reference sets that no training sees: it stands for the hospital that nobody has seen."""

DataOption = Annotated[
    Path, typer.Option("--data", callback=existing, help="Folder of labelled images.", show_default=False)
]
OutputOption = Annotated[Path, typer.Option("-o", "--output", help="New folder for the report.", show_default=False)]
