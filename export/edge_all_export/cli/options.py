"""Options that several verbs of the training side share."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_all.cli.options import offers

__all__ = ["LAYOUTS", "NORMAL_LAYOUT", "REFERENCE_LAYOUT", "LayoutOption"]

REFERENCE_LAYOUT, NORMAL_LAYOUT = "reference", "normal"
LAYOUTS = (
    REFERENCE_LAYOUT,
    "folders",
    "allidb1",
    "allidb2",
    "segmentation_wbc",
    "bccd",
    "taleqani",
    "munich",
    "raabin",
    "cnmc",
)
"""As they are told and offered; a test holds them against `edge_all_export.datasets.LAYOUTS`, which is slow to load."""
LayoutOption = Annotated[
    str,
    typer.Option(help="How the folder is laid out, as for `edge-all train`.", autocompletion=offers(*LAYOUTS)),
]
