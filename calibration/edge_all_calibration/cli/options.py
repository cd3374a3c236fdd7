"""Options and arguments that several verbs of this side share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["CellsOption", "PackageArgument", "SensitivityOption", "ThresholdOption"]

PackageArgument = Annotated[str, typer.Argument(metavar="MODEL", help="Installed model's name, or a package folder.")]
CellsOption = Annotated[
    Path,
    typer.Option(
        "--cells",
        help="Labelled cells: npz, or a folder with ALL/ and non-ALL/, a folder a patient.",
        show_default=False,
    ),
]
SensitivityOption = Annotated[
    float | None, typer.Option("--sensitivity", help="Operating point with this sensitivity; else Youden's.")
]
ThresholdOption = Annotated[
    float | None, typer.Option("--threshold", help="Fixed operating point, instead of --sensitivity.")
]
