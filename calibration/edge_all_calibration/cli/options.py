"""Options and arguments that several verbs of this side share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from edge_all.model.gate_limits import USUAL_LIMITS

__all__ = [
    "CellsOption",
    "PackageArgument",
    "SensitivityOption",
    "ThresholdOption",
    "takes_gate_limits",
]

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
_GATE_OPTIONS: dict[str, tuple[str, str, str]] = {
    "label_agreement": ("--agreement", "label agreement", "Share of cells with the same label, at least."),
    "sensitivity_loss": ("--sensitivity-loss", "sensitivity lost", "Sensitivity lost, at most."),
    "auc_difference": ("--auc-difference", "AUC difference", "Difference of AUC either way, at most."),
    "calibration_difference": (
        "--calibration-difference",
        "calibration error difference",
        "Difference of calibration error either way, at most.",
    ),
    "differing_verdicts": (
        "--differing-verdicts",
        "differing slide verdicts",
        "Slides with another verdict, at most.",
    ),
}
"""By the name that the limit has in `GateLimits`: option, name among the usual limits, help."""


def takes_gate_limits(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb an option for each limit of the gate, in the place of its argument ``limits``.

    Typer knows no options that belong together; so that they are declared once, the verb is shown to it with the
    options, and called with one `GateLimits`.

    Args:
        verb: with a keyword argument ``limits``.
    """
    written = inspect.signature(verb)
    own = [one for one in written.parameters.values() if one.name != "limits"]
    # What a limit is holds no meaning for Typer, and importing it would slow down every --help.
    hints = get_type_hints(verb, localns={"GateLimits": object}, include_extras=True)
    shown = [one.replace(annotation=hints[one.name]) for one in own]
    for name, (option, figure, words) in _GATE_OPTIONS.items():
        usual = USUAL_LIMITS[figure]
        declared = typer.Option(option, rich_help_panel="Limits of the gate", help=words)
        shown.append(
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=usual, annotation=Annotated[type(usual), declared]
            )
        )

    @functools.wraps(verb)
    def called(**values: Any) -> None:  # noqa: ANN401 - whatever the verb's options hold
        from edge_all_calibration.gating.gate import GateLimits

        limits = GateLimits(**{name: values.pop(name) for name in _GATE_OPTIONS})
        verb(**values, limits=limits)

    called.__signature__ = written.replace(  # type: ignore[attr-defined]
        parameters=[one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in shown], return_annotation=None
    )
    called.__annotations__ = {one.name: one.annotation for one in shown}
    return called
