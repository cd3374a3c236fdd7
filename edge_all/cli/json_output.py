"""``--json``: what a verb would print as tables, for programs."""

from __future__ import annotations

import json
from typing import Annotated

import typer

__all__ = ["JsonOption", "print_json"]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def print_json(record: object) -> None:
    """Print a value on standard output; in ASCII, which every pipe and console takes as it is."""
    typer.echo(json.dumps(record, indent=2, allow_nan=False))
