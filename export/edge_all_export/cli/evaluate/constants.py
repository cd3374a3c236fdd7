"""``edge-all evaluate constants``: what each constant of the segmentation is worth."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all_export.cli.evaluate.options import DataOption

__all__ = ["evaluate_constants"]


def evaluate_constants(
    data: DataOption,
    every: Annotated[int, typer.Option(min=1, help="One image in so many is scored, of each set.")] = 10,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Name of a constant, for example REACH; may be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make each constant of the segmentation a fifth smaller and larger, and say what that does to its scores."""
    from rich.console import Console

    from edge_all.cli.tables import ReadableTable
    from edge_all.errors import UsageError
    from edge_all.results import INTENDED_USE
    from edge_all_export.evaluation.constant_effects import constants_of, measure_effects

    known = constants_of()
    chosen = [one for one in known if not only or one.name in only]
    if not chosen:
        raise UsageError(f"There is no constant {' or '.join(only or [])}.", f"There are {len(known)}, such as REACH.")
    with Console(stderr=True).status("Scoring") as status:
        effects = list(measure_effects(data, chosen, every=every, on_constant=lambda one: status.update(one.name)))
    if as_json:
        print_json({"kind": "constants", "intended_use": INTENDED_USE, "effects": [one.to_json() for one in effects]})
        return
    headings = ("constant", "value", "times", "mean of scores", "largest loss", "in")
    table = ReadableTable(*headings, fold=("constant", "in"), caption=INTENDED_USE)
    for effect in effects:
        constant = effect.constant
        value = ", ".join(f"{one:g}" for one in constant.numbers)
        figures = f"{effect.factor:g}", f"{effect.mean:+.4f}", f"{effect.worst:.3f}"
        table.add_row(f"{constant.module}.{constant.name}", value, *figures, effect.where)
    table.print()
