"""``--json``: what a verb would print as tables, for programs."""

from __future__ import annotations

import json
import math
from typing import Annotated

import typer

__all__ = ["JsonOption", "print_json"]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def print_json(record: object) -> None:
    """Print a value on standard output; in ASCII, which every pipe and console takes as it is.

    What is no number, as it may stand in a foreign card, is null: JSON knows no NaN, and most readers stop at one.
    """
    typer.echo(json.dumps(_finite(record), indent=2, allow_nan=False))


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
