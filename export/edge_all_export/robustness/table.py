"""The outcome of all changes as one table, for the terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Sequence

from edge_all_export.robustness.measuring import ChangeOutcome

__all__ = ["HEADINGS", "markdown_table", "row_of"]

HEADINGS = ("change", "cells", "lost / new", "labels", "negated", "ALL", "said", "patients", "healthy")
"""Of each column: what was changed; cells in view; of these lost, and new ones; labels changed, and of these
from ALL to non-ALL; cells called ALL afterwards; fields that are unusable or bear a new warning; either slide's
verdict."""


def row_of(outcome: ChangeOutcome) -> tuple[str, ...]:
    """One line, by `HEADINGS`."""
    survivals = outcome.survivals
    return (
        f"{outcome.change.kind}, {outcome.change.name}".rstrip(", "),
        str(sum(one.cells for one in survivals)),
        f"{sum(one.lost for one in survivals)} / {sum(one.new for one in survivals)}",
        str(sum(one.relabelled for one in survivals)),
        str(sum(one.negated for one in survivals)),
        str(outcome.all_cells),
        f"{sum(outcome.said)} of {len(outcome.said)}",
        outcome.verdicts["patients"],
        outcome.verdicts["healthy"],
    )


def markdown_table(outcomes: Sequence[ChangeOutcome]) -> str:
    """All lines as a table in Markdown."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *(row_of(outcome) for outcome in outcomes)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
