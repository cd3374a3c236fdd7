"""Options and arguments that several verbs of this side share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AgreementOption",
    "AucOption",
    "CalibrationOption",
    "CellsOption",
    "PackageArgument",
    "SensitivityLossOption",
    "SensitivityOption",
    "ThresholdOption",
    "VerdictsOption",
]

_GATE = "Limits of the gate"

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
AgreementOption = Annotated[
    float, typer.Option("--agreement", rich_help_panel=_GATE, help="Share of cells with the same label, at least.")
]
SensitivityLossOption = Annotated[
    float, typer.Option("--sensitivity-loss", rich_help_panel=_GATE, help="Sensitivity lost, at most.")
]
AucOption = Annotated[
    float, typer.Option("--auc-difference", rich_help_panel=_GATE, help="Difference of AUC either way, at most.")
]
CalibrationOption = Annotated[
    float,
    typer.Option(
        "--calibration-difference",
        rich_help_panel=_GATE,
        help="Difference of calibration error either way, at most.",
    ),
]
VerdictsOption = Annotated[
    int, typer.Option("--differing-verdicts", rich_help_panel=_GATE, help="Slides with another verdict, at most.")
]
