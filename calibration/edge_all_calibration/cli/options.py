"""Options and arguments that several verbs of this side share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from edge_all.errors import UsageError
from edge_all.model.gate_limits import USUAL_LIMITS
from edge_all_calibration.cli.paths import existing

if TYPE_CHECKING:
    from edge_all.model.card import VariantName
    from edge_all_calibration.gating.release_gate import GateLimits
    from edge_all_calibration.probability.operating_points import OperatingPolicy
    from edge_all_calibration.releasing.release import ReleasePlan

__all__ = ["CellsOption", "PackageArgument", "gate_limits", "operating_policy", "release_plan", "takes"]

PackageArgument = Annotated[str, typer.Argument(metavar="MODEL", help="Installed model's name, or a package folder.")]
CellsOption = Annotated[
    Path,
    typer.Option(
        "--cells",
        callback=existing,
        help="Labelled cells: npz, or a folder with ALL/ and non-ALL/, a folder a patient.",
        show_default=False,
    ),
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


def takes(**groups: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a verb, or a group of options, options that belong together, as one value.

    Typer knows no such options. So that they are declared once and a verb has few arguments, it is shown to Typer with
    the options of each group in the place of one argument, and called with what the group makes of them.

    Args:
        groups: by the name of the verb's argument: a function that declares the options as Typer reads them.
    """

    def decorated(verb: Callable[..., Any]) -> Callable[..., Any]:
        shown: list[inspect.Parameter] = []
        for one in _parameters(verb, without=groups):
            shown.extend(_parameters(groups[one.name]) if one.name in groups else [one])

        @functools.wraps(verb)
        def called(**values: Any) -> Any:  # noqa: ANN401 - whatever the verb's options hold
            made = {
                name: group(**{one.name: values.pop(one.name) for one in _parameters(group)})
                for name, group in groups.items()
            }
            return verb(**values, **made)

        called.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in shown], return_annotation=None
        )
        called.__annotations__ = {one.name: one.annotation for one in shown}
        return called

    return decorated


def _parameters(function: Callable[..., Any], without: Collection[str] = ()) -> list[inspect.Parameter]:
    """A function's parameters with their annotations read, but of those that a group takes the place of.

    What the values of groups are holds no meaning for Typer, and importing it would slow down every --help.
    """
    signature = inspect.signature(function)
    named = {name: Any if name in without else hint for name, hint in function.__annotations__.items()}
    named.pop("return", None)
    hints = get_type_hints(SimpleNamespace(__annotations__=named), globalns=function.__globals__, include_extras=True)
    return [one.replace(annotation=hints[one.name]) for one in signature.parameters.values()]


def gate_limits(**limits: Any) -> GateLimits:  # noqa: ANN401 - as many and of such types as its signature says
    """The limits of the gate, an option each; a group for `takes`."""
    from edge_all_calibration.gating.release_gate import GateLimits

    return GateLimits(**limits)


def _gate_options() -> list[inspect.Parameter]:
    """An option for each limit of the gate."""
    shown = []
    for name, (option, figure, words) in _GATE_OPTIONS.items():
        usual = USUAL_LIMITS[figure]
        declared = typer.Option(option, rich_help_panel="Limits of the gate", help=words)
        hint: Any = Annotated[type(usual), declared]  # computed: a form that mypy reads as no type
        shown.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=usual, annotation=hint))
    return shown


gate_limits.__signature__ = inspect.Signature(_gate_options())  # type: ignore[attr-defined]
gate_limits.__annotations__ = {one.name: one.annotation for one in _gate_options()}


def operating_policy(
    sensitivity: Annotated[
        float | None, typer.Option("--sensitivity", help="Operating point with this sensitivity; else Youden's.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Fixed operating point, instead of --sensitivity.")
    ] = None,
    band: Annotated[
        tuple[float, float] | None,
        typer.Option(
            "--band",
            metavar="LOW HIGH",
            help="Both thresholds by hand, instead of either: calibrated probabilities, non-ALL below LOW, ALL from "
            "HIGH on.",
        ),
    ] = None,
) -> OperatingPolicy:
    """How thresholds are chosen; a group for `takes`.

    Raises:
        UsageError: more than one is given, or one lies outside 0 to 1.
    """
    from edge_all_calibration.probability.operating_points import OperatingPolicy

    if sum(given is not None for given in (sensitivity, threshold, band)) > 1:
        raise UsageError("A sensitivity, a fixed threshold and a band exclude each other.", "Give one of them.")
    if band is not None:
        return OperatingPolicy("band", band=band)
    if sensitivity is not None:
        return OperatingPolicy("sensitivity", sensitivity)
    if threshold is not None:
        return OperatingPolicy("fixed", threshold)
    return OperatingPolicy()


@takes(policy=operating_policy, limits=gate_limits)
def release_plan(
    variants: Annotated[str, typer.Option("--variants", help="Precisions, FP32 always among them.")] = "fp32,fp16,int8",
    *,
    policy: OperatingPolicy,
    limits: GateLimits,
) -> ReleasePlan:
    """What a release makes, and by which measures; a group for `takes`.

    Raises:
        UsageError: there is no such precision.
    """
    from edge_all_calibration.releasing.release import ReleasePlan

    return ReleasePlan(_precisions(variants), policy, limits)


def _precisions(text: str) -> tuple[VariantName, ...]:
    """The precisions of ``fp32,fp16,int8``."""
    from edge_all.model.card import VARIANTS

    wanted = [word.strip().lower() for word in text.split(",") if word.strip()]
    unknown = [word for word in wanted if word not in VARIANTS]
    if unknown:
        raise UsageError(f"There is no variant {unknown[0]!r}.", f"Choose from: {', '.join(VARIANTS)}.")
    return tuple(name for name in VARIANTS if name == "fp32" or name in wanted)
